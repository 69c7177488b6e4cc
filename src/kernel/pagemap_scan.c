/* SPDX-License-Identifier: MIT */
/* This file answers as PAGEMAP_SCAN does where the kernel has none: from the entries of pagemap. */
#include "kernel/pagemap.h"

#include <stdbool.h>
#include <unistd.h>

#include "kernel/pagescan.h"

enum {
	NR_ENTRIES = 512,
};

static bool matches(const struct pagescan *scan, uint64_t categories)
{
	categories ^= scan->inverted;
	return (categories & scan->all_of) == scan->all_of && (scan->any_of == 0 || (categories & scan->any_of) != 0);
}

struct answer {
	struct pagescan *scan;
	struct pagescan_region *regions;
	size_t max;
	size_t nr;
	uint64_t left; /* pages that may still be found */
};

/* Takes [start, end), which matches, as far as there is room; false: no further. */
static bool take(struct answer *answer, uint64_t start, uint64_t end, uint64_t categories, uint64_t page)
{
	struct pagescan_region *last = answer->nr > 0 ? &answer->regions[answer->nr - 1] : NULL;
	bool joins = last != NULL && last->end == start && last->categories == categories;

	if (!joins && answer->nr == answer->max)
		return false;
	if (!joins) {
		last = &answer->regions[answer->nr++];
		*last = (struct pagescan_region){ start, start, categories };
	}
	if ((end - start) / page > answer->left)
		end = start + answer->left * page;
	answer->left -= (end - start) / page;
	last->end = answer->scan->next = end;
	return answer->left > 0;
}

long pagemap_scan(int fd, struct pagescan *scan, struct pagescan_region *regions, size_t nr)
{
	struct answer answer = { scan, regions, nr, 0, scan->max_pages > 0 ? scan->max_pages : UINT64_MAX };
	uint64_t entries[NR_ENTRIES];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (scan->next = scan->start; scan->next < scan->end;) {
		uint64_t start = scan->next, wanted = (scan->end - start) / page;
		long got = pagemap_read(fd, start, entries, wanted < NR_ENTRIES ? wanted : NR_ENTRIES);

		if (got < 0)
			return got;
		if (got == 0)
			scan->next = scan->end; /* nothing is mapped so high */
		for (size_t i = 0, after; i < (size_t)got; i = after) {
			uint64_t categories = pagemap_categories(entries[i]);

			after = pagemap_run(entries, i, (size_t)got);
			if (matches(scan, categories) &&
			    !take(&answer, start + i * page, start + after * page, categories & scan->returned, page))
				return (long)answer.nr;
			scan->next = start + after * page;
		}
	}
	return (long)answer.nr;
}
