/* SPDX-License-Identifier: MIT */
/* This file makes the calls on a tracked target's memory, and counts what they cost. */
#include <errno.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "sensor/tracked.h"

static void count(struct tracked *tracked, uint64_t began_ns)
{
	uint64_t took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;

	tracked->cost.nr_calls++;
	if (took_ns > tracked->cost.longest_hold_ns)
		tracked->cost.longest_hold_ns = took_ns;
}

int tracked_protect(struct tracked *tracked, uint64_t start, uint64_t end)
{
	int result;

	do { /* The mappings may be changing under way. */
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);

		result = tracked->kind->protect(tracked->uffd, start, end);
		count(tracked, began_ns);
	} while (result == -EAGAIN);
	tracked->cost.nr_cleared += result == 0;
	return result;
}

long tracked_pagescan(struct tracked *tracked, struct pagescan *scan, struct pagescan_region *regions, size_t nr)
{
	long result;

	do {
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);

		result = pagescan(tracked->pagemap, scan, regions, nr);
		count(tracked, began_ns);
	} while (result == -EINTR);
	return result;
}

int64_t tracked_look(struct tracked *tracked, uint64_t addr)
{
	uint64_t entry;
	uint64_t categories;
	long got = pagemap_read(tracked->pagemap, addr, &entry, 1);

	tracked->cost.nr_calls++;
	tracked->cost.nr_read++;
	if (got <= 0)
		return got < 0 ? got : -ESRCH;
	categories = pagemap_categories(entry);
	/* Where there is no page, the mapping's own soft-dirty flag may show. */
	return categories & (PAGESCAN_PRESENT | PAGESCAN_SWAPPED) ? (int64_t)categories : 0;
}

int64_t tracked_look_closely(struct tracked *tracked, uint64_t addr)
{
	struct pagescan_region region = { 0 };
	struct pagescan scan = {
		.start = addr,
		.end = addr + TRACKED_PAGE,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT | PAGESCAN_SWAPPED | PAGESCAN_HUGE | PAGESCAN_FILE | PAGESCAN_ZERO,
	};
	long result = tracked_pagescan(tracked, &scan, &region, 1);

	tracked->cost.nr_read++;
	return result <= 0 ? result : (int64_t)region.categories;
}

int tracked_failed(struct tracked *tracked, int code, const char *what, struct tide_error *err)
{
	if (tide_target_valid(tracked->target, err) == 0)
		return -ESRCH;
	return error_system(err, code, "cannot %s the memory of process %d (%s)", what,
	                    tide_target_pid(tracked->target), tide_target_name(tracked->target));
}
