# SPDX-License-Identifier: MIT
# Helps the scripts that watch writes: whom they watch is $BUSY, which writes the first 8 MiB of a 32 MiB mapping all the time.

# state PID: what must not change.
state() {
	grep -E '^(TracerPid|Threads|SigBlk|SigIgn|SigCgt|Seccomp|VmLck):' "/proc/$1/status"
	echo "mappings $(wc -l <"/proc/$1/maps") tracked $(grep -cE '^VmFlags:.* uw( |$)' "/proc/$1/smaps")"
	echo "descriptors $(find "/proc/$1/fd" -mindepth 1 | wc -l)"
}

# left_alone PID: it is as `state` said before.
left_alone() {
	state "$1" >after
	cmp before after
}

# mapping_of PID: where its 32 MiB begin; await_mapping_of PID: when it has begun to write them.
mapping_of() {
	python3 - "$1" <<'EOF'
import sys
for line in open(f"/proc/{sys.argv[1]}/maps"):
    start, end = (int(word, 16) for word in line.split()[0].split("-"))
    if end - start >= 32 << 20 and len(line.split()) == 5:
        print(f"{start:x}")
        break
EOF
}

await_mapping_of() {
	await sh -c 'awk "/^Rss:/ && \$2 >= 32768 { found = 1 } END { exit !found }" "/proc/$0/smaps"' "$1"
	mapping_of "$1"
}

# What the known pattern allows: $1 the output, $2 where the 32 MiB begin.
cat >judge.py <<'EOF'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
start = int(sys.argv[2], 16)
head, summary = rows[0], rows[-1]["summary"]
assert head["schema"] == "tidemark/1" and head["page_bytes"] == 4096
total = 0
nr_epochs = 0
runs = []
seen = set()
for row in rows[1:-1]:
    if "epoch" not in row:
        runs.append((int(row["start"], 16), int(row["end"], 16), row))
        continue
    nr_epochs += 1
    assert row["epoch"] == nr_epochs
    assert all(a[1] <= b[0] for a, b in zip(runs, runs[1:])), "runs in order"
    for kind, key in (("over", "over_bytes"), ("pinned", "pinned_bytes")):
        assert sum(e - s for s, e, r in runs if r["certainty"] == kind) == row[key] == sum(m[key] for m in row["mappings"])
    assert sum(e - s for s, e, r in runs) == row["written_bytes"] == sum(m["written_bytes"] for m in row["mappings"])
    for s, e, r in runs:
        for page in range(max(s, start), min(e, start + (32 << 20)), 4096):
            assert page < start + (8 << 20), "a page nobody writes"
            assert r["certainty"] == "exact"
            seen.add(page)
    assert any(s < start + (8 << 20) and e > start for s, e, r in runs), "it writes in every epoch"
    assert isinstance(row["blind"], list) and row["cost_us"] >= 0
    assert row.get("lost_pages", 0) == 0
    total += row["written_bytes"]
    runs = []
assert not runs and summary["nr_epochs"] == nr_epochs == 4 and summary["written_bytes"] == total
assert len(seen) == 2048, "all that it writes was seen"
EOF

# until_seen SIGNAL TARGET OPTION...: the target gets the signal when its first epoch has been reported.
until_seen() {
	local signal=$1 target=$2
	shift 2
	: >out
	"$TIDEMARK" watch -i 100ms -p "$target" "$@" >out 2>err </dev/null &
	pid=$!
	started="$started $pid"
	await grep -q '; cost ' out
	kill "-$signal" "$target"
	wait "$pid"
	code=$?
}
