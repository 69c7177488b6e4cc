/* SPDX-License-Identifier: MIT */
/* This file tracks the writes to an arena: by userfaultfd and PAGEMAP_SCAN, or by soft-dirty bits. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "verify/arena.h"

/* Bits of an entry of /proc/PID/pagemap. */
#define ENTRY_SOFT_DIRTY (1ull << 55)
#define ENTRY_SWAPPED    (1ull << 62)

static int start_uffd(struct arena *arena)
{
	uint64_t start = (uint64_t)(uintptr_t)arena->start;

	arena->uffd = sys_userfaultfd(O_CLOEXEC | UFFD_USER_ONLY);
	if (arena->uffd < 0)
		arena_failed(arena, arena->uffd, "userfaultfd(2)");
	else
		arena_failed(arena, uffd_api(arena->uffd, UFFD_WP_UNPOPULATED | UFFD_WP_ASYNC),
		             "asynchronous write protection by userfaultfd");
	if (arena->error < 0)
		return arena->error;
	return uffd_register(arena->uffd, start, start + (uint64_t)ARENA_PAGES * ARENA_PAGE);
}

static int scan(struct arena *arena, bool *seen, uint64_t flags)
{
	uint64_t start = (uint64_t)(uintptr_t)arena->start;
	struct pagescan_region regions[64] = { 0 };
	struct pagescan scan = {
		.start = start,
		.end = start + (uint64_t)ARENA_PAGES * ARENA_PAGE,
		.flags = flags | PAGESCAN_CHECK_ASYNC,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
	};

	while (scan.start < scan.end) {
		long nr = pagescan(arena->pagemap, &scan, regions, sizeof(regions) / sizeof(regions[0]));

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++)
			for (uint64_t at = regions[i].start; at < regions[i].end; at += ARENA_PAGE)
				seen[(at - start) / ARENA_PAGE] = true;
		if (scan.next <= scan.start)
			return -EIO;
		scan.start = scan.next;
	}
	return 0;
}

bool arena_is_huge(struct arena *arena, unsigned page)
{
	uint64_t start = (uint64_t)(uintptr_t)(arena->start + (size_t)page * ARENA_PAGE);
	struct pagescan_region region = { 0 };
	struct pagescan scan = {
		.start = start,
		.end = start + ARENA_PAGE,
		.all_of = PAGESCAN_HUGE,
		.returned = PAGESCAN_HUGE,
	};

	return arena->error == 0 && pagescan(arena->pagemap, &scan, &region, 1) == 1;
}

static int collect_uffd(struct arena *arena, bool *seen)
{
	return scan(arena, seen, PAGESCAN_REARM);
}

static int look_uffd(struct arena *arena, bool *seen)
{
	return scan(arena, seen, 0);
}

const struct arena_tracker arena_uffd = {
	.name = "userfaultfd",
	.start = start_uffd,
	.collect = collect_uffd,
	.look = look_uffd,
};

static int start_soft_dirty(struct arena *arena)
{
	arena->clear_refs = sys_open("/proc/self/clear_refs", O_WRONLY);
	return arena->clear_refs < 0 ? arena->clear_refs : 0;
}

static int entries(struct arena *arena, uint64_t *entry)
{
	size_t size = ARENA_PAGES * sizeof(entry[0]);
	off_t offset = (off_t)((uintptr_t)arena->start / ARENA_PAGE * sizeof(entry[0]));
	ssize_t got = sys_pread(arena->pagemap, entry, size, offset);

	if (got < 0)
		return (int)got;
	return (size_t)got == size ? 0 : -EIO;
}

static int look_soft_dirty(struct arena *arena, bool *seen)
{
	uint64_t entry[ARENA_PAGES];
	int result = entries(arena, entry);

	for (unsigned i = 0; result == 0 && i < ARENA_PAGES; i++)
		seen[i] = (entry[i] & ENTRY_SOFT_DIRTY) != 0;
	return result;
}

/* Nobody else writes to the arena, so nothing falls between the two. */
static int collect_soft_dirty(struct arena *arena, bool *seen)
{
	int result = look_soft_dirty(arena, seen);
	ssize_t put = result < 0 ? result : sys_pwrite(arena->clear_refs, "4", 1, 0);

	return put < 0 ? (int)put : 0;
}

const struct arena_tracker arena_soft_dirty = {
	.name = "soft-dirty",
	.start = start_soft_dirty,
	.collect = collect_soft_dirty,
	.look = look_soft_dirty,
};

unsigned arena_nr_swapped(struct arena *arena)
{
	uint64_t entry[ARENA_PAGES];
	unsigned nr = 0;
	int result = arena->error < 0 ? 0 : entries(arena, entry);

	if (result < 0)
		arena_failed(arena, result, "reading /proc/self/pagemap");
	for (unsigned i = 0; arena->error == 0 && i < ARENA_PAGES; i++)
		nr += (entry[i] & ENTRY_SWAPPED) != 0;
	return nr;
}
