# SPDX-License-Identifier: MIT
# Helps the scripts beside it: each check prints one line, `finish` counts them. $TIDEMARK is the program.
set -u
: "${TIDEMARK:?the program to test}"
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/../golden/cli
dir=$(mktemp -d "${TMPDIR:-/tmp}/tidemark-cli.XXXXXX") || exit 1
nr_ok=0
nr_failed=0
started=

# Only what a test started itself is ended, by its number.
cleanup() {
	for pid in $started; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 1

ok() {
	echo "ok - $1"
	nr_ok=$((nr_ok + 1))
}

not_ok() {
	echo "not ok - $1"
	sed 's/^/#   out: /' out | head -n 5
	sed 's/^/#   err: /' err | head -n 10
	[ $# -gt 1 ] && echo "#   $2"
	nr_failed=$((nr_failed + 1))
}

# run COMMAND...: standard output in `out`, standard error in `err`, exit status in $code. Nothing may take a minute.
run() {
	timeout -s KILL 60 "$@" >out 2>err </dev/null
	code=$?
}

# expect NAME CODE PATTERN: the last run ended so, and said a line of which PATTERN (extended) matches a part; empty: whatever.
expect() {
	if [ "$code" != "$2" ]; then
		not_ok "$1" "exit status $code, not $2"
	elif [ -n "$3" ] && ! grep -Eq -- "$3" err; then
		not_ok "$1" "no line matches: $3"
	else
		ok "$1"
	fi
}

# refused CODE PATTERN ARGUMENT...: the program refuses these arguments, prints no data, and crashes in no way.
refused() {
	local want=$1 pattern=$2
	shift 2
	run "$TIDEMARK" "$@"
	if [ -s out ]; then
		not_ok "tidemark $*" "words on standard output"
	else
		expect "tidemark $*" "$want" "$pattern"
	fi
}

# check NAME CONDITION...: the condition, a command, holds.
check() {
	local name=$1
	shift
	if "$@" >check.log 2>&1; then ok "$name"; else not_ok "$name" "does not hold: $* $(head -n 3 check.log)"; fi
}

# start COMMAND...: in the background, ended at the latest when the script ends; its number in $pid.
start() {
	"$@" </dev/null >/dev/null 2>&1 &
	pid=$!
	started="$started $pid"
}

# await CONDITION...: until it holds.
await() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	return 1
}

# Same text as the golden file; UPDATE_GOLDEN=1 writes it instead.
same_as_golden() {
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		mkdir -p "$golden"
		cp out "$golden/$1"
	fi
	if diff -u "$golden/$1" out >diff.log 2>&1; then
		ok "text of $1"
	else
		not_ok "text of $1" "differs from tests/golden/cli/$1 (UPDATE_GOLDEN=1 refreshes it)"
		head -n 20 diff.log
	fi
}

skip_all() {
	echo "$1"
	exit 77
}

finish() {
	echo "$nr_ok ok, $nr_failed not ok"
	[ "$nr_failed" = 0 ] && [ "$nr_ok" != 0 ]
	exit
}
