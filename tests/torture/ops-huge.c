/* SPDX-License-Identifier: MIT */
/* This file makes huge pages and takes them apart. */
#include <sys/mman.h>

#include "mutator.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum {
	RW = PROT_READ | PROT_WRITE,
	CHUNK = 16 << 10,
};

static void collapse(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, HUGE, HUGE, &size);

	agreed(m, madvise(at, size, MADV_COLLAPSE) == 0);
	touch(m, at + draw_below(m, HUGE / PAGE) * PAGE, PAGE);
}

/* As the first write after a whole huge page was freed makes one. */
static void fresh(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, HUGE, HUGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	touch(m, at + draw_below(m, HUGE / PAGE) * PAGE, PAGE);
}

static void split_by_unmapping(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, 2 * CHUNK, CHUNK, &size);

	must(munmap(at, size) == 0, "munmap");
	must(mmap(at, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at, "mmap");
	madvise(at, size, MADV_HUGEPAGE);
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static void split_by_protecting(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, 2 * CHUNK, CHUNK, &size);

	must(mprotect(at, size, PROT_READ) == 0, "mprotect");
	must(mprotect(at, size, RW) == 0, "mprotect");
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static void split_by_freeing(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, 2 * CHUNK, PAGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static void store(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, 64 << 10, PAGE, &size);

	touch(m, at, size);
}

static const struct op OPS[] = {
	{ .name = "collapse", .flags = OP_HUGE, .run = collapse },
	{ .name = "huge-fresh", .flags = OP_HUGE, .run = fresh },
	{ .name = "split-munmap", .flags = OP_HUGE, .run = split_by_unmapping },
	{ .name = "split-mprotect", .flags = OP_HUGE, .run = split_by_protecting },
	{ .name = "split-dontneed", .flags = OP_HUGE, .run = split_by_freeing },
	{ .name = "huge-store", .flags = OP_HUGE, .run = store },
	{ 0 },
};

const struct family family_huge = { .name = "huge", .ops = OPS };
