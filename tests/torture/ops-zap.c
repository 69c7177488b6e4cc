/* SPDX-License-Identifier: MIT */
/* This file frees pages and lets new ones come in their place. */
#include <sys/mman.h>

#include "mutator.h"

enum {
	MOST = 64 << 10,
};

/* Writes to none, some or all pages of [at, at + size). */
static void refill(struct mutator *m, char *at, size_t size)
{
	uint64_t share = draw_below(m, 3);

	for (size_t i = 0; i < size; i += PAGE)
		if (share > 0 && draw_below(m, share == 1 ? 4 : 1) == 0)
			touch(m, at + i, PAGE);
}

static void dontneed(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	refill(m, at, size);
}

/* What comes back is read first: zero pages, or the file's. */
static void dontneed_read(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	for (size_t i = 0; i < size; i += PAGE)
		(void)*(volatile char *)(at + i);
	refill(m, at, size);
}

static void dontneed_huge(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_THP, HUGE, HUGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	refill(m, at, draw_below(m, 2) == 0 ? PAGE : size);
}

static void lazy_free(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_ANON | AREA_THP, MOST, PAGE, &size);

	must(madvise(at, size, MADV_FREE) == 0, "MADV_FREE");
	refill(m, at, size);
}

static void populate(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	must(madvise(at, size, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE");
	refill(m, at, size);
}

/* What one page table maps: freed, filled, or a part of it freed and read, so that zero pages come. */
static void block_free(struct mutator *m)
{
	char *at = pick_area(m, AREA_THP)->at;

	must(madvise(at, HUGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	note(m, at, HUGE);
}

static void block_fill(struct mutator *m)
{
	char *at = pick_area(m, AREA_THP)->at;

	touch(m, at, HUGE);
	note(m, at, HUGE);
}

static void block_zero(struct mutator *m)
{
	char *at = pick_area(m, AREA_THP)->at + MOST;

	must(madvise(at, MOST, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	for (size_t i = 0; i < MOST; i += PAGE)
		(void)*(volatile char *)(at + i);
	note(m, at, MOST);
}

static const struct op OPS[] = {
	{ .name = "dontneed", .flags = OP_HUGE, .run = dontneed },
	{ .name = "dontneed-read", .flags = OP_HUGE, .run = dontneed_read },
	{ .name = "dontneed-huge", .flags = OP_HUGE, .run = dontneed_huge },
	{ .name = "free", .flags = OP_HUGE, .run = lazy_free },
	{ .name = "populate", .flags = OP_HUGE, .run = populate },
	{ .name = "block-free", .flags = OP_HUGE, .run = block_free },
	{ .name = "block-fill", .flags = OP_HUGE, .run = block_fill },
	{ .name = "block-zero", .flags = OP_HUGE, .run = block_zero },
	{ 0 },
};

const struct family family_zap = { .name = "zap", .ops = OPS };
