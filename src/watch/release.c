/* SPDX-License-Identifier: MIT */
/* This file leaves the target as it was found: nothing tracked, and huge where it was huge. */
#include <errno.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "target/target.h"
#include "watch/tracker.h"

enum {
	RELEASE_BYTES = 16 << 20, /* armed memory that one call lifts: a third of a millisecond */
	ADVICE_COLLAPSE = 25,     /* MADV_COLLAPSE, Linux 6.1 */
};

/*
 * Where a step from `start` on ends that holds no more armed memory than one call may lift, about. The mapping is split
 * there for a moment: never inside a huge page, which would be split for good.
 */
static uint64_t step_end(const struct tide_watch *watch, uint64_t start, uint64_t end)
{
	uint64_t left = RELEASE_BYTES;
	struct interval part;

	for (uint64_t at = start; intervals_next(&watch->armed, at, end, &part); at = part.end) {
		if (part.end - part.start > left) {
			at = (part.start + left) & ~(WATCH_BLOCK - 1);
			at = at > start ? at : at + WATCH_BLOCK;
			return at < end ? at : end;
		}
		left -= part.end - part.start;
		if (left == 0)
			return part.end;
	}
	return end;
}

static void untrack(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t step = step_end(watch, start, end);

		/* Splitting the mapping may take it over the target's limit for a moment: then all at once. */
		if (watch->backend->untrack(watch->state, start, step) == -ENOMEM)
			step = watch->backend->untrack(watch->state, start, end) == 0 ? end : step;
		start = step;
	}
}

/* Is every page of the block there, mapped by base pages, so that one huge page can take their place? */
static bool can_collapse(struct tide_watch *watch, uint64_t block)
{
	struct pagescan_region region = { 0 };
	struct pagescan scan = {
		.start = block,
		.end = block + WATCH_BLOCK,
		.all_of = PAGESCAN_PRESENT,
		.returned = PAGESCAN_PRESENT | PAGESCAN_HUGE,
	};

	return pagescan(watch->pagemap, &scan, &region, 1) == 1 && region.start == block &&
	       region.end == block + WATCH_BLOCK && !(region.categories & PAGESCAN_HUGE);
}

static void collapse(struct tide_watch *watch, uint64_t block)
{
	struct iovec range = { (void *)(uintptr_t)block, WATCH_BLOCK };

	if (!can_collapse(watch, block))
		return;
	if (tide_target_pid(watch->target) == getpid())
		sys_madvise(range.iov_base, range.iov_len, ADVICE_COLLAPSE);
	else
		sys_process_madvise(tide_target_pidfd(watch->target), &range, 1, ADVICE_COLLAPSE);
}

void watch_release(struct tide_watch *watch)
{
	/* Mappings that went meanwhile have taken their tracking with them. */
	if (tide_target_valid(watch->target, NULL) == 1 &&
	    tide_target_refresh(watch->target, &(const struct tide_layout *){ 0 }, NULL) == 0)
		watch_relayout(watch, NULL);
	for (size_t i = 0; i < watch->tracked.v.nr; i++)
		untrack(watch, watch->tracked.v.items[i].start, watch->tracked.v.items[i].end);
	for (size_t i = 0; i < watch->split.v.nr; i++)
		for (uint64_t at = watch->split.v.items[i].start; at < watch->split.v.items[i].end; at += WATCH_BLOCK)
			collapse(watch, at);
}
