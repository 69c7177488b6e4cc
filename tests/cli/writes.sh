#!/bin/bash
# SPDX-License-Identifier: MIT
# Writes beside accesses, and alone: what is recorded, who may, and what is refused. $BUSY: a program that writes to its first
# quarter, all the time.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all 'reads and writes together need root'
start "$BUSY"
busy=$pid
run "$TIDEMARK" record -d 2 --writes -o both.db -p "$busy"
[ "$code" = 3 ] && skip_all "writes cannot be watched here: $(tail -n 1 err)"
expect 'writes are recorded beside accesses' 0 'samples in both.db'
expect 'it says with what' 0 'its writes with "writes"'
run "$TIDEMARK" report info --json both.db
check 'the record knows who told the writes' grep -q '"writes": *"writes"' out

# hot_bytes FILE: of the last sample's regions, how many were written in at least half of the checks.
hot_bytes() {
	python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
checks = rows[0]["nr_checks"]
print(sum(int(r["end"], 16) - int(r["start"], 16) for r in rows[1:] if r["nr_writes"] * 2 >= checks))' "$1"
}

run "$TIDEMARK" report regions --json --last 1s both.db
hot=$(hot_bytes out)
check "what is written is found: $hot of $((8 << 20)) bytes" test "$hot" -ge $((7 << 20)) -a "$hot" -le $((10 << 20))
for report in wss heatmap regions; do
	run "$TIDEMARK" $report --writes -d 1 -p "$busy"
	expect "$report of a live process" 0 'writ'
done
run "$TIDEMARK" record -d 1 -o reads.db -p "$busy"
run "$TIDEMARK" report wss --writes reads.db
expect 'a record without writes says how to get some' 2 'record --writes'

# Alone, and without privileges.
run "$TIDEMARK" record -d 1 --sensor writes -o alone.db -p "$busy"
expect 'writes alone' 0 'samples in alone.db'
run "$TIDEMARK" report wss alone.db
check 'the report speaks of writes' grep -q 'wrote to' out
chmod 1777 .
run setpriv --reuid=65534 --regid=65534 --clear-groups "$TIDEMARK" record -d 1 --sensor writes -o nobody.db -- "$BUSY"
expect 'B1: without root' 0 'samples in nobody.db'
run setpriv --reuid=65534 --regid=65534 --clear-groups "$TIDEMARK" record -d 1 --writes -o nobody2.db -- "$BUSY"
expect 'without root not beside accesses, and the way out' 3 'run as root, or ask for writes alone with the sensor writes'

# What does not go together.
run "$TIDEMARK" record -d 1 --writes --exact -o x.db -p "$busy"
expect 'not in exact mode' 2 'exact mode tells accesses only'
run "$TIDEMARK" record -d 1 --writes --sensor refs -o x.db -p "$busy"
expect 'not beside a sensor of whole mappings' 3 'sees whole mappings only'
run "$TIDEMARK" ages --writes -d 1 -p "$busy"
expect 'ages are of accesses' 2 '\-\-writes'
run env TIDEMARK_FAULT=no-pagemap-scan "$TIDEMARK" record -d 1 --writes -o x.db -p "$busy"
expect 'a kernel that cannot' 3 'PAGEMAP_SCAN'
check 'nothing is left behind' test ! -e x.db
check 'the process lives on' kill -0 "$busy"
check 'nothing of it is tracked any more' sh -c '! grep -q "^VmFlags:.* uw" "/proc/$1/smaps"' - "$busy"
finish
