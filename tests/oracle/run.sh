#!/bin/bash
# SPDX-License-Identifier: MIT
# Records a workload of known truth with tidemark and compares: run.sh PATTERN SECONDS [arguments of oracle-compare ...],
# which say what is judged, and the limits:
#
#     TIDEMARK_RECORD_ARGS=--writes run.sh apart 12 --apart --min-precision 0.9 --min-recall 0.9
#
# PATTERN is a file, or the name of one in patterns/. TIDEMARK names the program under test, ORACLE_BUILD the directory with
# oracle-workload and oracle-compare, TIDEMARK_RECORD_ARGS further arguments of `tidemark record`, ORACLE_LAST the time that
# is compared (3s), ORACLE_KEEP a directory for what was compared. Prints one line an attempt.
#
# Limits that are not met while other processes held the processors say nothing about tidemark: the run is repeated, twice
# at most, with a priority above theirs where that is allowed; the last attempt leaves out what cannot be known about pages
# that are touched now and then. Limits that are not met on a machine that was not busy fail
# at once, and the last attempt decides whatever it ran into. Exit: 0 limits met, 1 not, 77 skipped (with the reason).
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${ORACLE_BUILD:-$here/../../build/tests/oracle}
tidemark=${TIDEMARK:-$here/../../build/cli/tidemark}
last=${ORACLE_LAST:-3s}
workload_pid=
recorder_pid=
dir=

skip() {
	echo "SKIP: $*"
	exit 77
}

fail() {
	echo "FAIL: $*" >&2
	[ -s "$dir/record.err" ] && tail -n 5 "$dir/record.err" >&2
	exit 1
}

# shellcheck disable=SC2317
cleanup() {
	for pid in $recorder_pid $workload_pid; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	[ -n "$dir" ] && rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

[ $# -ge 2 ] || { echo "usage: run.sh PATTERN SECONDS [COMPARE_ARGUMENTS]" >&2; exit 2; }
pattern=$1
seconds=$2
shift 2
[ -f "$pattern" ] || pattern=$here/patterns/$pattern.pat
[ -f "$pattern" ] || { echo "run.sh: no pattern $pattern" >&2; exit 2; }
[ "$(id -u)" = 0 ] || skip "needs root: BPF programs and process_madvise on another process"
[ -x "$tidemark" ] || fail "no program at $tidemark (set TIDEMARK)"

# The memory that the pattern asks for and half a GiB more must be free: swapping would change what is measured.
need_kib=$(awk '$1 == "area" { n = $2 + 0; if ($2 ~ /GiB/) n *= 1024; print n * 1024 }' "$pattern")
free_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
[ "$free_kib" -ge $((need_kib + 524288)) ] || skip "$(basename "$pattern") needs $need_kib KiB of memory, $free_kib are available"

dir=$(mktemp -d "${TMPDIR:-/tmp}/oracle.XXXXXX")

# Until the truth tells about now: a slice of it is logged when it is over, and on a busy machine that is late.
await_truth() {
	local now_us told_us

	now_us=$(($(date +%s%N) / 1000))
	for ((i = 0; i < 1200; i++)); do
		kill -0 "$workload_pid" 2>/dev/null || fail "the workload did not survive: $(cat "$dir/workload.err")"
		told_us=$(tail -n 1 "$dir/truth" | sed -n 's/.*"to_unix_us":\([0-9]*\),.*/\1/p')
		[ "${told_us:-0}" -lt "$now_us" ] || return 0
		sleep 0.05
	done
	fail "the workload stopped telling what it does"
}

# Records a new workload once and compares: attempt [arguments of oracle-compare]. Words before a command, each may be
# none: workload_with and recorder_with. Returns what oracle-compare does.
attempt() {
	local rc

	rm -rf "${dir:?}"/*
	mkfifo "$dir/ready"
	$workload_with "$build/oracle-workload" --truth "$dir/truth" "$pattern" >"$dir/ready" 2>"$dir/workload.err" &
	workload_pid=$!
	exec 3<"$dir/ready"
	read -r -t 120 ready _ <&3 || fail "the workload did not become ready: $(cat "$dir/workload.err")"
	[ "$ready" = READY ] || fail "the workload said $ready"

	# shellcheck disable=SC2086
	$recorder_with "$tidemark" record -p "$workload_pid" -d "${seconds}s" -o "$dir/record.db" ${TIDEMARK_RECORD_ARGS:-} \
		>"$dir/record.out" 2>"$dir/record.err" &
	recorder_pid=$!
	wait "$recorder_pid"
	rc=$?
	recorder_pid=
	[ $rc = 0 ] || fail "tidemark record ended with $rc"

	await_truth
	"$tidemark" report regions --json --last "$last" "$dir/record.db" >"$dir/regions" 2>>"$dir/record.err" ||
		fail "tidemark report failed"
	"$build/oracle-compare" --truth "$dir/truth" --record "$dir/record.db" --last "$last" "$@" "$dir/regions"
	rc=$?
	[ -n "${ORACLE_KEEP:-}" ] && cp "$dir/truth" "$dir/regions" "$dir/record.db" "$ORACLE_KEEP"
	kill "$workload_pid" 2>/dev/null && wait "$workload_pid" 2>/dev/null
	workload_pid=
	return $rc
}

workload_with=
recorder_with=
for ((number = 1; number <= 3; number++)); do
	[ $number -lt 3 ] || set -- --busy-margin 0.25 "$@"
	attempt "$@"
	rc=$?
	[ $rc = 3 ] || exit $rc
	echo "attempt $number: limits not met, but other processes kept the workload or tidemark from running" >&2
	# A workload that never sleeps would keep a processor from everybody, the kernel's own threads included.
	if chrt --rr 1 true 2>/dev/null && ! grep -q '^tick 0' "$pattern"; then
		workload_with="chrt --rr 1"
		recorder_with="chrt --rr 2"
	fi
done
fail "the limits were not met in any of 3 attempts"
