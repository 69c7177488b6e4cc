#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that only tracks writes, linked statically with the library, must not pull in the page-table walker, nor need
# libbpf. Usage: check-static.sh SOURCE-DIR LIBTIDEMARK.A
set -eu
source=$1
library=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat >"$dir/writes.c" <<'PROGRAM'
#include <tidemark/watch.h>
#include <unistd.h>

int main(void)
{
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_run runs[8];
	long nr = -1;

	if (tide_target_open(&target, getpid(), 0) < 0)
		return 1;
	if (tide_watch_open(&watch, target, 0, 0) == 0)
		nr = tide_watch_collect(watch, runs, 8, 0);
	tide_watch_close(watch);
	tide_target_close(target);
	return nr < 0;
}
PROGRAM

cc -I"$source/include" "$dir/writes.c" "$library" -o "$dir/writes" || {
	echo "write tracking does not link without libbpf"
	exit 1
}
walker=$(nm "$dir/writes" | grep -E ' [TtDdBb] (walker_|program_load|bases_find|pinned_look)' || true)
[ -z "$walker" ] || {
	echo "write tracking pulls in the walker: $walker"
	exit 1
}
"$dir/writes" || echo "it links; this kernel has no write tracking"
echo "write tracking alone links without libbpf and without the walker"
