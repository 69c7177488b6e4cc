#!/bin/sh
# SPDX-License-Identifier: MIT
# The doctor's answers on the running kernel: with all privileges, and with one of them taken away at a time.
# Usage: test-doctor.sh DOCTOR-TABLE
table=$1
failed=0
nr=0

if [ "$(id -u)" -ne 0 ]; then
	echo "taking privileges away needs root to begin with" >&2
	exit 77
fi
unset TIDEMARK_FAULT
# DAMON is tried in guests only, and there once.
[ -n "${TIDEMARK_LANE:-}" ] || export TIDEMARK_FAULT=no-damon

# run EXPECTED-EXIT WRAPPER...: keeps the table of what follows
run() {
	wanted=$1
	shift
	what="$*"
	out=$("$@" "$table" --json)
	got=$?
	nr=$((nr + 1))
	[ "$got" -eq "$wanted" ] || fail "exit code $got, not $wanted"
}

fail() {
	echo "${what:-root}: $*" >&2
	failed=$((failed + 1))
}

row() {
	printf '%s\n' "$out" | grep -F "{\"name\":\"$1\","
}

# expect ROW ANSWER [WORD]: the answer, and what reason or remedy must name
expect() {
	nr=$((nr + 1))
	case $(row "$1") in
	*"\"answer\":\"$2\""*"${3:-}"*) ;;
	*) fail "$1 should say $2 ${3:-}: $(row "$1")" ;;
	esac
}

all_of() {
	answer=$1
	shift
	for name; do expect "$name" "$answer"; done
}

# 1. With everything.
run 0 env
all_of yes bpf btf walker pagemap-pfn iomem process-madvise-cold pidfd \
	CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_NICE CAP_SYS_PTRACE sensor-walk sensor-refs
all_of no user-namespace
printf '%s\n' "$out" | head -n 1 | grep -qxF '{"schema":"tidemark/1","report":"doctor"}' || fail "first line"
printf '%s\n' "$out" | tail -n 1 | grep -qF '{"sensor":"walk","why":"' || fail "last line"

# A5: the sensor says that it disturbs reclaim, and that guests are out of its sight.
expect sensor-walk yes "disturbs reclaim"
expect sensor-walk yes "unobservable"
expect sensor-refs yes "without root"
expect sensor-refs yes "waits while"

# fallback WORD: the last line names the best sensor that needs no privileges, and what the better one lacks
fallback() {
	nr=$((nr + 1))
	unprivileged=refs
	case $(row access-protection) in
	*'"answer":"yes"'*) unprivileged=rwp ;;
	esac
	case $(printf '%s\n' "$out" | tail -n 1) in
	"{\"sensor\":\"$unprivileged\",\"why\":\"sensor walk: "*"$1"*) ;;
	*) fail "last line: $(printf '%s\n' "$out" | tail -n 1)" ;;
	esac
}

# A8: whoever else clears is named: the answer is the one that the list of kernel threads gives.
if grep -qs '^kdamond' /proc/[0-9]*/comm; then
	expect others-damon yes kdamond
else
	expect others-damon no
fi
for name in others-mglru others-reclaim others-page-idle; do
	row $name | grep -qE '"answer":"(yes|no)"' || fail "$name was not asked"
done

if [ -n "${TIDEMARK_LANE:-}" ]; then
	row way-damon | grep -qE '"answer":"(yes|no)"' || fail "way-damon was not asked"
else
	expect way-damon no TIDEMARK_FAULT=no-damon
fi

# What takes longest is asked once more at the end only.
quick=no-damon,no-pagemap-scan,no-soft-dirty
export TIDEMARK_FAULT=$quick

# 2. One capability less: its own row says so, and what stands on it.
run 0 setpriv --bounding-set -sys_ptrace
expect CAP_SYS_PTRACE no CAP_SYS_PTRACE
run 0 setpriv --bounding-set -sys_nice
fallback CAP_SYS_NICE
expect CAP_SYS_NICE no CAP_SYS_NICE
expect process-madvise-cold no CAP_SYS_NICE
expect sensor-walk no CAP_SYS_NICE
all_of yes bpf walker CAP_BPF
run 0 setpriv --bounding-set -sys_admin
fallback CAP_SYS_ADMIN
expect CAP_SYS_ADMIN no CAP_SYS_ADMIN
expect pagemap-pfn no CAP_SYS_ADMIN
expect iomem no CAP_SYS_ADMIN
expect walker no CAP_SYS_ADMIN
all_of yes bpf process-madvise-cold CAP_SYS_NICE
# CAP_SYS_ADMIN includes these two: alone they are not missed, and the row says why.
run 0 setpriv --bounding-set -bpf
expect CAP_BPF no "CAP_SYS_ADMIN is and includes it"
all_of yes bpf walker
run 0 setpriv --bounding-set -bpf,-sys_admin
fallback CAP_BPF
expect CAP_BPF no "CAP_BPF is needed"
expect walker no CAP_BPF
[ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled)" = 0 ] || expect bpf no CAP_BPF

# 3. None at all.
run 0 setpriv --reuid=65534 --regid=65534 --clear-groups
all_of no walker pagemap-pfn iomem process-madvise-cold CAP_BPF CAP_SYS_NICE sensor-walk
all_of yes pidfd btf sensor-refs
fallback CAP_SYS_NICE

# 4. Faults force what this kernel does not lack.
run 0 env TIDEMARK_FAULT=no-bpf,$quick
fallback TIDEMARK_FAULT
expect bpf no TIDEMARK_FAULT=no-bpf
expect walker no TIDEMARK_FAULT
all_of yes pagemap-pfn
run 0 env TIDEMARK_FAULT=no-pagemap-pfn,$quick
fallback CAP_SYS_ADMIN
expect pagemap-pfn no TIDEMARK_FAULT=no-pagemap-pfn
all_of no walker
run 0 env TIDEMARK_FAULT=no-clear-refs,$quick
expect sensor-refs no TIDEMARK_FAULT=no-clear-refs
expect sensor-refs no CONFIG_PROC_PAGE_MONITOR
run 3 env TIDEMARK_FAULT=no-bpf,no-clear-refs,no-uffd-rwp,$quick
printf '%s\n' "$out" | tail -n 1 | grep -qF '{"sensor":null,"why":"sensor walk: ' || fail "last line"
run 0 env TIDEMARK_FAULT=no-procmap-query,$quick
expect procmap-query no TIDEMARK_FAULT=no-procmap-query

run 0 env TIDEMARK_FAULT=no-pagemap-scan,no-damon
expect write-protect-tracking no TIDEMARK_FAULT=no-pagemap-scan
expect write-list no TIDEMARK_FAULT=no-pagemap-scan
printf '%s\n' "$out" | grep -q '"name":"tracked-' && fail "what needs PAGEMAP_SCAN was asked without it"
printf '%s\n' "$out" | grep -q '"name":"soft-dirty"' || fail "no soft-dirty row"

# A sensor that this kernel has not got is nothing to be mended where a better one works.
run 0 env TIDEMARK_FAULT=no-uffd-rwp,$quick
expect access-protection no TIDEMARK_FAULT=no-uffd-rwp
expect sensor-rwp no "Linux 7.3"
row sensor-rwp | grep -qF '"remedy":""' || fail "a remedy for $(row sensor-rwp)"

# Write tracking needs no privilege, and so do its probes not.
if grep -q ' pagemap_scan_' /proc/kallsyms; then
	run 0 env TIDEMARK_FAULT=no-damon
	all_of yes write-protect-tracking tracked-pte-hole tracked-fork sensor-writes
	# A list of writes needs one, unless this machine gives it to everybody.
	row write-list | grep -qE '"answer":"(yes|no)"' || fail "write-list was not asked"
	listed=$(row write-list)
	run 0 setpriv --reuid=65534 --regid=65534 --clear-groups env TIDEMARK_FAULT=no-damon
	all_of yes write-protect-tracking tracked-pte-hole tracked-fork sensor-writes
	case $(cat /proc/sys/vm/unprivileged_userfaultfd)$(stat -c %A /dev/userfaultfd)$listed in
	0c??????---*'"answer":"yes"'*)
		expect write-list no "CAP_SYS_PTRACE (run as root"
		run 0 setpriv --bounding-set -sys_ptrace env TIDEMARK_FAULT=no-damon
		expect write-list yes
		;;
	esac
else
	run 0 env TIDEMARK_FAULT=no-damon
	expect write-protect-tracking no PAGEMAP_SCAN
	expect write-list no PAGEMAP_SCAN
fi

# 5. Namespaces: root inside of one is told that it is not root.
if unshare --user --map-root-user true 2>/dev/null; then
	run 0 unshare --user --map-root-user
	expect user-namespace yes "user namespace"
	expect CAP_SYS_ADMIN yes
	expect pagemap-pfn no "user namespace"
fi
if unshare --pid --fork --mount-proc true 2>/dev/null; then
	run 0 unshare --pid --fork --mount-proc
	expect pid-namespace yes host
	# Kernel threads are out of sight: that none is seen proves nothing.
	row others-damon | grep -qE '"answer":"(yes|unknown)"' || fail "others-damon: $(row others-damon)"
fi

echo "$nr checks, $failed failed"
[ "$failed" -eq 0 ]
