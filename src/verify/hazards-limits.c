/* SPDX-License-Identifier: MIT */
/* This file does what no kernel reports: its interface is made so. Trackers have to live with it. */
#include <stdint.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "verify/hazards.h"

/* A get-and-rearm of all of the arena, into a vector that is not there when there is something to tell. */
static void fail_scan(struct arena *arena)
{
	uint64_t start = (uint64_t)(uintptr_t)arena->start;
	struct pagescan scan = {
		.start = start,
		.end = start + (uint64_t)ARENA_PAGES * ARENA_PAGE,
		.flags = PAGESCAN_REARM | PAGESCAN_CHECK_ASYNC,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
	};

	if (arena->error == 0 && pagescan(arena->pagemap, &scan, (struct pagescan_region *)8, 4) >= 0)
		arena_cannot(arena, "a scan that should fail did not");
}

void hazard_scan_error(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	/* A neighbour that is not registered. */
	arena_unregister(arena, ARENA_BLOCK, 16);
	fail_scan(arena);
	arena_register(arena, ARENA_BLOCK, 16);
	arena_collect(arena);
	/* A vector that cannot be written. */
	arena_write(arena, 4);
	fail_scan(arena);
	arena_collect(arena);
}

void hazard_file_drop(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	arena_collect(arena);
	/* What the file holds shows again. */
	arena_drop(arena, 3, 1);
	arena_collect(arena);
}

void hazard_file_write(struct arena *arena)
{
	ssize_t put;

	arena_arm(arena);
	arena_write(arena, 3);
	put = arena->error < 0 ? 0 : sys_pwrite(arena->file, "x", 1, (off_t)5 * ARENA_PAGE);
	if (put < 0)
		arena_failed(arena, (int)put, "writing to a file");
	arena_changed(arena, 5, 1);
	arena_collect(arena);
}
