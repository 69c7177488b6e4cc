/* SPDX-License-Identifier: MIT */
/*
 * This file arms memory that has become populated.
 *
 * Only what has page tables is armed: protection of a page that is not there is a marker in a page table, and an
 * untouched terabyte would cost two gigabytes of those. So between two collects pages may appear where nothing is
 * armed. The next collect finds them: in a private mapping that was tracked before, an anonymous page there was written
 * since, as there was none; a page of the file, or the zero page, was only read.
 *
 * The order keeps what is written meanwhile: first arm the whole page table, then ask which pages it has. A page that
 * appears between the two is reported and was armed in time to be reported again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "target/target.h"
#include "watch/tracker.h"

enum {
	POPULATED_PAGES = 8192, /* asked for at once */
};

#define HOLE_BYTES ((uint64_t)64 << 30) /* ... in so many bytes */
/* What classify() says of a page that was only read: never leaves this file. */
#define ONLY_READ TIDE_NR_WHYS

#define KINDS (PAGESCAN_PRESENT | PAGESCAN_SWAPPED | PAGESCAN_HUGE | PAGESCAN_ZERO | PAGESCAN_FILE)

static uint64_t block_down(uint64_t at)
{
	return at & ~(WATCH_BLOCK - 1);
}

static uint64_t clip(uint64_t at, uint64_t low, uint64_t high)
{
	return at < low ? low : at > high ? high : at;
}

struct appearance {
	struct tide_watch *watch;
	const struct tide_mapping *mapping;
	struct runs *out;
};

/* What a populated run of a block that has just been armed says about writes. */
static int classify(void *arg, const struct pagescan_region *region)
{
	const struct appearance *self = arg;
	struct tide_watch *watch = self->watch;
	struct interval part;
	bool is_new;

	if (region->categories & PAGESCAN_HUGE && !(region->categories & PAGESCAN_ZERO) &&
	    intervals_add(&watch->huge, region->start, region->end) < 0)
		return -ENOMEM;
	/* In the first epoch it may have been written and freed again, after somebody copied all that was there. */
	is_new = intervals_next(&watch->fresh, region->start, region->end, &part) ||
	         (watch->last.number == 0 && region->categories & (PAGESCAN_FILE | PAGESCAN_ZERO));
	if (is_new || region->categories & PAGESCAN_SWAPPED)
		return runs_push(self->out, region->start, region->end, TIDE_OVER, TIDE_WHY_NEW);
	if (region->categories & (PAGESCAN_FILE | PAGESCAN_ZERO))
		return runs_push(self->out, region->start, region->end, TIDE_EXACT, ONLY_READ);
	if (region->categories & PAGESCAN_HUGE)
		return runs_push(self->out, region->start, region->end, TIDE_OVER, TIDE_WHY_HUGE);
	return runs_push(self->out, region->start, region->end, TIDE_EXACT, TIDE_WHY_NONE);
}

/* Has the process anything in swap? A dead main thread does not say. */
static bool may_have_swapped(struct tide_target *target)
{
	struct procfs_status status;
	char path[32], text[4096];
	ssize_t size;
	pid_t tid;

	if (target_live_thread(target, &tid, NULL) < 0)
		return true;
	snprintf(path, sizeof(path), "task/%d/status", tid);
	size = procfs_read(target_procfs(target), path, text, sizeof(text));
	return size < 0 || procfs_parse_status(text, (size_t)size, &status) < 0 || status.swapped_bytes > 0;
}

static bool covers(const struct runs *runs, uint64_t start, uint64_t end)
{
	uint64_t size = 0;

	for (size_t i = 0; i < runs->v.nr; i++)
		size += runs->v.items[i].end - runs->v.items[i].start;
	return size == end - start;
}

/* Lays what is there now upon what was there before, and drops what was only read. What is listed is told by grains. */
static int compare(const struct appearance *self, uint64_t start, uint64_t end, const struct runs *before,
                   const struct runs *present)
{
	uint64_t grain = watch_is_listed(self->watch, start) ? self->watch->granularity : WATCH_PAGE;
	struct runs all = { 0 };
	int result = runs_overlay(&all, before, present);
	uint64_t told = start;

	for (size_t i = 0; i < all.v.nr && result == 0; i++) {
		const struct tide_run *run = &all.v.items[i];
		uint64_t from = clip(run->start & ~(grain - 1), told, end);

		if (run->why == ONLY_READ)
			continue;
		told = clip((run->end + grain - 1) & ~(grain - 1), told, end);
		result = runs_push(self->out, from, told, run->certainty, run->why);
	}
	vec_free(&all.v);
	return result;
}

/*
 * The pages of a block that was just armed. Holes have markers now, which look as if swapped or on the move; so what
 * was there `before` and is not present now is reported. Where the process has swapped at all, markers are not told
 * apart.
 */
static int report(struct appearance *self, uint64_t start, uint64_t end, const struct runs *before)
{
	struct runs present = { 0 };
	struct appearance inner = { self->watch, self->mapping, &present };
	struct pagescan match = { .start = start, .end = end, .any_of = PAGESCAN_PRESENT, .returned = KINDS };
	int result = watch_each_region(self->watch, &match, classify, &inner);

	if (result == 0 && !covers(&present, start, end) && may_have_swapped(self->watch->target)) {
		present.v.nr = 0;
		match.any_of |= PAGESCAN_SWAPPED;
		result = watch_each_region(self->watch, &match, classify, &inner);
	}
	if (result == 0)
		result = compare(self, start, end, before, &present);
	vec_free(&present.v);
	return result;
}

/* Arms [start, end) in steps that let writers of the mmap lock pass. 0 or -errno, and what was done is noted. */
static int arm(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t step = watch_arm_end(start, end);
		int result;

		watch->now.nr_calls++;
		result = watch->backend->arm(watch->state, start, step);
		if (result == 0)
			result = intervals_add(&watch->armed, start, step);
		if (result < 0)
			return result;
		start = step;
	}
	return 0;
}

/* Cannot be armed now: what is there is reported, in this epoch and the next. */
static int leave(struct appearance *self, uint64_t start, uint64_t end)
{
	int result = intervals_add(&self->watch->doubtful, start, end);

	return result < 0 ? result : runs_push(self->out, start, end, TIDE_OVER, TIDE_WHY_ERROR);
}

/* Arms and reports whole blocks. */
static int take(struct appearance *self, uint64_t start, uint64_t end, const struct runs *before,
                struct tide_error *err)
{
	struct tide_watch *watch = self->watch;
	int result = arm(watch, start, end);

	if (result == -ENOENT || result == -EPERM) {
		/* Another mapping at the place of the one that we knew. */
		result = watch_enlist_again(watch, self->mapping, err);
		if (result < 0)
			return result;
		result = result > 0 ? arm(watch, start, end) : -EPERM;
	}
	if (result == -ESRCH)
		return watch_failed(watch, result, "arm", err);
	if (result == 0) {
		result = report(self, start, end, before);
		if (result == 0)
			result = intervals_remove(&watch->doubtful, start, end);
	} else {
		result = leave(self, start, end);
	}
	if (result < 0) {
		watch_owe(watch, start, end);
		return watch_failed(watch, result, "arm", err);
	}
	return 0;
}

/* How far holes may be armed, too, from `start` on: up to the bound on page tables that it makes. */
static uint64_t holes_until(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	uint64_t until = clip(block_down(start) + WATCH_ARM_BYTES, start, end);
	uint64_t tables = (until - start + WATCH_BLOCK - 1) / WATCH_BLOCK * WATCH_PAGE;

	if (!watch->arm_holes || watch->now.table_bytes + tables > watch->max_table_bytes)
		return start;
	watch->now.table_bytes += tables;
	return until;
}

static int note_before(void *arg, const struct pagescan_region *region)
{
	return runs_push(arg, region->start, region->end, TIDE_OVER, TIDE_WHY_NEW);
}

/* With its holes. A page that is on the move while it is armed looks as the marker of one does. */
static int take_all(struct appearance *self, uint64_t start, uint64_t end, struct tide_error *err)
{
	struct pagescan there = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
	};
	struct runs before = { 0 };
	int result = watch_each_region(self->watch, &there, note_before, &before);

	if (result == 0)
		result = take(self, start, end, &before, err);
	else
		watch_failed(self->watch, result, "look at", err);
	vec_free(&before.v);
	return result;
}

/* Populated runs of one scan, gathered to whole blocks. */
static int take_populated(struct appearance *self, const struct pagescan_region *regions, long nr, uint64_t start,
                          uint64_t end, uint64_t *next, struct tide_error *err)
{
	int result = 0;

	for (long i = 0; i < nr && result == 0;) {
		uint64_t first = clip(block_down(regions[i].start), start, end);
		uint64_t last = first;
		struct runs before = { 0 };

		for (; i < nr && result == 0 && block_down(regions[i].start) <= last; i++) {
			last = clip(block_down(regions[i].end - 1) + WATCH_BLOCK, start, end);
			result = runs_push(&before, regions[i].start, regions[i].end, TIDE_OVER, TIDE_WHY_NEW);
		}
		if (result == 0)
			result = take(self, first, last, &before, err);
		else
			error_system(err, result, "cannot note a run");
		vec_free(&before.v);
		if (last > *next)
			*next = last;
	}
	return result;
}

int watch_appear(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                 struct runs *out, uint64_t *next, struct tide_error *err)
{
	struct appearance self = { watch, mapping, out };
	struct pagescan scan = {
		.start = start,
		.end = clip(start + HOLE_BYTES, start, end),
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = KINDS,
		.max_pages = POPULATED_PAGES,
	};
	long nr;

	*next = holes_until(watch, start, end);
	if (*next > start)
		return take_all(&self, start, *next, err);
	watch->now.nr_calls++;
	nr = pagescan(watch->pagemap, &scan, watch->regions, WATCH_NR_REGIONS);
	*next = scan.next;
	if (nr == -ESRCH)
		return watch_failed(watch, -ESRCH, "look at", err);
	if (nr < 0 || scan.next <= start) {
		*next = scan.end;
		return leave(&self, start, scan.end) < 0 ? error_system(err, -ENOMEM, "cannot note a run") : 0;
	}
	return take_populated(&self, watch->regions, nr, start, end, next, err);
}
