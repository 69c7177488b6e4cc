#!/bin/bash
# SPDX-License-Identifier: MIT
# A redis-server must not notice that it is recorded, nor that the recorder is killed, ten times, at any moment:
# every answer stays right, and the process has what it had before: identity, page tables, mappings, descriptors.
#
# TIDEMARK: the program under test. HARM_BUILD: the directory with harm-loadcheck. Exit: 0, 1, or 77 skipped with the reason.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${HARM_BUILD:-$here/../../build/tests/harm}
tidemark=${TIDEMARK:-$here/../../build/cli/tidemark}
kills=${HARM_KILLS:-10}
dir=
redis_pid=
client_pid=
recorder_pid=

skip() {
	echo "SKIP: $*"
	exit 77
}

fail() {
	echo "FAIL: $*" >&2
	for log in client record report; do
		[ -s "$dir/$log.err" ] && tail -n 5 "$dir/$log.err" >&2
	done
	exit 1
}

# shellcheck disable=SC2317
cleanup() {
	for pid in $recorder_pid $client_pid $redis_pid; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	[ -n "$dir" ] && rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# What must be the same afterwards, one "name value" a line. uffd: mappings that are registered with a userfaultfd.
state() {
	awk '{ print "start-time", $22 }' "/proc/$redis_pid/stat"
	awk '/^(TracerPid|Threads|VmPTE|VmLck|SigBlk|SigIgn|SigCgt|Seccomp):/ { print $1, $2 }' "/proc/$redis_pid/status"
	echo "mappings $(wc -l <"/proc/$redis_pid/maps")"
	echo "descriptors $(find "/proc/$redis_pid/fd" -mindepth 1 | wc -l)"
	echo "uffd $(grep -cE '^VmFlags:.* u[mwi]( |$)' "/proc/$redis_pid/smaps")"
}

[ "$(id -u)" = 0 ] || skip "needs root: BPF programs and process_madvise on another process"
# Debian's redis-tools has the server too, under the name of a tool; the program goes by the name it is called.
server=$(command -v redis-server || command -v redis-check-rdb)
[ -n "$server" ] && command -v redis-cli >/dev/null || skip "redis is missing (apt-get install redis-tools)"
[ -x "$tidemark" ] || fail "no program at $tidemark (set TIDEMARK)"
dir=$(mktemp -d "${TMPDIR:-/tmp}/harm.XXXXXX")
socket=$dir/redis.sock
ln -s "$server" "$dir/redis-server"

setpriv --pdeathsig TERM "$dir/redis-server" --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$dir" \
	--loglevel warning --daemonize no >"$dir/redis.err" 2>&1 &
redis_pid=$!
for _ in $(seq 1200); do
	[ -S "$socket" ] && break
	sleep 0.05
done
mkfifo "$dir/client"
"$build/harm-loadcheck" "$socket" >"$dir/client" 2>"$dir/client.err" &
client_pid=$!
exec 3<"$dir/client"
read -r -t 180 line <&3 && [ "$line" = READY ] || fail "the load did not start"
run_id=$(redis-cli -s "$socket" INFO server | grep '^run_id')
# Redis resizes its buffers and the allocator its arenas at the begin of a load: some by requests, which the load check has
# counted, some by time.
sleep "${HARM_WARMUP:-5}"
state >"$dir/before"

"$tidemark" record -p "$redis_pid" -d 5s -o "$dir/whole.db" >"$dir/record.err" 2>&1 || fail "recording ended with $?"
"$tidemark" report wss "$dir/whole.db" >/dev/null 2>"$dir/report.err" || fail "no report of the recording"
for ((i = 0; i < kills; i++)); do
	"$tidemark" record -p "$redis_pid" -d 60s -o "$dir/killed-$i.db" >"$dir/record.err" 2>&1 &
	recorder_pid=$!
	# From before its first sample to well into its work.
	sleep "0.$((RANDOM % 9))$((RANDOM % 9))"
	[ $((i % 2)) = 0 ] || sleep 1
	kill -KILL "$recorder_pid" || fail "the recorder ended by itself"
	wait "$recorder_pid" 2>/dev/null
	recorder_pid=
	kill -0 "$redis_pid" 2>/dev/null || fail "redis-server died after kill $((i + 1))"
done
# What the recorders left must go soon, but on a busy machine nothing is sure to happen within a second.
for _ in $(seq 20); do
	sleep 1
	state >"$dir/after"
	cmp -s "$dir/before" "$dir/after" && break
done

kill -TERM "$client_pid"
read -r -t 180 line <&3
wait "$client_pid"
rc=$?
client_pid=
[ $rc = 0 ] || fail "the load check: $line"
[ "$(redis-cli -s "$socket" INFO server | grep '^run_id')" = "$run_id" ] || fail "redis-server was restarted"
redis-cli -s "$socket" INFO errorstats | grep '^errorstat' && fail "redis-server counted errors"
diff "$dir/before" "$dir/after" || fail "the process is not what it was (< before, > after)"
echo "redis-server: $line, recorded once and its recorder killed $kills times; $(awk '$1 == "VmPTE:" { print $2 " KiB of page tables" } $1 == "mappings" || $1 == "descriptors" { print $2, $1 }' "$dir/after" | paste -sd, | sed 's/,/, /g') as before"
