#!/bin/bash
# SPDX-License-Identifier: MIT
# Recording for real: how it begins, all the ways in which it ends, and what is left afterwards. Needs root and a sensor that
# works here. $BUSY: a program to watch; $TINY32: a 32-bit one, empty where none could be built.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all 'recording needs root'
run "$TIDEMARK" record -q --sensor walk -d 300ms -o probe.db -- sleep 5
[ "$code" = 3 ] && skip_all "no sensor works here: $(head -n 1 err)"
expect 'a command is recorded' 0 ''
check '-q is quiet' test ! -s err
rm -f probe.db

# complete FILE: it says of itself that it was closed in order.
complete() {
	"$TIDEMARK" report info --json "$1" | grep -Eq '"complete": ?(1|true)'
}

all_json() {
	python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
sys.exit(not rows or rows[0].get("schema") != "tidemark/1")' "$1"
}

# Whom.
run "$TIDEMARK" record -o x.db -p 2147483647
expect 'no such process' 4 'process 2147483647'
run "$TIDEMARK" record -o x.db -p 2
expect 'a kernel thread' 2 'kernel thread'
check 'no file for nobody' test ! -e x.db

# An end in time.
start "$BUSY"
busy=$pid
run "$TIDEMARK" record -d 1 -o a.db -p "$busy"
expect 'the duration ends it' 0 "recorded .* of process $busy .* samples in a.db"
check 'words only on standard error' test ! -s out
check 'the file is complete' complete a.db
check 'the process lives on' kill -0 "$busy"
check 'SQLite left nothing beside it' sh -c '! ls a.db-* 2>/dev/null'
run "$TIDEMARK" record -d 1 -o a.db -p "$busy"
expect 'a record is replaced' 0 'samples in a.db'
start "$BUSY"
run "$TIDEMARK" record -d 1 -o two.db -p "$busy,$pid"
expect 'two processes at once' 0 'of 2 processes'
range=$(awk '$2 ~ /^rw/ && $6 == "" { print $1; exit }' "/proc/$busy/maps")
run "$TIDEMARK" record -d 500ms -o range.db --range "$range" --regions 3..20 --seed 7 --unguided -s 2ms -a 50ms -u 500ms -p "$busy"
expect 'all the knobs' 0 'samples in range.db'
run "$TIDEMARK" record --progress -d 2500ms -o p.db -p "$busy"
expect 'progress in lines where there is no terminal' 0 '^tidemark: [12]\.[0-9] s: [0-9]+ samples, [0-9]+ regions; cost .* CPU; .* unobservable; longest hold'

# The reports.
for report in heatmap wss regions ages info; do
	run "$TIDEMARK" report "$report" a.db
	expect "report $report" 0 ''
	check "report $report prints something" test -s out
	check "report $report says nothing else" test ! -s err
	run "$TIDEMARK" report "$report" --all --json a.db
	check "report $report --json is JSON with a schema" all_json out
	"$TIDEMARK" report "$report" --all --json a.db 2>err | true
	check "report $report into a closed pipe is no failure" test "${PIPESTATUS[0]}" = 0 -a ! -s err
	run sh -c '"$1" report "$2" a.db >/dev/full' - "$TIDEMARK" "$report"
	expect "report $report into a full device is told" 1 'No space left|could not be written'
done
for report in heatmap wss regions ages; do
	duration=500ms
	[ "$report" != ages ] || duration=2200ms # every page, once a second
	run "$TIDEMARK" "$report" -d "$duration" --json -p "$busy"
	expect "tidemark $report at once" 0 'watched .* samples; cost'
	check "tidemark $report --json is JSON with a schema" all_json out
done
run "$TIDEMARK" record --exact -a 500ms -d 2 -o exact.db -p "$busy"
expect 'every page is looked at, and how it was forgotten is said' 0 'samples in exact.db .*; forgot by '
run "$TIDEMARK" report wss exact.db
check 'the working set says that it is exact' grep -q 'exact: every page' out
run "$TIDEMARK" report ages exact.db
check 'ages are of what is present' grep -q 'present' out
run "$TIDEMARK" wss --way cold -d 1 -p "$busy"
expect 'a way without exact mode is refused' 2 '--way says how --exact forgets'
run "$TIDEMARK" wss --exact -s 5ms -d 2 -p "$busy"
expect 'a sampling interval for exact mode is refused' 2 'no sampling interval'
run "$TIDEMARK" wss --exact --way refs --max-stall 1us -d 3 -p "$busy"
expect 'a stall that is too long is refused' 2 'give it more with --max-stall'

for report in heatmap wss; do
	run "$TIDEMARK" "$report" -d 500ms -o live.png -p "$busy"
	expect "tidemark $report -o draws at once" 0 'watched .* samples; cost .*; drawn in live.png'
	check 'and prints nothing' test ! -s out
	check 'into a PNG' test "$(head -c 4 live.png | tail -c 3)" = PNG
	rm -f live.png
done

# Ends that the process makes.
start sleep 3
run "$TIDEMARK" record -o b.db -p "$pid"
expect 'its end is the end when no duration was given' 0 'has exited; recorded'
check 'and the file is complete' complete b.db
start sleep 3
run "$TIDEMARK" record -d 20 -o c.db -p "$pid"
expect 'gone before the duration was over' 4 'has exited; recorded .*20.0 s were asked for.* in c.db'
check 'and the file is complete all the same' complete c.db
start sh -c 'sleep 3; exec sleep 60'
run "$TIDEMARK" record -d 20 -o d.db -p "$pid"
expect 'another program is another target' 4 'executed another program.*; recorded'
check 'and the file is complete once more' complete d.db
start sleep 3
run "$TIDEMARK" wss -d 20 -p "$pid"
expect 'a one-shot prints what it has' 4 'has exited; watched'
check 'which is something' test -s out
start sleep 0.02
run "$TIDEMARK" record -o none.db -p "$pid"
expect 'nothing seen' 4 ''
check 'leaves no file' test ! -e none.db

# Commands.
run "$TIDEMARK" record -o e.db -- sh -c 'echo to the user; sleep 2; exit 3'
expect 'the end of a command is the natural one' 0 'the command exited with status 3'
check 'its output is its own' grep -qx 'to the user' out
run "$TIDEMARK" record -d 500ms -o f.db -- sh -c 'trap "echo ended; exit" TERM; while :; do sleep 0.1; done'
expect 'a command is ended when the time is over' 0 'recorded'
check 'by SIGTERM' grep -qx ended out
run "$TIDEMARK" record -o g.db -- ./nonsense
expect 'a command that is not there' 2 'cannot run ./nonsense: No such file or directory'
run "$TIDEMARK" record -o g.db -- /etc/passwd
expect 'a command that is no program' 2 'cannot run /etc/passwd: Permission denied'
check 'neither leaves a file' test ! -e g.db
run "$TIDEMARK" record -o h.db -- sh -c 'sleep 0.4; grep -E "^Sig(Blk|Ign)" /proc/self/status'
cp out signals
run grep -E '^Sig(Blk|Ign)' /proc/self/status
cp out own
check 'a command gets its signals as they were' cmp signals own

# Signals. One that is ignored stays so, as under nohup: here none is.
for signal in INT TERM HUP; do
	rm -f s.db
	start env --default-signal="$signal" "$TIDEMARK" record -o s.db -p "$busy"
	await s.db
	kill -$signal "$pid"
	wait "$pid"
	code=$?
	check "SIG$signal is an orderly end" test "$code" = 0
	check "the file is complete after SIG$signal" complete s.db
done
start "$TIDEMARK" record -s 1ms -a 20ms -u 200ms -o k.db -p "$busy"
await test -e k.db
sleep 2.5
kill -KILL "$pid"
wait "$pid" 2>/dev/null
run "$TIDEMARK" report info k.db
expect 'a record is readable after SIGKILL' 0 ''
check 'which says that it is not complete' sh -c '! "$0" report info --json k.db | grep -Eq "\"complete\": ?(1|true)"' "$TIDEMARK"
check 'the process lives on' kill -0 "$busy"

# Places that fail.
run unshare -m sh -c 'mkdir m && mount -t tmpfs -o size=64k none m && "$0" record -d 20 -s 1ms -a 5ms -u 100ms -o m/x.db -p "$1"' \
	"$TIDEMARK" "$busy"
expect 'a full disk ends it' 1 'full|No space left'
for size in 4k 8k 16k 24k 32k; do
	run unshare -m sh -c 'mount -t tmpfs -o size=$2 none m && "$0" record -d 1 -o m/x.db -p "$1"
		code=$?; ls m; exit $code' "$TIDEMARK" "$busy" $size
	if [ "$code" != 0 ] && grep -q 'samples in' err; then
		ok "a disk of $size holds some samples, and the file with them"
	else
		expect "a disk of $size is too small" 1 'full|No space left'
		check "and nothing is left on it" test ! -s out
	fi
done
echo 'not ours' >foreign
run "$TIDEMARK" record -d 1 -o foreign -p "$busy"
expect 'a foreign file is refused' 2 'foreign exists and is not a record'
check 'and left alone' grep -qx 'not ours' foreign
head -c 3000 a.db >cut.db
run "$TIDEMARK" report info cut.db
expect 'a truncated record is told' 1 'cut.db'

# Powers that lack.
install -m 755 "$TIDEMARK" "$dir/tidemark-copy"
chmod 755 "$dir"
mkdir nobody && chown nobody nobody
run setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all --bounding-set=-all \
	"$dir/tidemark-copy" record -d 1 -o "$dir/nobody/x.db" -p "$busy"
expect 'nobody may not' 3 'run "tidemark doctor"'
check 'and leaves no file' test ! -e nobody/x.db
run env TIDEMARK_FAULT=no-bpf "$TIDEMARK" record --sensor walk -d 1 -o no.db -p "$busy"
expect 'no BPF' 3 'run "tidemark doctor"'
check 'no file without a sensor' test ! -e no.db

# What needs no powers: a process of one's own.
install -m 755 "$BUSY" "$dir/busy-copy"
unprivileged="setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all --bounding-set=-all"
start $unprivileged "$dir/busy-copy"
own=$pid
sleep 0.2
run $unprivileged "$dir/tidemark-copy" record -d 3 -o "$dir/nobody/own.db" -p "$own"
expect "one's own process is recorded without root" 0 'recorded 3.* [23] samples in .*own.db.*; forgot by refs, which made it wait'
check 'the reason says what a better sensor lacks' grep -Eq 'sensor "refs": sensor walk: .*CAP_.*; the best that works' err
check 'the file is complete' complete nobody/own.db
run "$TIDEMARK" report info nobody/own.db
expect 'it knows its sensor' 0 ''
check 'and its intervals' sh -c 'grep -q refs out && grep -Eq "1(\.0)? s" out'
run $unprivileged "$dir/tidemark-copy" wss -d 2 --json -p "$own"
expect 'a report at once' 0 'watched 2.* [12] samples'
check 'in JSON' all_json out
run $unprivileged "$dir/tidemark-copy" wss -d 500ms -p "$own"
expect 'too short for its interval' 2 'shorter than one aggregation interval of 1000 ms'
run $unprivileged "$dir/tidemark-copy" wss -d 500ms -s 50ms -a 100ms -p "$own"
expect 'unless other intervals are given' 0 'watched [45].* [2345] samples'
run $unprivileged "$dir/tidemark-copy" record -d 2 --max-stall 10us -o "$dir/nobody/no.db" -p "$own"
expect 'a stall that is too long is refused' 1 'MiB present: .*--max-stall [0-9]+ms'
check 'and leaves no file' test ! -e nobody/no.db

# 32 bits.
if [ -n "${TINY32:-}" ]; then
	start "$TINY32"
	sleep 0.2
	if kill -0 "$pid" 2>/dev/null && [ "$(head -c 5 "/proc/$pid/exe" | od -An -tx1 | tr -d ' ')" = 7f454c4601 ]; then
		run "$TIDEMARK" record -d 500ms -o t.db -p "$pid"
		expect 'a 32-bit program' 0 "note: process $pid is a 32-bit program"
	else
		echo "# this kernel runs no 32-bit programs"
	fi
fi

# What is left.
for pid in $started; do
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
done
check 'no store beside a record' sh -c '! ls | grep -E -- "-(wal|shm|journal)$" | grep -v "^k.db-"'
check 'no temporary file' sh -c '! ls "${TMPDIR:-/tmp}" | grep -i "^tidemark-store"'
finish
