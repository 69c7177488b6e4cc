#!/bin/bash
# SPDX-License-Identifier: MIT
# The pages of live processes, as a table, as JSON, summed up; and all that may be wrong. $BUSY holds 32 MiB that it wrote.
. "$(dirname "$0")/lib.sh"

start "$BUSY"
busy=$pid
for _ in $(seq 100); do
	size=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$busy/status")
	[ "${size:-0}" -ge 32768 ] && break
	sleep 0.05
done
# Its 32 MiB, which may have been joined with a neighbour: the largest private mapping.
range=$(awk '$2 == "rw-p" && $6 == "" { print $1 }' "/proc/$busy/maps" | while IFS=- read -r s e; do
	echo "$((0x$e - 0x$s)) $s-$e"
done | sort -n | tail -n 1 | cut -d ' ' -f 2)

# rows CONDITION: a Python condition on `head` and `rows`, the JSON lines of the last run.
rows() {
	python3 -c 'import json, sys
lines = [json.loads(line) for line in open("out")]
head, rows = lines[0], lines[1:]
assert head["schema"] == "tidemark/1"
number = lambda text: int(text, 16)
size = lambda row: number(row["end"]) - number(row["start"])
sys.exit(not ('"$1"'))'
}

# The list.
run "$TIDEMARK" pages -p "$busy"
expect 'a list' 0 "^tidemark: [0-9,]+ rows, [0-9.]+ MiB of process $busy \(cli-busy\), in "
check 'a heading' grep -Eq "^cli-busy \(pid $busy\): pages that are present or swapped" out
check 'a row of the stack' grep -Eq '^7[0-9a-f]+-7[0-9a-f]+ +[0-9.]+ [KM]iB  present +\[stack\]$' out
check 'a row of the C library' grep -Eq 'present file +libc' out
run "$TIDEMARK" pages -q -p "$busy" --json
expect 'a list in JSON' 0 ''
check '-q is quiet' test ! -s err
check 'every row is whole' rows 'rows and all(set(r) == {"start", "end", "categories", "mapping"} and size(r) > 0 for r in rows)'
check 'rows ascend' rows 'all(number(a["end"]) <= number(b["start"]) for a, b in zip(rows, rows[1:]))'
check 'without masks it is present or swapped' rows 'all({"present", "swapped"} & set(r["categories"]) for r in rows)'
check 'the 32 MiB are there' rows 'sum(size(r) for r in rows) >= 32 << 20'
check 'mappings have their whole names' rows 'any(r["mapping"].endswith("/cli-busy") for r in rows)'

# A part of it, and masks.
run "$TIDEMARK" pages -q -p "$busy" --range "$range" --json
check 'a range alone' rows "all('${range%-*}' <= r['start'][2:] and r['end'][2:] <= '${range#*-}' for r in rows)"
run "$TIDEMARK" pages -q -p "$busy" --range "$range" --range "$range" --range "${range%-*}-${range#*-}" --json
check 'a range that is named twice counts once' rows 'sum(size(r) for r in rows) <= 33 << 20'
run "$TIDEMARK" pages -q -p "$busy" --all-of file,present --returned file --json
check 'only pages of files' rows 'rows and head["returned"] == ["file"] and all(r["categories"] == ["file"] for r in rows)'
run "$TIDEMARK" pages -q -p "$busy" --all-of present --inverted present --json
check 'only pages that are not present' rows 'rows and all("present" not in r["categories"] for r in rows)'
run "$TIDEMARK" pages -q -p "$busy" --any-of written --json
check 'what is asked for is told' rows '"written" in head["returned"] and "wpallowed" not in head["returned"]'
run "$TIDEMARK" pages -p "$busy" --limit 3 --json
expect 'a limit' 0 'there is more, from 0x[0-9a-f]+ on'
check 'so many rows, and where to go on' rows 'len(rows) == 4 and set(rows[3]) == {"next"}'
next=$(sed -n 's/.*"next":"0x\([0-9a-f]*\)".*/\1/p' out)
run "$TIDEMARK" pages -q -p "$busy" --range "$next-7fffffffffff000" --limit 1 --json
check 'from there on it goes on' rows "rows[0]['start'] == '0x$next'"
if TIDEMARK_FAULT=no-pagemap-scan "$TIDEMARK" pages -q -p "$busy" --json >fallback.json; then
	run "$TIDEMARK" pages -q -p "$busy" --returned present,swapped,file --json
	tail -n +2 out >scan.rows
	run env TIDEMARK_FAULT=no-pagemap-scan "$TIDEMARK" pages -q -p "$busy" --returned present,swapped,file --json
	tail -n +2 out >pagemap.rows
	check 'both interfaces say the same' cmp scan.rows pagemap.rows
	check 'which one it was is said' rows 'head["source"] == "pagemap"'
else
	not_ok 'without PAGEMAP_SCAN there is a list' 'it failed'
fi
run env TIDEMARK_FAULT=no-pagemap-scan "$TIDEMARK" pages -p "$busy" --all-of huge
expect 'what cannot be told is refused by name' 3 "'huge' cannot be told: this kernel has no PAGEMAP_SCAN"
check '... before anything is printed' test ! -s out
run env TIDEMARK_FAULT=no-soft-dirty "$TIDEMARK" pages -p "$busy" --json --returned soft-dirty
expect 'so is soft-dirty' 3 "'soft-dirty' cannot be told: this kernel is built without"

# Summed up.
run "$TIDEMARK" pages -p "$busy" --summary
expect 'a summary' 0 ''
check 'its total' grep -Eq '^total +3[0-9] MiB +3[0-9] MiB' out
run "$TIDEMARK" pages -q -p "$busy" --summary --json
check 'one row for each mapping, and the total' rows '[r.get("total", False) for r in rows] == [False] * (len(rows) - 1) + [True]'
for name in present swapped huge young dirty pinned; do
	check "the total of ${name}_bytes is the sum" rows \
		"rows[-1]['${name}_bytes'] is None or rows[-1]['${name}_bytes'] == sum(r['${name}_bytes'] for r in rows[:-1])"
done
check 'largest first' rows 'all(a["present_bytes"] >= b["present_bytes"] for a, b in zip(rows[:-1], rows[1:-1]))'
check 'the 32 MiB come first' rows 'rows[0]["present_bytes"] >= 32 << 20'
if [ "$(id -u)" = 0 ] && TIDEMARK_FAULT=no-damon "$TIDEMARK" doctor >/dev/null 2>&1; then
	check 'as root also what was written' rows 'rows[0]["dirty_bytes"] >= 32 << 20 and rows[-1]["pinned_bytes"] == 0'
	run setpriv --reuid 65534 --clear-groups sh -c 'sleep 60 & "$0" pages --summary --json -p $!; code=$?; kill $!; exit $code' "$TIDEMARK"
	expect 'a summary without privileges' 0 'young, dirty and pinned are not known: .* needs CAP_BPF'
	check 'null is said for what is not known' rows \
		'all(r["young_bytes"] is None and r["dirty_bytes"] is None and r["pinned_bytes"] is None for r in rows)'
	check 'and numbers for what is' rows 'rows[-1]["present_bytes"] > 0'
	run setpriv --reuid 65534 --clear-groups "$TIDEMARK" pages -p "$busy"
	expect "somebody else's process" 3 'not allowed to look into process'
fi
run "$TIDEMARK" pages -p "$busy" --summary --limit 2
check 'a limited summary says what is left out' grep -Eq '^and [0-9]+ more that hold less$' out
run "$TIDEMARK" pages -q -p "$busy" --summary --range "$range" --json
check 'a summary of a range' rows "len(rows) == 2 and rows[0]['start'] == '0x${range%-*}'"

# Whom.
run "$TIDEMARK" pages -p 2147483647
expect 'no such process' 4 'no process 2147483647'
run "$TIDEMARK" pages -p 2
expect 'a kernel thread' 2 'kernel thread'
if [ -n "${TINY32:-}" ]; then
	start "$TINY32"
	run "$TIDEMARK" pages -q -p "$pid" --json
	expect 'a 32-bit process' 0 ''
	check 'its pages lie low' rows 'rows and all(number(r["end"]) <= 1 << 32 for r in rows)'
fi
start "$BUSY"
kill -KILL "$pid"
while [ -e "/proc/$pid/maps" ] && [ -s "/proc/$pid/maps" ]; do sleep 0.05; done
run "$TIDEMARK" pages -p "$pid"
expect 'a process that has just died' 4 "process $pid"

# A process of many rows: every other page of 40 MiB.
start python3 -c 'import mmap, time
memory = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if hasattr(mmap, "MADV_NOHUGEPAGE"):
    memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, 40 << 20, 8192):
    memory[at] = 1
open("ready", "w").close()
time.sleep(600)'
many=$pid
for _ in $(seq 200); do
	[ -e ready ] && break
	sleep 0.05
done
run "$TIDEMARK" pages -p "$many" --json
expect 'many rows' 0 '^tidemark: [5-9],[0-9]+ rows'
check 'each row a line' rows 'len(rows) >= 5120'

# A reader that has seen enough is no failure; a place that takes no more is one.
"$TIDEMARK" pages -q -p "$many" --json 2>err | head -n 1 >out
code=${PIPESTATUS[0]}
expect 'a reader that leaves' 0 ''
check 'nothing is complained of' test ! -s err
"$TIDEMARK" pages -q -p "$busy" >/dev/full 2>err
code=$?
: >out
expect 'a full standard output' 1 'could not be written|cannot write to standard output'
finish
