#!/bin/bash
# SPDX-License-Identifier: MIT
# Records of memory that does not exist: the verdict, the record, and what is refused. Needs no kernel powers.
. "$(dirname "$0")/lib.sh"

cat >tib.json <<'END'
{
	"name": "a TiB",
	"mappings": [ { "name": "heap", "size": "1TiB", "populated": "64GiB" }, { "name": "[stack]", "size": "8MiB" } ],
	"sets": [
		{ "name": "hot", "in": "heap", "at": "30GiB", "size": "1GiB", "read_every": "2ms", "write_every": "2ms" },
		{ "in": "heap", "read_every": "1h" }
	],
	"unobservable": [ { "in": "[stack]", "reason": "locked" } ]
}
END
record=("$TIDEMARK" record --model tib.json)

# A minute of it takes no minute, and says the same each time.
run "${record[@]}" -o one.db --seed 5
expect 'a minute of a TiB' 0 'recorded 1 min 0 s of virtual time: 600 samples in one.db'
cp out first.txt
run "${record[@]}" -o two.db --seed 5
check 'the same seed has the same verdict' diff first.txt out
run "${record[@]}" -o two.db --seed 6 --unguided
check 'other attributes have another' sh -c '! diff -q first.txt out'
check 'the verdict names the model' grep -q '^model *a TiB: 1 TiB mapped' first.txt
check 'the hot gigabyte is found' grep -q 'precision 1.000, recall 1.000' first.txt
check 'the cost is said' grep -q 'of one CPU' first.txt

# value KEY: of the JSON lines in `out`, the first that has it.
value() {
	python3 -c 'import json, sys
print(next(row[sys.argv[1]] for row in map(json.loads, open("out")) if sys.argv[1] in row))' "$1"
}

run "${record[@]}" -q --json -o one.db --seed 5 -d 20 --writes
expect 'the verdict as JSON' 0 ''
check 'nothing is said with -q' test ! -s err
check 'it begins with the schema' sh -c 'head -n 1 out | grep -q "^{\"schema\":\"tidemark/1\",\"report\":\"model\""'
check 'accesses, writes and cost follow' test "$(grep -c '^{"of":' out)" = 3
check 'it says what was asked' test "$(value nr_samples)" = 200
check 'precision' test "$(value precision)" = 1
check 'recall' test "$(value recall)" = 1
check 'hot is what the file says' test "$(value hot_bytes)" = $((1 << 30))

# The record is one like any other.
for report in heatmap wss regions info; do
	run "$TIDEMARK" report $report one.db
	expect "report $report" 0 ''
	check "... is about the model" grep -q 'a TiB' out
done
run "$TIDEMARK" report regions --json --last 1s one.db
check 'its mappings have names' grep -q '"heap"' out
run "$TIDEMARK" report wss --writes one.db
expect 'its writes' 0 ''
check 'it is complete' sh -c '"$0" report info one.db | grep -q "^state *complete"' "$TIDEMARK"
run "${record[@]}" -o tuned.db -d 5m --auto-tune
check 'intervals can be tuned' grep -q 'as tuned' out
run "${record[@]}" -o ranged.db -d 5 --range 10780000000-107c0000000
check 'a range alone' grep -q 'recall 1.000' out

printf '%s\n' '{ "mappings": [ { "size": "1GiB", "until": "3s" } ] }' >short.json
run "$TIDEMARK" record --model short.json -o short.db
expect 'the end of its memory is an end' 0 'nothing of the model is mapped any more: that is the end'
start "$TIDEMARK" record --model tib.json -d 100d -o long.db
await test -s long.db
kill -INT "$pid"
check 'an interrupt is an end' wait "$pid"
check '... and leaves a complete record' sh -c '"$0" report info long.db | grep -q "^state *complete"' "$TIDEMARK"

# What cannot be done for a model, or is said wrongly.
refused 2 '\-\-model watches no process: leave -p out' record --model tib.json -p $$
refused 2 'leave a command out' record --model tib.json -- true
refused 2 'leave --exact out, as a look at every page misses nothing' record --model tib.json --exact
refused 2 'leave --sensor out' record --model tib.json --sensor walk
refused 2 'json prints the verdict about a --model' record --json -p $$
refused 2 'duration of 50 ms is shorter than one aggregation interval' record --model tib.json -d 50ms -o none.db
refused 1 'nowhere.json: cannot open it: No such file' record --model nowhere.json -o none.db
refused 1 'cannot read it: Is a directory' record --model . -o none.db

# says PATTERN JSON: a file with this in it is refused with exit status 2, and the sentence.
says() {
	printf '%s\n' "$2" >bad.json
	refused 2 "^tidemark: bad\.json: $1" record --model bad.json -o none.db
}
says 'line 2: .* near ' '{ "mappings":
	[ }'
says 'line 1: duplicate object key' '{ "name": "a", "name": "b" }'
says 'a workload is an object' '[]'
says 'there is no "maps" here' '{ "maps": [] }'
says 'there is no "set" here: did you mean "sets"\?' '{ "set": [] }'
says 'nothing is mapped at the start' '{}'
says '"mappings" must be an array' '{ "mappings": 1 }'
says 'mapping 1: it must be an object' '{ "mappings": [ 1 ] }'
says 'mapping 1 a: there is no "sise" here: did you mean "size"\?' '{ "mappings": [ { "name": "a", "sise": "1GiB" } ] }'
says 'mapping 1 a: "size": it must be a string, like "64GiB"' '{ "mappings": [ { "name": "a", "size": 5 } ] }'
says "mapping 1: \"size\": '5 parsecs'" '{ "mappings": [ { "size": "5 parsecs" } ] }'
says 'mapping 1: it must have a "size"' '{ "mappings": [ {} ] }'
says 'mapping 1: "page": pages are of 4KiB, 2MiB or 1GiB' '{ "mappings": [ { "size": "1GiB", "page": "8KiB" } ] }'
says "mapping 1: \"address\": '7f00' is not an address" '{ "mappings": [ { "size": "1GiB", "address": "7f00" } ] }'
says 'mapping 1: it ends beyond the 128 TiB' '{ "mappings": [ { "size": "128TiB" } ] }'
one='"mappings": [ { "name": "heap", "size": "1GiB" } ]'
says 'set 1 hot: it is neither read nor written' "{ $one, \"sets\": [ { \"name\": \"hot\" } ] }"
says "set 1: \"read_every\": '2' lacks a unit" "{ $one, \"sets\": [ { \"read_every\": \"2\" } ] }"
says "set 1: \"in\": no mapping is called 'stack'" "{ $one, \"sets\": [ { \"in\": \"stack\" } ] }"
says 'set 1: it ends beyond what is populated of the mapping "heap"' \
	"{ $one, \"sets\": [ { \"at\": \"1GiB\", \"size\": \"4KiB\", \"read_every\": \"1s\" } ] }"
says 'set 1: "share": a share is a number' "{ $one, \"sets\": [ { \"share\": 2 } ] }"
says 'unobservable part 1: "reason": .tired. is no reason' "{ $one, \"unobservable\": [ { \"reason\": \"tired\" } ] }"
says 'set 1: it must say "in" which mapping' \
	'{ "mappings": [ { "size": "1GiB" }, { "size": "1GiB" } ], "sets": [ { "read_every": "1s" } ] }'
check 'nothing refused has left a record' test ! -e none.db
echo kept >other.txt
refused 2 'other.txt' record --model tib.json -o other.txt
check 'what is no record stays' grep -q kept other.txt
finish
