/* SPDX-License-Identifier: MIT */
/* This file asks what pages of a range there are. */
#include <errno.h>

#include "kernel/pagemap.h"
#include "watch/tracker.h"

enum {
	NR_AT_ONCE = 512,
	PAGES_AT_ONCE = 8192, /* keeps the mmap lock well below a millisecond */
};

/* Holes cost next to nothing, but there may be terabytes of them. */
#define BYTES_AT_ONCE ((uint64_t)64 << 30)

int watch_each_region(struct tide_watch *watch, const struct pagescan *match, watch_region_fn *fn, void *arg)
{
	struct pagescan_region regions[NR_AT_ONCE];
	struct pagescan scan = *match;

	for (; scan.start < match->end; scan.start = scan.next) {
		long nr;

		scan.end = match->end - scan.start > BYTES_AT_ONCE ? scan.start + BYTES_AT_ONCE : match->end;
		scan.max_pages = PAGES_AT_ONCE;
		watch->now.nr_calls++;
		nr = watch->has_scan ? pagescan(watch->pagemap, &scan, regions, NR_AT_ONCE)
		                     : pagemap_scan(watch->pagemap, &scan, regions, NR_AT_ONCE);
		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++) {
			int result = fn(arg, &regions[i]);

			if (result != 0)
				return result;
		}
		if (scan.next <= scan.start)
			return -EIO;
	}
	return 0;
}

int watch_add_region(void *set, const struct pagescan_region *region)
{
	return intervals_add(set, region->start, region->end);
}
