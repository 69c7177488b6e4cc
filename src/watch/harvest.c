/* SPDX-License-Identifier: MIT */
/* This file collects what was written where everything is armed. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "watch/tracker.h"

/* A huge page is mapped by base pages from the first write on. */
static int note_split(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	struct interval part;

	if (watch->huge.v.nr == 0 || (watch->granularity == WATCH_BLOCK && watch_is_listed(watch, start)))
		return 0;
	while (intervals_next(&watch->huge, start, end, &part)) {
		uint64_t block = part.start & ~(WATCH_BLOCK - 1);

		if (intervals_add(&watch->split, block, block + WATCH_BLOCK) < 0 ||
		    intervals_remove(&watch->huge, block, block + WATCH_BLOCK) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * [start, end) is armed no more, as its mapping was replaced by another one at the same place, or its neighbour was:
 * all of it is reported, after what is there now has been armed.
 */
static int replaced(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                    struct runs *out, struct tide_error *err)
{
	struct runs ignored = { 0 };
	int result = watch_enlist_again(watch, mapping, err);

	if (result >= 0 && (runs_push(out, start, end, TIDE_OVER, TIDE_WHY_NEW) < 0 ||
	                    (result > 0 && intervals_remove(&watch->doubtful, start, end) < 0)))
		result = error_system(err, -ENOMEM, "cannot note a run");
	while (result > 0 && start < end) {
		int armed = watch_appear(watch, mapping, start, end, &ignored, &start, err);

		ignored.v.nr = 0;
		if (armed < 0)
			result = armed;
	}
	vec_free(&ignored.v);
	return result < 0 ? result : 0;
}

static int push(struct tide_watch *watch, struct runs *out, const struct pagescan_region *run)
{
	enum tide_why why = watch->backend->why != NULL ? watch->backend->why(run) : TIDE_WHY_NONE;

	return runs_push(out, run->start, run->end, why == TIDE_WHY_NONE ? TIDE_EXACT : TIDE_OVER, why);
}

int watch_harvest(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                  uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err)
{
	int result = 0;
	long nr;

	if (max_pages == 0 || max_pages > WATCH_STEP_PAGES)
		max_pages = WATCH_STEP_PAGES;
	nr = watch->backend->collect(watch->state, start, end, max_pages, watch->regions, WATCH_NR_REGIONS, next);
	watch->now.nr_calls++;
	if (nr >= 0 && *next > start && *next <= end) {
		for (long i = 0; i < nr && result == 0; i++) {
			result = push(watch, out, &watch->regions[i]);
			if (result == 0)
				result = note_split(watch, watch->regions[i].start, watch->regions[i].end);
		}
		if (result == 0)
			return 0;
		/* What was armed and cannot be noted, for want of memory. */
		watch_owe(watch, start, *next);
		return error_system(err, result, "cannot note what was written");
	}
	*next = end;
	if (nr == -ESRCH)
		return watch_failed(watch, -ESRCH, "collect", err);
	if (nr == -EPERM) {
		result = replaced(watch, mapping, start, end, out, err);
		if (result < 0)
			watch_owe(watch, start, end);
		return result;
	}
	/* What the kernel passed before the error is armed again, and its writes forgotten. */
	if (runs_push(out, start, end, TIDE_OVER, TIDE_WHY_ERROR) < 0) {
		watch_owe(watch, start, end);
		return error_system(err, -ENOMEM, "cannot note a run");
	}
	return 0;
}
