#!/bin/bash
# SPDX-License-Identifier: MIT
# What storing and reading a record costs, as Markdown tables: 20 minutes of 100 regions, an hour of 1,000, and that hour of
# a process with 10,000 mappings.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${BENCH_BUILD:-$here/../build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# measure WHAT TIMES SAMPLES REGIONS MAPPINGS
measure() {
	local what=$1 times=$2 samples=$3 regions=$4 mappings=$5 bytes cpu TIMEFORMAT='%U %S'
	cpu=$({ time "$build/bench/make-record" "$dir/big.db" "$samples" "$regions" 1 "$mappings" >/dev/null; } 2>&1)
	bytes=$(stat -c %s "$dir/big.db")
	awk -v what="$what" -v bytes="$bytes" -v cpu="$cpu" -v rows=$((samples * regions)) 'BEGIN {
		split(cpu, parts, " ")
		printf "%s: %.1f MB, %.1f bytes for each region; %.1f s of processor time to make and store them.\n",
			what, bytes / 1e6, bytes / rows, parts[1] + parts[2] }'
	echo
	echo "| report | processor time, median of $times (spread) | time, median | resident memory |"
	echo "|---|---|---|---|"
	for report in heatmap wss regions ages info; do
		"$build/bench/report-record" "$report" "$dir/big.db" "$times" >"$dir/runs"
		sort -n "$dir/runs" | awk -v report="$report" '
			{ wall[NR] = $1; if ($3 > most) most = $3 }
			END { middle = int((NR + 1) / 2); print report, wall[middle], most }' >"$dir/walls"
		sort -n -k 2 "$dir/runs" | awk -v walls="$(cat "$dir/walls")" '
			{ cpu[NR] = $2 }
			END {
				split(walls, of, " ")
				printf "| %s | %.2f s (%.2f to %.2f) | %.2f s | %.1f MiB |\n", of[1], cpu[int((NR + 1) / 2)], cpu[1],
					cpu[NR], of[2], of[3]
			}'
	done
	rm "$dir/big.db"
}

measure '12,000 samples of 100 regions (20 minutes at default intervals)' 9 12000 100 1
echo
measure '36,000 samples of 1,000 regions (an hour, 36 million regions)' 5 36000 1000 1
echo
measure 'The same hour, of a process with 10,000 mappings' 5 36000 1000 10000
