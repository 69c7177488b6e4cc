/* SPDX-License-Identifier: MIT */
/* This file leaves the target as it was found: nothing registered, nothing protected. */
#include <errno.h>

#include "kernel/uffd.h"
#include "sensor/rwp.h"

/*
 * Where a step from `start` on ends that holds no more pages than one call may change, about. The mapping is split
 * there for a moment: never inside a huge page, which would be split for good.
 */
static uint64_t step_end(struct rwp_state *rwp, const struct rwp_mapping *mapping, uint64_t start, uint64_t end)
{
	struct pagescan scan = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
		.max_pages = RWP_STEP_PAGES,
	};
	uint64_t step;

	if (mapping->page_bytes > RWP_PAGE || rwp_pagescan(rwp, &scan, rwp->regions, RWP_NR_REGIONS) < 0)
		return end;
	step = scan.next & ~(RWP_HUGE - 1);
	step = step > start ? step : (start & ~(RWP_HUGE - 1)) + RWP_HUGE;
	return step < end ? step : end;
}

static void lift(struct rwp_state *rwp, const struct rwp_mapping *mapping, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t step = step_end(rwp, mapping, start, end);

		/* Splitting the mapping may take it over the target's limit for a moment: then all at once. */
		if (uffd_unregister(rwp->uffd, start, step) == -ENOMEM) {
			(void)uffd_unregister(rwp->uffd, start, end);
			return;
		}
		start = step;
	}
}

/* Mappings that went or moved meanwhile have taken their registration with them. */
void rwp_release(struct rwp_state *rwp)
{
	const struct tide_layout *layout;

	if (rwp->uffd < 0 || tide_target_valid(rwp->target, NULL) != 1 ||
	    tide_target_refresh(rwp->target, &layout, NULL) < 0)
		return;
	for (size_t i = 0; i < layout->nr_mappings; i++) {
		const struct tide_mapping *now = &layout->mappings[i];
		const struct rwp_mapping *none = rwp->mappings.items + rwp->mappings.nr;
		struct rwp_mapping *mapping = rwp_mapping_from(rwp, now->start);

		for (; mapping != NULL && mapping < none && mapping->start < now->end; mapping++)
			if (mapping->standing != RWP_REFUSED)
				lift(rwp, mapping, mapping->start > now->start ? mapping->start : now->start,
				     mapping->end < now->end ? mapping->end : now->end);
	}
}
