#!/bin/bash
# SPDX-License-Identifier: MIT
# What can be said wrongly: each gets a sentence and its exit status. Needs no kernel powers and touches no process.
. "$(dirname "$0")/lib.sh"

# A process that is there, and is not touched: everything below is refused first.
me=$$

# Verbs.
refused 2 '^Usage: tidemark VERB'
refused 2 "no verb 'recrod': did you mean 'record'\?" recrod
refused 2 "no verb 'rep': did you mean 'report'\?" rep
refused 2 "no verb 'xyzzy': \"tidemark help\" lists them" xyzzy
refused 2 "no verb ''" ''
refused 2 "no verb '--foo'" --foo
refused 2 "no verb 'wsss': did you mean 'wss'" help wsss
refused 2 "unexpected word 'more'" help record more

# Whom.
refused 2 'nothing to watch: name a process with -p, or a command after --' record
refused 2 'nothing to watch: name a process with -p, or a command after --' record --
refused 2 'nothing to watch: name a process with -p' wss
refused 2 "option requires an argument -- 'p'" record -p
refused 2 "'0' is not a process ID: at least 1" record -p 0
refused 4 "no process is called '1\.5-nobody': it may have exited" record -p 1.5-nobody
refused 4 "no process is called '-5nobody'" record -p -5nobody
refused 4 "no process is called 'nobody-at-all-is-called-so'" wss -p "$me,nobody-at-all-is-called-so"
refused 2 "'nobody' is named twice" wss -p nobody,nobody
refused 2 "'' is not a process ID" record -p "$me,"
refused 2 "'99999999999' is not a process ID: at most" record -p 99999999999
refused 2 "process $me is named twice" record -p "$me,$me"
refused 2 "process $me is named twice" record -p "$me" --pid "$me"
refused 2 'both -p and a command' record -p "$me" -- true
refused 2 "unexpected word 'sleep': a command to run comes after --" record sleep 1
refused 2 "unexpected word 'foo'" wss -p "$me" foo

# Options.
refused 2 "unrecognized option '--frobnicate'" record --frobnicate -p "$me"
refused 2 "invalid option -- 'Z'" record -Z -p "$me"
refused 2 'see "tidemark help record"' record --frobnicate
refused 2 "unrecognized option '--output'" watch --output x -p "$me"
refused 2 "doesn't allow an argument" record --quiet=yes -p "$me"

# Times.
refused 2 '--sampling: 0 is no time at all' record -p "$me" -s 0
refused 2 '--aggregation: 0 is no time at all' record -p "$me" -a 0ms
refused 2 '--update: 0 is no time at all' record -p "$me" -u 0
refused 2 '--duration: 0 is no time at all' record -p "$me" -d 0
refused 2 "--sampling: '5' lacks a unit: write 5ms or 5s" record -p "$me" -s 5
refused 2 "--sampling: '5parsecs' has no unit of time that is known" record -p "$me" -s 5parsecs
refused 2 "--duration: 'soon' is not a duration" record -p "$me" -d soon
refused 2 "--duration: '-1s' is not a duration" record -p "$me" -d -1s
refused 2 "--duration: '1000000d' is longer than a hundred years" wss -p "$me" -d 1000000d
refused 2 'duration of 50 ms is shorter than one aggregation interval of 100 ms' record -p "$me" -d 50ms
refused 2 'aggregation.*sampling|sampling.*aggregation' record -p "$me" -s 10ms -a 5ms
refused 2 'update.*aggregation|aggregation.*update' record -p "$me" -a 2s -u 1s

# Regions and ranges.
refused 2 "--regions: '5..2' has its smaller number last" record -p "$me" --regions 5..2
refused 2 "--regions: 'x' is not MIN..MAX" record -p "$me" --regions x
refused 2 "--regions: '..5' is not MIN..MAX" record -p "$me" --regions ..5
refused 2 "--regions: '5..' is not MIN..MAX" record -p "$me" --regions 5..
refused 2 "--regions: 'x' is not a number of regions" record -p "$me" --regions x..5
refused 2 "--regions: '2..5' allows too few: at least 3" record -p "$me" --regions 2..5
refused 2 "--regions: '9999999' is not a number of regions: at most" record -p "$me" --regions 3..9999999
refused 2 "--range: 'x' is not START-END" record -p "$me" --range x
refused 2 "--range: '1000-' is not START-END" record -p "$me" --range 1000-
refused 2 "--range: '2000-1000' is an empty range" record -p "$me" --range 2000-1000
refused 2 "--range: '0x1000-0x2001' does not begin and end at pages" record -p "$me" --range 0x1000-0x2001
refused 2 "--range: '1000-11111111111111111' is not START-END" record -p "$me" --range 1000-11111111111111111
refused 2 '--range needs a single process' record -p "$me,1" --range 1000-2000
refused 2 '--range needs a single process' wss -p "$me,1" --range 1000-2000
refused 2 '--range needs a single process, so not --children' wss -p "$me" --children --range 1000-2000
refused 2 '--sensor: the argument is empty' record -p "$me" --sensor ''
refused 2 "--seed: 'x' is not a seed" record -p "$me" --seed x
refused 2 'no such sensor|no sensor' record -p "$me" --sensor nonsense

# Tuning.
refused 2 'not to be tuned: ask for auto-tuning too' record -p "$me" --goal 5
refused 2 'not to be tuned: ask for auto-tuning too' record -p "$me" --bounds 5ms..1s
refused 2 "--goal: '0' is not a share of all accesses: give a percentage" record -p "$me" --auto-tune --goal 0
refused 2 "--goal: '100%' is not a share" record -p "$me" --auto-tune --goal 100%
refused 2 "--goal: 'nan' is not a share" record -p "$me" --auto-tune --goal nan
refused 2 "--goal: '5%%' is not a share" record -p "$me" --auto-tune --goal 5%%
refused 2 "--goal: '0x5' is not a share" record -p "$me" --auto-tune --goal 0x5
refused 2 "--bounds: '5ms' is not MIN..MAX: write it like 5ms..1s" record -p "$me" --auto-tune --bounds 5ms
refused 2 "--bounds: '5' lacks a unit" record -p "$me" --auto-tune --bounds 5..10ms
refused 2 "--bounds: '1s..5ms' has its shorter time last" record -p "$me" --auto-tune --bounds 1s..5ms
refused 2 '--bounds: 0 is no time at all' record -p "$me" --auto-tune --bounds 0ms..5ms
refused 2 '1000 us is outside the bounds of its tuning, 5000 to 10000000 us' record -p "$me" --auto-tune -s 1ms
refused 2 "unrecognized option '--auto-tune'" watch -p "$me" --auto-tune

# Pages.
refused 2 'nothing to look at: name a process with -p' pages
refused 2 'one process at a time' pages -p "$me,1"
refused 2 "--all-of: there is no category 'presnt': did you mean 'present'\?" pages -p "$me" --all-of presnt
refused 2 "--any-of: there is no category 'zzzzz': \"tidemark help pages\" lists them" pages -p "$me" --any-of zzzzz
refused 2 "--returned: there is no category ''" pages -p "$me" --returned present,
refused 2 '--inverted file changes nothing' pages -p "$me" --all-of present --inverted file
refused 2 '--summary counts all categories' pages -p "$me" --summary --all-of present
refused 2 "--limit: '0' is not a number of rows: at least 1" pages -p "$me" --limit 0
refused 2 "--range: 'x' is not START-END" pages -p "$me" --range x
refused 2 'no process has memory at the addresses of --range' pages -p "$me" --range ffffffffff600000-ffffffffff601000

# Watching.
refused 2 'nothing to watch: name a process with -p' watch
refused 2 'one process at a time' watch -p "$me,1"
refused 2 "--interval: '1' lacks a unit: write 1ms or 1s" watch -p "$me" -i 1
refused 2 '--interval: 0 is no time at all' watch -p "$me" -i 0s
refused 2 "--count: '0' is not a number of epochs: at least 1" watch -p "$me" -n 0
refused 2 "--count: 'x' is not a number of epochs" watch -p "$me" -n x
refused 2 "--top: '0' is not a number of mappings" watch -p "$me" --top 0
refused 2 "--pins: 'x' is not one of auto, walker, fdinfo and none" watch -p "$me" --pins x
refused 2 "--range: 'x' is not START-END" watch -p "$me" --range x
refused 2 "--backend: 'x' is not one of uffd_async, uffd_log and soft_dirty" watch -p "$me" --backend x
for size in 3KiB 2KiB 4MiB 0; do
	refused 2 "--granularity: '$size' is not a power of two from 4KiB to 2MiB" watch -p "$me" --backend uffd_log --granularity $size
done
refused 2 "--max-stall: '5' lacks a unit: write 5ms or 5s" watch -p "$me" --backend uffd_log --max-stall 5
refused 2 '--max-stall: 0 is no time at all' watch -p "$me" --backend uffd_log --max-stall 0s
refused 2 '--throttle: 0 bytes are no size' watch -p "$me" --backend uffd_log --throttle 0
refused 2 '--granularity is for --backend uffd_log only: ask for that' watch -p "$me" --backend uffd_async --granularity 64KiB
refused 2 '--max-stall is for --backend uffd_log only: ask for that' watch -p "$me" --max-stall 5ms
refused 2 '--throttle is for --backend uffd_log only: .* or leave --throttle out' watch -p "$me" --backend soft_dirty --throttle 1MiB

# Reports.
refused 2 'a word is missing: report REPORT FILE' report
refused 2 'a word is missing: report REPORT FILE' report heatmap
refused 2 "no report 'heatmpa': did you mean 'heatmap'\?" report heatmpa file.db
refused 2 "no report 'zzz': \"tidemark help report\" lists them" report zzz file.db
refused 2 "unexpected word 'more'" report heatmap file.db more
refused 2 'last and --all contradict' report wss --last 5 --all file.db
refused 2 'last and --all contradict' wss -p "$me" --last 5 --all
refused 2 "--width: '5' is not a width in columns: at least 20" report heatmap --width 5 file.db
refused 2 "--width: 'x' is not a width in columns" report heatmap --width x file.db
refused 2 "--color: 'pink' is not one of auto, always and never" report heatmap --color pink file.db
refused 2 "--top: '0' is not a number of regions: at least 1" report regions --top 0 file.db
refused 2 'ages tells nothing of writes, only wss, heatmap and regions do: leave --writes out' report ages --writes file.db
refused 2 'info tells nothing of writes' report info --writes file.db
refused 2 'ages tells nothing of writes' ages --writes -p "$me"
refused 2 "doesn't allow an argument" wss --writes=yes -p "$me"
refused 2 "unrecognized option '--writes'" pages --writes -p "$me"
refused 1 'missing.db' report info missing.db
echo 'this is no record' >foreign.txt
refused 1 'foreign.txt' report info foreign.txt
refused 1 '' report info "$dir"

# Where to: asked before a process is looked at, so that the missing one is not what is complained of.
refused 1 'cannot record to nowhere/x.db: No such file or directory' record -o nowhere/x.db -p 2147483647
refused 2 'is not a regular file' record -o "$dir" -p 2147483647
refused 2 'is not a regular file' record -o /dev/null -p 2147483647
refused 2 'foreign.txt exists and is not a record' record -o foreign.txt -p 2147483647
refused 2 'the argument is empty' record -o '' -p "$me"
check 'a foreign file is left as it was' grep -qx 'this is no record' foreign.txt
if [ "$(id -u)" = 0 ]; then
	run unshare -m sh -c 'mkdir ro && mount -t tmpfs -o ro none ro && exec "$0" record -o ro/x.db -p 2147483647' "$TIDEMARK"
	expect 'a read-only place is refused' 1 'cannot record to ro/x.db: Read-only file system'
	rmdir ro
fi

# Help is data: it goes to standard output, and a place that takes no more is told.
run "$TIDEMARK" --version
expect 'tidemark --version' 0 ''
check 'the version is one line' grep -Eqx 'tidemark [0-9]+\.[0-9]+\.[0-9]+' out
run "$TIDEMARK" help
same_as_golden help.txt
for form in --help -h; do
	cp out before
	run "$TIDEMARK" "$form"
	check "tidemark $form is tidemark help" cmp before out
done
for verb in heatmap wss regions ages watch record report pages verify help; do
	run "$TIDEMARK" help "$verb"
	same_as_golden "help-$verb.txt"
	cp out before
	run "$TIDEMARK" "$verb" --help
	check "tidemark $verb --help is tidemark help $verb" cmp before out
	check "no line of it is wider than 80" sh -c '! grep -Eq "^.{81}" out'
done
"$TIDEMARK" help record >/dev/full 2>err
code=$?
: >out
expect 'a full standard output is told' 1 'cannot write to standard output: No space left on device'
check 'nothing was left behind' sh -c '! ls | grep -Ev "^(out|err|before|foreign.txt|check.log|diff.log)$"'
finish
