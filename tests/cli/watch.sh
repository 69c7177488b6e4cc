#!/bin/bash
# SPDX-License-Identifier: MIT
# Watching writes for real: what is said of a process with a known pattern, whom it refuses, how it ends, and that the process is
# left as it was found. Needs root and write tracking. $BUSY writes the first 8 MiB of a 32 MiB mapping all the time.
. "$(dirname "$0")/lib.sh"
. "$here/watched.sh"

[ "$(id -u)" = 0 ] || skip_all 'reaching into other processes needs root'
start "$BUSY"
busy=$pid
sleep 0.2
run "$TIDEMARK" watch -q -n 1 -i 10ms -p "$busy"
[ "$code" = 3 ] && skip_all "writes cannot be tracked here: $(head -n 1 err)"
expect 'one epoch' 0 ''
check '-q is quiet' test ! -s err

mapping=$(mapping_of "$busy")
state "$busy" >before

# What is said.
run "$TIDEMARK" watch -n 4 -i 300ms --json --runs --verify -p "$busy"
expect 'JSON of four epochs' 0 "watching what process $busy \(cli-busy\) writes, every 300 ms"
check 'is what the process does' python3 judge.py out "$mapping"
for pins in walker fdinfo none; do
	run "$TIDEMARK" watch -q -n 1 -i 50ms --json --pins $pins -p "$busy"
	[ "$code" = 3 ] && [ $pins = walker ] && continue
	expect "--pins $pins" 0 ''
	check "--pins $pins is named" grep -q "\"pins\":\"$pins\"" out
done
check 'what is not looked for is named' grep -q '"blind":\["device-writes","references"\]' out
run "$TIDEMARK" watch -n 2 -i 100ms --verify --pins none -p "$busy"
expect 'a table' 0 ''
check 'has a row for each epoch' sh -c 'test "$(grep -c "; cost " out)" = 2'
check 'names what is not seen' grep -q 'not seen: device writes into pinned memory; direct I/O without pins' out
check 'and what was verified' grep -Eq '^ +verified [0-9,]+ pages, 0 lost$' out
check 'and the mappings' grep -q "anon $mapping" out
check 'and sums it up' grep -Eq "^cli-busy \(pid $busy\): .* written in .* s, 2 epochs:$" out
check 'with its rate' grep -Eq 'MiB/s on the average, .*MiB/s at most' out
check 'in 80 columns' sh -c '! grep -Eq "^.{81}" out'
run "$TIDEMARK" watch -q -n 2 -i 50ms --runs -p "$busy"
check 'runs are printed' grep -Eq "$mapping-[0-9a-f]+ +exact" out
end=$(printf '%x' $((0x$mapping + 4096)))
run "$TIDEMARK" watch -q -n 2 -i 200ms --json --range "$mapping-$end" -p "$busy"
check 'a range is watched alone' grep -q '"summary":.*"written_bytes":8192,' out
run "$TIDEMARK" watch -n 3 -i 1us -p "$busy"
expect 'work that takes longer than the interval is said' 0 'note: an epoch.s own work took .*, more than the interval of 1 us'
check 'once' sh -c 'test "$(grep -c "own work" err)" = 1'
start "$BUSY"
await grep -qx cli-busy "/proc/$pid/comm"
kill -STOP "$pid"
await grep -q '^State:.T' "/proc/$pid/status"
run "$TIDEMARK" watch -q -n 1 -i 10ms -p "$pid"
expect 'a process that stands still' 0 ''
check 'writes nothing' grep -Eq '^cli-busy \(pid [0-9]+\): 0 B written' out

# What devices write, seen and not seen.
"${DEVICE:?}" >device.out 2>device.err </dev/null &
device=$!
started="$started $device"
if await grep -q . device.out; then
	pinned=$(cat device.out)
	run "$TIDEMARK" watch -n 3 -i 100ms --verify --pins fdinfo -p "$device"
	expect 'pinned memory' 0 ''
	check 'is shown as pinned' grep -Eq '256 KiB (anon|[0-9]+ mapping)' out
	check 'with the reason' grep -Eq 'KiB pin +it is pinned for a device' out
	run "$TIDEMARK" watch -n 3 -i 100ms --verify --pins none -p "$device"
	expect 'a device write that nobody looked for is found' 1 '[0-9]+ changed pages were not reported: devices may have written them'
	check 'and named' grep -q "^LOST WRITE: 64 pages at $pinned in (anon) changed" out
	run "$TIDEMARK" watch -q -n 3 -i 100ms --verify --pins none --json -p "$device"
	check 'in JSON, too' sh -c 'grep -q "{\"lost_write\":{\"start\":" out && grep -Eq "\"lost_pages\":[1-9]" out'
else
	echo "# $(cat device.err)"
fi

# Where to.
"$TIDEMARK" watch -q -i 10ms -p "$busy" 2>err | head -n 1 >/dev/null
check 'a reader that leaves ends it' test "${PIPESTATUS[0]}" = 0 -a ! -s err
run sh -c '"$0" watch -q -n 1 -i 10ms -p "$1" >/dev/full' "$TIDEMARK" "$busy"
expect 'a full device is told' 1 'could not be written|No space left'

# Whom.
run "$TIDEMARK" watch -p 2147483647
expect 'no such process' 4 'process 2147483647'
run "$TIDEMARK" watch -p 2
expect 'a kernel thread' 2 'kernel thread'
sh -c 'sleep 0.01 & echo $! >zombie; exec sleep 100' &
started="$started $!"
await grep -q . zombie
await grep -q '^State:.Z' "/proc/$(cat zombie)/status"
run "$TIDEMARK" watch -p "$(cat zombie)"
expect 'a zombie' 4 'exited'
"$TIDEMARK" watch -i 60s -p "$busy" >/dev/null 2>first </dev/null &
first=$!
started="$started $first"
await grep -q 'watching what' first
run "$TIDEMARK" watch -n 2 -i 200ms --json --runs -p "$busy"
expect 'E6_a_second_watch_is_served_by_the_first' 0 "process $first watches this process already, and shares what it finds"
check 'and told of what is written' grep -Eq "^{\"start\":\"0x$mapping\",.*\"exact\"" out
run "$TIDEMARK" watch -n 1 --verify -p "$busy"
expect 'E6_who_cannot_be_served_is_told_by_whom_it_is_held' 1 "is watched by process $first"
kill -INT "$first"
wait "$first"
start "$BUSY"
traced=$pid
python3 -c 'import ctypes, sys, time
ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None)
time.sleep(100)' "$traced" &
tracer=$!
started="$tracer $started" # ended first: it would have to reap the other
await grep -q '^TracerPid:.[1-9]' "/proc/$traced/status"
run "$TIDEMARK" watch -n 1 -p "$traced"
expect 'a process that somebody traces' 1 "process $traced .* is traced by process $tracer"
if [ -n "${TINY32:-}" ]; then
	start "$TINY32"
	sleep 0.2
	if kill -0 "$pid" 2>/dev/null; then
		run "$TIDEMARK" watch -n 1 -p "$pid"
		expect 'a 32-bit program' 3 '32-bit'
	fi
fi
install -m 755 "$TIDEMARK" "$dir/tidemark-copy"
install -m 755 "$BUSY" "$dir/busy-copy"
chmod 755 "$dir"
drop='setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all --bounding-set=-all'
# shellcheck disable=SC2086 # words
run $drop "$dir/tidemark-copy" watch -n 1 -p "$busy"
expect 'not ours' 3 'run "tidemark doctor"'
# shellcheck disable=SC2086
$drop "$dir/busy-copy" >/dev/null 2>&1 &
own=$!
started="$started $own"
sleep 0.3
if [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ]; then
	# shellcheck disable=SC2086
	run $drop "$dir/tidemark-copy" watch -n 2 -i 100ms --verify -p "$own"
	expect 'ones own process without privileges' 0 'only io_uring.s buffers are known'
	check 'is watched all the same' grep -Eq 'written in .* 2 epochs:' out
fi

# Ends.
for signal in INT TERM; do
	start "$TIDEMARK" watch -i 60s -p "$busy"
	await grep -Eq '^VmFlags:.* uw( |$)' "/proc/$busy/smaps"
	kill -$signal "$pid"
	wait "$pid"
	code=$?
	check "SIG$signal is an orderly end" test "$code" = 0
done
"$TIDEMARK" watch -i 60s -p "$busy" >out 2>err </dev/null &
pid=$!
started="$started $pid"
await grep -q mapping out
kill -INT "$pid"
wait "$pid"
code=$?
expect 'an interrupt keeps what it has' 0 'interrupted; watched .*: 1 epochs'
check 'which is something' grep -Eq 'cli-busy .*MiB written' out
state "$busy" >after
check 'the process is as it was found' cmp before after
for _ in 1 2 3; do
	start "$TIDEMARK" watch -i 10ms -p "$busy"
	await grep -Eq '^VmFlags:.* uw( |$)' "/proc/$busy/smaps"
	sleep 0.1
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
done
check 'also after SIGKILL' await left_alone "$busy"
check 'and lives on' kill -0 "$busy"

start sleep 100
await grep -qx sleep "/proc/$pid/comm"
until_seen TERM "$pid"
expect 'its end is the end' 0 'exited.*; watched .* epochs'
start sleep 100
await grep -qx sleep "/proc/$pid/comm"
until_seen TERM "$pid" -n 100000
expect 'gone before the count was reached' 4 'exited.*; watched .* epochs'
check 'what was seen is summed up' grep -q '^sleep .* written in' out
start sh -c 'trap "exec sleep 100" USR1; while :; do sleep 0.1; done'
await grep -qx sh "/proc/$pid/comm"
until_seen USR1 "$pid" --verify -n 100000
expect 'another program is another target' 4 'executed another program'
finish
