#!/bin/bash
# SPDX-License-Identifier: MIT
# Records a workload of known truth with tidemark and compares: run.sh PATTERN SECONDS [limits of oracle-compare ...]
#
# PATTERN is a file, or the name of one in patterns/. TIDEMARK names the program under test, ORACLE_BUILD the directory with
# oracle-workload and oracle-compare, TIDEMARK_RECORD_ARGS further arguments of `tidemark record`, ORACLE_LAST the time that
# is compared (3s). Prints one line. Exit: 0 limits met, 1 not, 77 skipped (with the reason).
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

cleanup() {
	for pid in $recorder_pid $workload_pid; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	[ -n "$dir" ] && rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

[ $# -ge 2 ] || { echo "usage: run.sh PATTERN SECONDS [LIMITS]" >&2; exit 2; }
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
mkfifo "$dir/ready"
"$build/oracle-workload" --truth "$dir/truth" "$pattern" >"$dir/ready" 2>"$dir/workload.err" &
workload_pid=$!
exec 3<"$dir/ready"
read -r -t 120 ready _ <&3 || fail "the workload did not become ready: $(cat "$dir/workload.err")"
[ "$ready" = READY ] || fail "the workload said $ready"

# shellcheck disable=SC2086
"$tidemark" record -p "$workload_pid" -d "${seconds}s" -o "$dir/record.db" ${TIDEMARK_RECORD_ARGS:-} \
	>"$dir/record.out" 2>"$dir/record.err" &
recorder_pid=$!
wait "$recorder_pid"
rc=$?
until_us=$(($(date +%s%N) / 1000))
recorder_pid=
[ $rc = 0 ] || fail "tidemark record ended with $rc"

# A slice of the truth is logged when it is over.
sleep 0.2
kill -0 "$workload_pid" 2>/dev/null || fail "the workload did not survive: $(cat "$dir/workload.err")"
"$tidemark" report regions --json --last "$last" "$dir/record.db" >"$dir/regions" 2>>"$dir/record.err" || fail "tidemark report failed"
"$build/oracle-compare" --truth "$dir/truth" --until "$until_us" --last "$last" "$@" "$dir/regions"
rc=$?
[ -n "${ORACLE_KEEP:-}" ] && cp "$dir/truth" "$dir/regions" "$dir/record.db" "$ORACLE_KEEP"
exit $rc
