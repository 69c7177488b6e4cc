#!/bin/bash
# SPDX-License-Identifier: MIT
# What reading a record costs: 12,000 samples of 100 regions, each report nine times, as a Markdown table.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${BENCH_BUILD:-$here/../build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$build/bench/make-record" "$dir/big.db" >"$dir/made"
bytes=$(stat -c %s "$dir/big.db")
echo "A record of 12,000 samples of 100 regions: $bytes bytes, $(awk -v b="$bytes" 'BEGIN { printf "%.1f", b / 1200000 }') for each region row."
echo
echo "| report | time, median of 9 (spread) | resident memory |"
echo "|---|---|---|"
for report in heatmap wss regions; do
	"$build/bench/report-record" "$report" "$dir/big.db" 9 | sort -n | awk -v report="$report" '
		{ time[NR] = $1; if ($2 > most) most = $2 }
		END { printf "| %s | %.2f s (%.2f to %.2f) | %.1f MiB |\n", report, time[int((NR + 1) / 2)], time[1], time[NR], most }'
done
