#!/bin/bash
# SPDX-License-Identifier: MIT
# What being watched costs a redis-server under full load: requests a second with and without, in turns, and tidemark's own
# processor time, as a Markdown table for each way to watch. Takes about three minutes.
#
# TIDEMARK: the program. BENCH_BUILD: the build directory. BENCH_PAIRS (9): measurements with and without.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${BENCH_BUILD:-$here/../build}
tidemark=${TIDEMARK:-$build/cli/tidemark}
pairs=${BENCH_PAIRS:-9}
dir=$(mktemp -d)
redis_pid=

# shellcheck disable=SC2317
cleanup() {
	[ -n "$redis_pid" ] && kill "$redis_pid" 2>/dev/null && wait "$redis_pid" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

server=$(command -v redis-server || command -v redis-check-rdb) || {
	echo "watched-redis.sh: redis is missing; install redis-tools" >&2
	exit 3
}
ln -s "$server" "$dir/redis-server"
(cd "$dir" && exec ./redis-server --port 0 --unixsocket "$dir/redis.sock" --save '' --appendonly no >redis.log 2>&1) &
redis_pid=$!
for _ in $(seq 100); do
	redis-cli -s "$dir/redis.sock" ping 2>/dev/null | grep -q PONG && break
	sleep 0.1
done
redis-benchmark -s "$dir/redis.sock" -q -n 400000 -r 200000 -d 512 -P 16 -t set >/dev/null

# Requests a second of a fixed number of requests; the time is the server's, not the generator's start.
load() {
	redis-benchmark -s "$dir/redis.sock" --csv -n 150000 -r 200000 -d 512 -t set | awk -F'"' '/SET/ { printf "%.0f\n", $4 }'
}

median() {
	printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { printf "%s (%s to %s)", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

# The server's minor faults so far: what watching costs it, in counted work.
faults() {
	awk '{ sub(/.*\) /, ""); print $8 }' "/proc/$redis_pid/stat"
}

# measure TITLE VERB [ARGUMENT ...]
measure() {
	local title=$1 plain=() watched=() cpu=() slower=() caused=() watcher started before began ticks
	shift
	for ((i = 0; i < pairs; i++)); do
		plain+=("$(load)")
		"$tidemark" "$@" -p "$redis_pid" -q >/dev/null &
		watcher=$!
		started=$(date +%s%N)
		sleep 1.2
		before=$(faults)
		began=$(date +%s%N)
		watched+=("$(load)")
		caused+=("$(awk -v n=$(($(faults) - before)) -v ns=$(($(date +%s%N) - began)) 'BEGIN { printf "%.0f\n", n * 1e9 / ns }')")
		# In ticks of 10 ms, so far; the last field of the name is followed by the state.
		ticks=$(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$watcher/stat")
		cpu+=("$(awk -v t="$ticks" -v ns=$(($(date +%s%N) - started)) 'BEGIN { printf "%.1f\n", t * 1e9 / ns }')")
		kill -INT "$watcher"
		wait "$watcher"
		slower+=("$(awk -v a="${plain[i]}" -v b="${watched[i]}" 'BEGIN { printf "%.1f\n", (a / b - 1) * 100 }')")
	done
	echo "### A redis-server that answers SET requests as fast as it can, $title ($pairs interleaved pairs)"
	echo
	echo "| what | median (spread) |"
	echo "|---|---|"
	echo "| requests a second, not watched | $(median "${plain[@]}") |"
	echo "| requests a second, watched | $(median "${watched[@]}") |"
	echo "| slowdown within a pair | $(median "${slower[@]}") % |"
	echo "| faults of the server a second, watched | $(median "${caused[@]}") |"
	echo "| processor time of tidemark, opening included | $(median "${cpu[@]}") % of one processor |"
	echo
}

measure 'every write watched, once a second' watch -i 1s
measure 'accesses sampled' record -o "$dir/accesses.db"
measure 'accesses and writes sampled' record --writes -o "$dir/both.db"
