/* SPDX-License-Identifier: MIT */
/* This file prepares and checks sampled pages: protect, and see later whether a write has lifted it. */
#include <errno.h>

#include "sensor/writes.h"

/* A page of hugetlb memory, whole. */
static int arm_hugetlb(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	int64_t categories = tracked_look(tracked, addr);

	if (categories < 0)
		return tracked_failed(tracked, (int)categories, "look at", err);
	before->page = PAGE_ABSENT;
	return categories == 0 ? 0 : tracked_arm(tracked, addr, before, err);
}

/* Why a scan that arms found nothing to arm: it is armed already, there is nothing, or it is a huge page. */
static int look_again(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	int64_t categories = tracked_look(tracked, addr);

	if (categories < 0)
		return tracked_failed(tracked, (int)categories, "look at", err);
	if (categories == 0)
		before->page = PAGE_ABSENT;
	else if (!(categories & PAGESCAN_WRITTEN))
		before->page = PAGE_ARMED;
	else
		page_before_stick(before, TIDE_REASON_HUGE);
	return 0;
}

/*
 * What is there, base pages only, is protected by the call that looks: part of a huge page must never be, and a page
 * that is not there would cost a page table.
 */
static int arm_page(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	struct pagescan_region region;
	struct pagescan scan = {
		.start = addr,
		.end = addr + TRACKED_PAGE,
		.flags = PAGESCAN_REARM | PAGESCAN_CHECK_ASYNC,
		.inverted = PAGESCAN_HUGE,
		.all_of = PAGESCAN_WRITTEN | PAGESCAN_HUGE,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
	};
	long result = tracked_pagescan(tracked, &scan, &region, 1);

	tracked->cost.nr_read++;
	tracked->cost.nr_cleared += result > 0;
	if (result < 0) /* EPERM: it is not registered, as ENOENT elsewhere. */
		return tracked_not_armed(tracked, addr, result == -EPERM ? -ENOENT : (int)result, before, err);
	if (result == 0)
		return look_again(tracked, addr, before, err);
	before->page = PAGE_ARMED;
	return 0;
}

/* What is there outside of the mappings of the last update came since: it is not registered yet. */
static int arm_unknown(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	int64_t categories = tracked_look(tracked, addr);

	if (categories < 0)
		return tracked_failed(tracked, (int)categories, "look at", err);
	if (categories != 0)
		page_before_stick(before, TIDE_REASON_UNTRACKED);
	return 0;
}

static int arm(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	const struct tracked_mapping *mapping = tracked_mapping_from(tracked, addr);

	*before = (struct page_before){ .page = PAGE_UNMAPPED, .shift = 12 };
	if (mapping == NULL || mapping->start > addr)
		return arm_unknown(tracked, addr, before, err);
	if (mapping->standing == TRACKED_SEALED) {
		before->page = PAGE_SEALED;
		return 0;
	}
	if (mapping->standing != TRACKED_YES) {
		page_before_stick(before, TIDE_REASON_UNTRACKED);
		return 0;
	}
	if (mapping->page_bytes == TRACKED_PAGE)
		return arm_page(tracked, addr, before, err);
	before->shift = (uint8_t)__builtin_ctz(mapping->page_bytes);
	return arm_hugetlb(tracked, addr, before, err);
}

int writes_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	return tracked_prepare(state, arm, checks, nr, err);
}

int writes_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct tracked *tracked = state;

	for (size_t i = 0; i < nr; i++) {
		struct page_before before;
		int64_t categories = tracked_look(tracked, checks[i].addr);

		page_before_unpack(&before, &checks[i]);
		if (categories >= 0 && writes_is_fresh(&before, (uint64_t)categories)) {
			int64_t closer = tracked_look_closely(tracked, checks[i].addr);

			categories = closer < 0 ? closer : categories | closer;
		}
		if (categories < 0)
			return tracked_failed(tracked, (int)categories, "look at", err);
		writes_judge(&before, (uint64_t)categories, &checks[i]);
	}
	return 0;
}
