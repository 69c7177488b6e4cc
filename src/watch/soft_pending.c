/* SPDX-License-Identifier: MIT */
/* This file keeps what soft-dirty bits said until it is collected. */
#include <errno.h>
#include <stdlib.h>

#include "watch/soft_dirty.h"

#define PAGE_BYTES ((uint64_t)4096)
#define LAST_PAGE  (~(uint64_t)0 & ~(PAGE_BYTES - 1))

/* The strongest first. */
static const enum tide_why order[SOFT_NR_WHYS] = {
	TIDE_WHY_ERROR, TIDE_WHY_REFUSED, TIDE_WHY_BOUND, TIDE_WHY_NEW, TIDE_WHY_ABSENT, TIDE_WHY_REUSED, TIDE_WHY_SOFT,
};

enum {
	AT_ERROR = 0,
};

int soft_pend(struct soft_pending *pending, enum tide_why why, uint64_t start, uint64_t end)
{
	size_t i = 0;

	while (i < SOFT_NR_WHYS - 1 && order[i] != why)
		i++;
	return intervals_add(&pending->of[i], start, end);
}

int soft_pend_all_of(struct soft_pending *pending, enum tide_why why, const struct intervals *set)
{
	int result = 0;

	for (size_t i = 0; i < set->v.nr && result == 0; i++)
		result = soft_pend(pending, why, set->v.items[i].start, set->v.items[i].end);
	return result;
}

int soft_pend_reserve(struct soft_pending *pending)
{
	return vec_reserve(&pending->of[AT_ERROR].v, 1);
}

void soft_pend_all(struct soft_pending *pending)
{
	intervals_clear(&pending->of[AT_ERROR]);
	intervals_add(&pending->of[AT_ERROR], 0, LAST_PAGE);
}

/* The first run from `at` on, with the strongest reason that it has all through. */
static bool first_run(const struct soft_pending *pending, uint64_t at, uint64_t end, struct pagescan_region *run)
{
	struct interval part;

	run->start = run->end = end;
	for (size_t i = 0; i < SOFT_NR_WHYS; i++) {
		if (!intervals_next(&pending->of[i], at, end, &part))
			continue;
		if (part.start < run->start)
			*run = (struct pagescan_region){
				part.start,
				part.end < run->start ? part.end : run->start,
				order[i],
			};
	}
	return run->start < end;
}

long soft_pending_read(const struct soft_pending *pending, uint64_t start, uint64_t end, uint64_t max_pages,
                       struct pagescan_region *runs, size_t nr, uint64_t *next)
{
	uint64_t left = max_pages > 0 ? max_pages * PAGE_BYTES : UINT64_MAX;
	size_t got = 0;

	*next = start;
	while (got < nr && left > 0 && first_run(pending, *next, end, &runs[got])) {
		struct pagescan_region *run = &runs[got++];

		if (run->end - run->start > left)
			run->end = run->start + left;
		left -= run->end - run->start;
		*next = run->end;
	}
	if (got < nr && left > 0)
		*next = end;
	return (long)got;
}

int soft_pending_drop(struct soft_pending *pending, uint64_t start, uint64_t end)
{
	int result = 0;

	for (size_t i = 0; i < SOFT_NR_WHYS && result == 0; i++)
		result = intervals_remove(&pending->of[i], start, end);
	return result;
}

int soft_pending_keep(struct soft_pending *pending, const struct intervals *keep)
{
	int result = 0;

	for (size_t i = 0; i < SOFT_NR_WHYS && result == 0; i++)
		result = intervals_keep(&pending->of[i], keep);
	return result;
}

int soft_pending_copy(struct soft_pending *to, const struct soft_pending *from, uint64_t start, uint64_t end)
{
	int result = 0;

	for (size_t i = 0; i < SOFT_NR_WHYS && result == 0; i++)
		result = intervals_add_part(&to->of[i], &from->of[i], start, end);
	return result;
}

void soft_pending_fini(struct soft_pending *pending)
{
	for (size_t i = 0; i < SOFT_NR_WHYS; i++)
		intervals_fini(&pending->of[i]);
}
