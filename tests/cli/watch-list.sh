#!/bin/bash
# SPDX-License-Identifier: MIT
# Watching writes by a list of them (uffd_log), for which writers wait: what is said, what becomes of a target that waits at the
# very moment when tidemark ends, is killed or is stopped, and that no helper stays behind. Needs root and uffd_log. $BUSY writes
# the first 8 MiB of a 32 MiB mapping all the time.
. "$(dirname "$0")/lib.sh"
. "$here/watched.sh"

[ "$(id -u)" = 0 ] || skip_all 'reaching into other processes needs root'
# A copy, so that helpers are known by what they run.
original=$TIDEMARK
TIDEMARK=$(pwd -P)/tidemark-list
install -m 755 "$original" "$TIDEMARK"
start "$BUSY"
busy=$pid
await grep -qx cli-busy "/proc/$busy/comm"
mapping=$(await_mapping_of "$busy")
state "$busy" >before
log() {
	run "$TIDEMARK" watch --backend uffd_log "$@"
}
log -q -n 1 -i 10ms -p "$busy"
[ "$code" = 3 ] && skip_all "writes cannot be listed here: $(head -n 1 err)"
expect 'one epoch' 0 ''
check '-q is quiet' test ! -s err

# ours: the processes that run our copy of the program.
ours() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$TIDEMARK" 2>/dev/null | cut -d / -f 3
}
nobody_left() {
	test -z "$(ours)"
}
# goes_on PID NUMBER: it writes so many of its 2048 pages from now on.
goes_on() {
	timeout 30 python3 - "$1" "$2" "$mapping" <<'EOF'
import os, sys, time
pid, nr, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3], 16)
memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
before = os.pread(memory, 8 << 20, start)[::4096]
while sum(a != b for a, b in zip(before, os.pread(memory, 8 << 20, start)[::4096])) < nr:
    time.sleep(0.01)
EOF
}
# holds EXPRESSION: of `head`, `epochs`, `runs` and `summary`, which the last run printed as JSON; `start`: of the mapping.
holds() {
	python3 - "$1" "$mapping" <<'EOF'
import json, sys
rows = [json.loads(line) for line in open("out") if line.endswith("}\n")]
head, start = rows[0], int(sys.argv[2], 16)
epochs = [row for row in rows if "epoch" in row]
runs = [(int(row["start"], 16), int(row["end"], 16)) for row in rows if "certainty" in row]
runs = [(s, e) for s, e in runs if s < start + (32 << 20) and e > start]
summary = rows[-1].get("summary")
growth = [b["faults"] - a["faults"] for a, b in zip(epochs, epochs[1:])]
if not eval(sys.argv[1]):
    sys.exit(f"faults {[row['faults'] for row in epochs]}, runs {runs[:3]}, summary {summary}")
EOF
}

# What is said.
log -n 3 -i 200ms --verify --pins none -p "$busy"
expect 'E2_a_table_of_listed_writes' 0 'note: first writes to large private memory wait until they are listed'
check 'has a row for each epoch' sh -c 'test "$(grep -c "; cost " out)" = 3'
check 'says how many waited' grep -Eq '^[0-9,]+ writes waited to be listed, the longest for [0-9.]+ .?s$' out
check 'and that none was lost' grep -Eq '^verified: [0-9,]+ pages compared, 0 lost$' out
check 'in 80 columns' sh -c '! grep -Eq "^.{81}" out'
log -n 4 -i 300ms --json --runs --verify -p "$busy"
expect 'JSON of four epochs' 0 "watching what process $busy \(cli-busy\) writes, every 300 ms"
check 'is what the process does' python3 judge.py out "$mapping"
check 'E2_the_list_holds_what_is_written_and_no_more' holds \
	'head["backend"] == "uffd_log" and 2048 <= epochs[0]["faults"] and min(growth) > 0 and summary["faults"] <= 5 * 2048 + 100'
check 'with what the writers bore' holds \
	'all(row["max_stall_us"] >= 0 and row["throttled_us"] == 0 for row in epochs + [summary]) and summary["max_stall_us"] > 0'

# In pieces.
log -q -n 3 -i 200ms --json --runs --verify --granularity 2MiB -p "$busy"
expect 'pieces of 2 MiB' 0 ''
check 'E5_runs_are_whole_pieces_of_2_mib' holds \
	'len(runs) >= 3 and all(a % (2 << 20) == 0 or a in (start, start + (32 << 20)) for run in runs for a in run)'
check 'E5_one_write_waits_for_a_whole_piece' holds 'start % (2 << 20) or 4 <= summary["faults"] <= 4 * 4 + 16'
log -q -n 3 -i 200ms --json --runs --verify --granularity 64KiB -p "$busy"
check 'E5_runs_are_whole_pieces_of_64_kib' holds \
	'len(runs) >= 3 and all(a % (64 << 10) == 0 or a in (start, start + (32 << 20)) for run in runs for a in run)'

# huge_bytes PID: of its memory, so much is mapped by huge pages.
huge_bytes() {
	awk '/^AnonHugePages:/ { kb += $2 } END { print kb * 1024 }' "/proc/$1/smaps"
}
start "$BUSY" huge
huge=$pid
await grep -qx cli-busy "/proc/$huge/comm"
await_mapping_of "$huge" >/dev/null
bytes=$(huge_bytes "$huge")
if [ "$bytes" != 0 ]; then
	log -q -n 3 -i 200ms --json --verify --granularity 2MiB -p "$huge"
	check 'E5_huge_pages_stay_whole_at_2_mib' test "$code" = 0 -a "$(huge_bytes "$huge")" = "$bytes"
	check 'which is said' holds 'all(row["huge_lost_bytes"] == 0 for row in epochs + [summary])'
	log -q -n 3 -i 200ms --json --verify -p "$huge"
	check 'at 4 KiB they are split, which is said' holds 'summary["huge_lost_bytes"] > 0'
else
	echo "# no huge page to be had"
fi

# Held back.
log -q -n 3 -i 300ms --json --verify --throttle 4MiB -p "$busy"
expect 'a throttle' 0 ''
check 'E3_writers_that_were_held_back_are_said' holds \
	'epochs[0]["throttled_us"] > 0 and summary["throttled_us"] > epochs[0]["throttled_us"]'
log -q -n 1 -i 300ms --throttle 4MiB -p "$busy"
check 'in words, too' grep -Eq '^writers were held back for .* in all$' out
# No writer would go on within an hour by the throttle alone.
log -q -n 3 -i 500ms --json --verify --throttle 1 --max-stall 20ms -p "$busy"
check 'E3_none_waits_for_longer_than_max_stall' holds 'min(growth) >= 2'

# What does not work here.
run env TIDEMARK_FAULT=no-pagemap-scan "$TIDEMARK" watch --backend uffd_log -n 1 -p "$busy"
expect 'a kernel that cannot' 3 'no PAGEMAP_SCAN: uffd_log needs Linux 6.7'
chmod 755 .
install -m 755 "$BUSY" busy-copy
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all'
if [ "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 0 ]; then
	# shellcheck disable=SC2086 # words
	start $nobody ./busy-copy
	await grep -qx busy-copy "/proc/$pid/comm"
	# shellcheck disable=SC2086
	run $nobody "$TIDEMARK" watch --backend uffd_log -n 1 -i 10ms -p "$pid"
	expect 'without privileges, and the way out' 3 'CAP_SYS_PTRACE, access to /dev/userfaultfd, or vm.unprivileged_userfaultfd=1'
fi

# watch_in_background OPTION...: until a writer of $busy waits, and will for a minute: the throttle lets nobody go.
watch_in_background() {
	: >out
	"$TIDEMARK" watch --backend uffd_log -i 100ms -p "$busy" "$@" >out 2>err </dev/null &
	pid=$!
	started="$started $pid"
	await grep -q '"epoch":2,' out
}
waiting='--json --throttle 1 --max-stall 60s'
for signal in INT TERM; do
	# shellcheck disable=SC2086 # words
	watch_in_background $waiting
	check 'two helpers are there' test "$(ours | wc -l)" = 3
	check 'and a writer waits' holds 'growth[-1] <= 1'
	kill -$signal "$pid"
	wait "$pid"
	code=$?
	expect "SIG$signal while a writer waits" 0 'interrupted; watched'
	check 'the process is as it was found' left_alone "$busy"
	check 'E2_the_writer_goes_on_after_an_orderly_end' goes_on "$busy" 1024
	check 'no helper is left' await nobody_left
done
# shellcheck disable=SC2086
watch_in_background $waiting
kill -KILL "$pid"
wait "$pid" 2>/dev/null
check 'E2_the_writer_goes_on_when_tidemark_is_killed' goes_on "$busy" 1024
check 'the helpers end by themselves' await nobody_left
check 'the process is as it was found' await left_alone "$busy"

# What is written meanwhile is listed without tidemark, and told later.
watch_in_background --json --verify --throttle 1MiB --max-stall 60s
kill -STOP "$pid"
await grep -q '^State:.T' "/proc/$pid/status"
nr=$(grep -c '"epoch":' out)
sleep 1
check 'E2_writers_go_on_while_tidemark_is_stopped' goes_on "$busy" 64
check 'though nothing is said meanwhile' test "$(grep -c '"epoch":' out)" -le $((nr + 1))
kill -CONT "$pid"
has_gone_on() {
	test "$(grep -c '"epoch":' out)" -ge $((nr + 3))
}
await has_gone_on
kill -INT "$pid"
wait "$pid"
code=$?
expect 'tidemark stopped for a second' 0 ''
check 'what they wrote is told later' holds 'max(growth) >= 64'
check 'and nothing is lost' holds 'summary["lost_pages"] == 0 and summary["verified_pages"] > 0'

# Its end, while a writer waits, and otherwise.
start "$BUSY"
await_mapping_of "$pid" >/dev/null
until_seen KILL "$pid" -n 100000 --backend uffd_log --throttle 1 --max-stall 60s
expect 'E2_a_process_that_exits_while_it_waits' 4 'exited.*; watched .* epochs'
check 'what was seen is summed up' grep -q '^cli-busy .* written in' out
start "$BUSY"
await_mapping_of "$pid" >/dev/null
until_seen TERM "$pid" --backend uffd_log
expect 'its end is the end' 0 'exited.*; watched .* epochs'
start sh -c 'trap "exec sleep 100" USR1; while :; do sleep 0.1; done'
await grep -qx sh "/proc/$pid/comm"
until_seen USR1 "$pid" -n 100000 --backend uffd_log --verify
expect 'another program is another target' 4 'executed another program'
"$TIDEMARK" watch --backend uffd_log -q -i 10ms -p "$busy" 2>err | head -n 1 >/dev/null
check 'a reader that leaves ends it' test "${PIPESTATUS[0]}" = 0 -a ! -s err
check 'the process is as it was found' await left_alone "$busy"
check 'and goes on' goes_on "$busy" 1024
check 'no helper is left of all these' await nobody_left
started="$started $(ours)"
finish
