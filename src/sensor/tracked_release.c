/* SPDX-License-Identifier: MIT */
/* This file leaves the target as it was found: nothing registered, nothing protected. */
#include <errno.h>

#include "kernel/uffd.h"
#include "sensor/tracked.h"

/*
 * Where a step from `start` on ends that holds no more pages than one call may change, about. The mapping is split
 * there for a moment: never inside a huge page, which would be split for good.
 */
static uint64_t step_end(struct tracked *tracked, const struct tracked_mapping *mapping, uint64_t start, uint64_t end)
{
	struct pagescan scan = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
		.max_pages = TRACKED_STEP_PAGES,
	};
	uint64_t step;

	if (mapping->page_bytes > TRACKED_PAGE ||
	    tracked_pagescan(tracked, &scan, tracked->regions, TRACKED_NR_REGIONS) < 0)
		return end;
	step = scan.next & ~(TRACKED_HUGE - 1);
	step = step > start ? step : (start & ~(TRACKED_HUGE - 1)) + TRACKED_HUGE;
	return step < end ? step : end;
}

static void lift(struct tracked *tracked, const struct tracked_mapping *mapping, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t step = step_end(tracked, mapping, start, end);

		/* Splitting the mapping may take it over the target's limit for a moment: then all at once. */
		if (uffd_unregister(tracked->uffd, start, step) == -ENOMEM) {
			(void)uffd_unregister(tracked->uffd, start, end);
			return;
		}
		start = step;
	}
}

/* Mappings that went or moved meanwhile have taken their registration with them. */
void tracked_release(struct tracked *tracked)
{
	const struct tide_layout *layout;

	if (tracked->uffd < 0 || tide_target_valid(tracked->target, NULL) != 1 ||
	    tide_target_refresh(tracked->target, &layout, NULL) < 0)
		return;
	for (size_t i = 0; i < layout->nr_mappings; i++) {
		const struct tide_mapping *now = &layout->mappings[i];
		const struct tracked_mapping *none = tracked->mappings.items + tracked->mappings.nr;
		struct tracked_mapping *mapping = tracked_mapping_from(tracked, now->start);

		for (; mapping != NULL && mapping < none && mapping->start < now->end; mapping++)
			if (mapping->standing >= TRACKED_YES)
				lift(tracked, mapping, mapping->start > now->start ? mapping->start : now->start,
				     mapping->end < now->end ? mapping->end : now->end);
	}
}
