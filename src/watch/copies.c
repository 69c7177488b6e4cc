/* SPDX-License-Identifier: MIT */
/*
 * This file follows private copies of file pages.
 *
 * A write to a page of a private file mapping makes a copy, and the tracker reports it. MADV_DONTNEED gives the copy
 * up, and the file's contents are back; the kernel keeps the protection for the page that may come, and reports
 * nothing. So the tracker remembers where there are copies, and reports those that are there no more. A page that is
 * not present may also have been swapped out, which cannot be told without privileges: it is reported, and stays
 * remembered.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "watch/tracker.h"

/* Of `gone`, what may be swapped out only. */
static int find_swapped(struct tide_watch *watch, const struct intervals *gone, struct intervals *swapped)
{
	for (size_t i = 0; i < gone->v.nr; i++) {
		struct pagescan match = {
			.start = gone->v.items[i].start,
			.end = gone->v.items[i].end,
			.all_of = PAGESCAN_SWAPPED,
			.returned = PAGESCAN_SWAPPED,
		};
		int result = watch_each_region(watch, &match, watch_add_region, swapped);

		if (result < 0)
			return result;
	}
	return 0;
}

int watch_copies_gone(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *gone,
                      struct intervals *present)
{
	/* Present, and not the file's. */
	struct pagescan match = {
		.start = start,
		.end = end,
		.all_of = PAGESCAN_PRESENT | PAGESCAN_FILE,
		.inverted = PAGESCAN_FILE,
		.returned = PAGESCAN_PRESENT,
	};
	struct interval part, hole;
	int result = watch_each_region(watch, &match, watch_add_region, present);

	for (uint64_t at = start; result == 0 && intervals_next(&watch->copies, at, end, &part); at = part.end)
		for (uint64_t from = part.start; result == 0 && intervals_next_gap(present, from, part.end, &hole);
		     from = hole.end)
			result = intervals_add(gone, hole.start, hole.end);
	return result;
}

static int update(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *gone,
                  struct intervals *present, struct intervals *swapped, struct runs *out)
{
	int result = watch_copies_gone(watch, start, end, gone, present);

	if (result == 0)
		result = find_swapped(watch, gone, swapped);
	for (size_t i = 0; i < gone->v.nr && result == 0; i++)
		result = runs_push(out, gone->v.items[i].start, gone->v.items[i].end, TIDE_OVER, TIDE_WHY_FREED);
	/* Only what changed: most stay what they were, and a change in the midst of many is dear. */
	for (size_t i = 0; i < gone->v.nr && result == 0; i++)
		result = intervals_remove(&watch->copies, gone->v.items[i].start, gone->v.items[i].end);
	for (size_t i = 0; i < present->v.nr && result == 0; i++)
		result = intervals_add(&watch->copies, present->v.items[i].start, present->v.items[i].end);
	for (size_t i = 0; i < swapped->v.nr && result == 0; i++)
		result = intervals_add(&watch->copies, swapped->v.items[i].start, swapped->v.items[i].end);
	return result;
}

int watch_copies(struct tide_watch *watch, uint64_t start, uint64_t end, struct runs *out, struct tide_error *err)
{
	struct intervals gone = { 0 }, present = { 0 }, swapped = { 0 };
	int result = update(watch, start, end, &gone, &present, &swapped, out);

	intervals_fini(&gone);
	intervals_fini(&present);
	intervals_fini(&swapped);
	if (result == 0)
		return 0;
	watch_owe(watch, start, end);
	return watch_failed(watch, result, "look at", err);
}
