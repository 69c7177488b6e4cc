#!/bin/bash
# SPDX-License-Identifier: MIT
# Whom the program means: processes by name, and what they start. And intervals that tune themselves. Needs root and a sensor
# that works here. $BUSY: a program to watch.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all 'recording needs root'
run "$TIDEMARK" record -q -d 300ms -o probe.db -- sleep 5
[ "$code" = 3 ] && skip_all "no sensor works here: $(head -n 1 err)"

# nr_targets FILE: how many a record has; names FILE: what they are called.
names() {
	"$TIDEMARK" report info --json "$1" | python3 -c 'import json, sys
for row in map(json.loads, sys.stdin):
    if "target" in row: print(row["name"])'
}
nr_targets() {
	names "$1" | wc -l
}

# Names that nobody else on this machine has.
short=tm-$$
long=tidemark-busy-$$-long
cp "$BUSY" "$short" && cp "$BUSY" "$long" && cp "$TIDEMARK" "tm-self-$$" || exit 1
start "./$short"
one=$pid
start "./$long"
sleep 0.3

# By name.
run "$TIDEMARK" record -d 500ms -o n.db -p "$short"
expect 'a process by its name' 0 "of process $one \($short\)"
run "$TIDEMARK" record -d 500ms -o n.db -p "$long"
expect 'by a name that the kernel cuts' 0 "of process $pid "
run "$TIDEMARK" record -d 500ms -o n.db -p "${long}er"
expect 'whose rest counts' 4 "no process is called '${long}er'"
run "$TIDEMARK" pages -p "$short" --summary
expect 'pages of a process by its name' 0 ''
run "$TIDEMARK" watch -p "$short" -n 1 -i 100ms
expect 'writes of a process by its name' 0 ''
start "./$short"
sleep 0.3
run "$TIDEMARK" record -d 500ms -o n.db -p "$short"
expect 'all that have the name' 0 'of 2 processes'
run "$TIDEMARK" wss -d 500ms -p "$short,$one"
expect 'each of them once' 0 'of 2 processes'
for verb in pages watch; do
	run "$TIDEMARK" "$verb" -p "$short"
	expect "$verb takes one, and lists them" 2 "one process at a time: give one of the numbers .*($one.*$pid|$pid.*$one)"
done
run "$TIDEMARK" pages -p "${short}x"
expect 'a name that is nearly right' 4 "no process is called '${short}x': did you mean '$short'\?"
run "$TIDEMARK" record -o x.db -p kthreadd
expect 'no kernel threads' 4 "no process is called 'kthreadd'"
run "./tm-self-$$" pages -p "tm-self-$$"
expect 'not ourselves' 4 "no process is called 'tm-self-$$'"
cp "$BUSY" 2147483646
start ./2147483646
sleep 0.2
run "$TIDEMARK" record -o x.db -p 2147483646
expect 'a number is a number, whatever is called so' 4 'process 2147483646'

# Children.
run "$TIDEMARK" record -o c.db -u 100ms --children -- sh -c 'sleep 3 & sleep 4 & wait'
expect 'what a command starts' 0 'recorded .* of process [0-9]+ \(sh\) and what it started \([2-9] more\)'
check 'is in the record, each with its name' test "$(names c.db | grep -c sleep)" -ge 2
run "$TIDEMARK" report wss --all c.db
expect 'and in its reports' 0 ''
check 'each by itself' test "$(grep -c '^sleep (pid' out)" -ge 2
run "$TIDEMARK" record -o c.db -u 100ms -- sh -c 'sleep 1 & sleep 1 & wait'
expect 'when it is asked for' 0 'of process [0-9]+ \(sh\): '
check 'only' test "$(nr_targets c.db)" = 1
run "$TIDEMARK" record -o e.db -u 100ms --children -- sh -c 'sleep 1; exec sleep 3'
expect 'a program that is executed is followed' 0 '\(sleep\) has exited; recorded'
check 'as a target with its name' test "$(names e.db | tail -n 1)" = sleep
start sh -c 'for i in $(seq 70); do sleep 60 & done; wait'
many=$pid
sleep 1
run "$TIDEMARK" wss -d 5 --json -p "$many" --children
expect 'at most 64 at a time' 0 'and what it started \(63 more\)'
check 'which is said' grep -Eq 'note: 7 that were started are not in it: 64 processes are watched' err
for child in $(pgrep -P "$many"); do kill -KILL "$child"; done

# Tuned intervals.
run "$TIDEMARK" record -d 4 -o t.db --auto-tune --goal 90% --bounds 2ms..8ms -s 2ms -p "$one"
expect 'intervals that are tuned' 0 'samples in t.db'
run "$TIDEMARK" report info t.db
check 'to what' grep -Eq '^tuned  *to see 90 % of all possible accesses; sampling 2 ms to 8 ms$' out
check 'and how it ended' grep -Eq '^ *at the end sampling 8 ms, aggregation 160 ms$' out
run "$TIDEMARK" wss -d 1 --auto-tune -p "$one"
expect 'a one-shot too' 0 'watched '
check 'which says what its intervals were' sh -c "tr '\\n' ' ' <out | grep -Eq 'intervals of [0-9]+ ms on average'"
finish
