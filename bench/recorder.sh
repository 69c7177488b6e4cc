#!/bin/bash
# SPDX-License-Identifier: MIT
# What recording costs: the recorder's own processor time, memory and start-up time, and the slowdown of the target, as a
# Markdown table. Takes about two minutes.
#
# TIDEMARK: the program. BENCH_BUILD: the build directory. BENCH_PAIRS (9): measurements of the slowdown with and without
# recording. BENCH_SECONDS (20): how long the recorder's own cost is taken.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${BENCH_BUILD:-$here/../build}
tidemark=${TIDEMARK:-$build/cli/tidemark}
pairs=${BENCH_PAIRS:-9}
seconds=${BENCH_SECONDS:-20}
dir=
target_pid=
recorder_pid=

fail() {
	echo "recorder.sh: $*" >&2
	[ -s "$dir/record.err" ] && tail -n 5 "$dir/record.err" >&2
	exit 1
}

# shellcheck disable=SC2317
cleanup() {
	for pid in $recorder_pid $target_pid; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	[ -n "$dir" ] && rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

progress() {
	[ -t 2 ] && printf '\r\033[K%s' "$*" >&2
	return 0
}

# Starts a target in the background and waits until it says READY: COMMAND...
start_target() {
	mkfifo "$dir/ready"
	# The pipe stays the target's standard output; `tee` ends with it.
	"$@" >"$dir/ready" 2>"$dir/target.err" &
	target_pid=$!
	: >"$dir/target.log"
	tee -a "$dir/target.log" <"$dir/ready" >/dev/null &
	for _ in $(seq 1200); do
		grep -q READY "$dir/target.log" && break
		sleep 0.05
	done
	rm "$dir/ready"
	grep -q READY "$dir/target.log" || fail "the target did not start: $(cat "$dir/target.err")"
}

end_target() {
	kill "$target_pid"
	wait "$target_pid" 2>/dev/null
	target_pid=
}

now_us() {
	echo $(($(date +%s%N) / 1000))
}

# Operations a second between two moments, from the target's log: FROM_US TO_US
throughput() {
	awk -v from="$1" -v to="$2" 'NF == 2 && $1 >= from && $1 <= to { if (!t) { t = $1; n = $2 } u = $1; m = $2 }
		END { if (u > t) printf "%.0f\n", (m - n) / (u - t) * 1e6; else print 0 }' "$dir/target.log"
}

measure_plain() {
	local from
	from=$(now_us)
	sleep 2.5
	throughput "$from" "$(now_us)"
}

measure_recorded() {
	local from to
	"$tidemark" record -p "$target_pid" -d 4s -o "$dir/pair.db" >/dev/null 2>"$dir/record.err" &
	recorder_pid=$!
	# Start-up is not what is measured here.
	sleep 1.2
	from=$(now_us)
	sleep 2.5
	to=$(now_us)
	kill -0 "$recorder_pid" 2>/dev/null || fail "the recorder ended too early"
	wait "$recorder_pid" || fail "recording ended with $?"
	recorder_pid=
	throughput "$from" "$to"
}

# Numbers on standard input; prints "median lowest highest".
spread() {
	sort -g | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; print m, v[1], v[NR] }'
}

slowdown() {
	local plain recorded
	: >"$dir/slowdowns"
	for ((i = 0; i < pairs; i++)); do
		progress "slowdown: pair $((i + 1)) of $pairs"
		# The order alternates, so that a drift of the machine falls on both sides.
		if [ $((i % 2)) = 0 ]; then
			measure_plain >"$dir/plain"
			measure_recorded >"$dir/recorded"
		else
			measure_recorded >"$dir/recorded"
			measure_plain >"$dir/plain"
		fi
		plain=$(cat "$dir/plain")
		recorded=$(cat "$dir/recorded")
		[ "${plain:-0}" -gt 0 ] && [ "${recorded:-0}" -gt 0 ] || fail "no throughput was measured"
		echo "$plain $recorded" | awk '{ print ($1 / $2 - 1) * 100 }' >>"$dir/slowdowns"
	done
	# A sign test: with chance alone 8 of 9 pairs agree in one run of 25.
	awk -v n="$pairs" '{ if ($1 > 0) up++; else down++ } END { exit !(up >= n * 8 / 9 || down >= n * 8 / 9) }' "$dir/slowdowns" &&
		resolved= || resolved=', not resolved'
	spread <"$dir/slowdowns" | awk -v more="$resolved" '{ printf "%.2f %% (%.2f to %.2f%s)\n", $1, $2, $3, more }'
}

own_cost() {
	progress "the recorder's own cost: $seconds s"
	"$build/bench/bench-measure" "$dir/own.db" "$tidemark" record -p "$target_pid" -d "${seconds}s" -o "$dir/own.db" \
		2>"$dir/record.err" | grep -E '^[a-z_]+ [0-9.]+$' >"$dir/own" || fail "measuring failed"
	value() { awk -v name="$1" '$1 == name { print $2 }' "$dir/own"; }
	regions=$(value mean_regions)
	cpu_percent=$(awk -v cpu="$(value cpu_s)" -v wall="$(value wall_s)" 'BEGIN { printf "%.2f", cpu / wall * 100 }')
	rss_mib=$(awk -v kib="$(value max_rss_kib)" 'BEGIN { printf "%.1f", kib / 1024 }')
}

first_samples() {
	for i in 1 2 3 4 5; do
		progress "start-up: $i of 5"
		"$build/bench/bench-measure" "$dir/start.db" "$tidemark" record -p "$target_pid" -d 1s -o "$dir/start.db" \
			2>"$dir/record.err" | awk '$1 == "first_sample_ms" { print $2 }'
	done | spread | awk '{ printf "%.0f ms (%.0f to %.0f)\n", $1, $2, $3 }'
}

[ "$(id -u)" = 0 ] || fail "needs root"
[ -x "$tidemark" ] || fail "no program at $tidemark (set TIDEMARK)"
dir=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")

start_target "$build/tests/oracle/oracle-workload" "$here/pieces.pat"
own_cost
first=$(first_samples)
end_target
start_target "$build/bench/bench-throughput" 256 768
slow=$(slowdown) || exit 1
end_target
progress

cat <<EOF
$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $(awk '/^MemTotal:/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)$(grep -qs '^kdamond' /proc/[0-9]*/comm && echo "; a DAMON of the machine's own was running"). $("$tidemark" --version 2>/dev/null | head -n 1)

| what | result |
|---|---|
| recorder's own CPU time, defaults, $regions regions of 1 GiB, over $seconds s | $cpu_percent % of one CPU |
| recorder's resident memory, at most | $rss_mib MiB |
| from the start of the command to the end of its first sample (5 runs; 100 ms of it are the sample) | $first |
| slowdown of a target bound by memory latency ($pairs pairs; random words of 256 MiB beside 768 MiB idle) | $slow |
EOF
