/* SPDX-License-Identifier: MIT */
/* This file prepares and checks sampled pages: protect, and see later whether an access has lifted it. */
#include "sensor/rwp.h"

#define HUGE_SHIFT 21u

static int arm(struct tracked *rwp, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	const struct tracked_mapping *mapping = tracked_mapping_from(rwp, addr);
	int64_t categories;

	*before = (struct page_before){ .page = PAGE_UNMAPPED };
	if (mapping == NULL || mapping->start > addr)
		return 0;
	categories = tracked_look_closely(rwp, addr);
	if (categories < 0)
		return tracked_failed(rwp, (int)categories, "look at", err);
	before->is_file = (categories & PAGESCAN_FILE) != 0;
	before->shift = mapping->page_bytes > TRACKED_PAGE ? (uint8_t)__builtin_ctz(mapping->page_bytes)
	                : categories & PAGESCAN_HUGE       ? HUGE_SHIFT
	                                                   : 12;
	if (categories == 0)
		before->page = mapping->standing == TRACKED_YES ? PAGE_ABSENT_SEEN : PAGE_ABSENT;
	else if (mapping->standing != TRACKED_YES || rwp_unmaps(mapping, (uint64_t)categories))
		page_before_stick(before, TIDE_REASON_UNTRACKED);
	else
		/* Never part of a huge page, which would split it. */
		return tracked_arm(rwp, addr, before, err);
	return 0;
}

int rwp_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	return tracked_prepare(state, arm, checks, nr, err);
}

/* Is the huge page that was protected one still? hugetlb's are never anything else. */
static int is_whole(struct tracked *rwp, const struct page_before *before, uint64_t addr, struct tide_error *err)
{
	const struct tracked_mapping *mapping = tracked_mapping_from(rwp, addr);
	int64_t categories;

	if (before->page != PAGE_ARMED || before->shift == 12)
		return 0;
	if (mapping != NULL && mapping->start <= addr && mapping->page_bytes > TRACKED_PAGE)
		return 1;
	categories = tracked_look_closely(rwp, addr);
	if (categories < 0)
		return tracked_failed(rwp, (int)categories, "look at", err);
	return (categories & PAGESCAN_HUGE) != 0;
}

int rwp_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct tracked *rwp = state;

	for (size_t i = 0; i < nr; i++) {
		struct page_before before;
		int64_t categories = tracked_look(rwp, checks[i].addr);
		int whole;

		if (categories < 0)
			return tracked_failed(rwp, (int)categories, "look at", err);
		page_before_unpack(&before, &checks[i]);
		whole = is_whole(rwp, &before, checks[i].addr, err);
		if (whole < 0)
			return whole;
		rwp_judge(&before, (uint64_t)categories, whole > 0, &checks[i]);
	}
	return 0;
}
