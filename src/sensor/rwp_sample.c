/* SPDX-License-Identifier: MIT */
/* This file prepares and checks sampled pages: protect, and see later whether an access has lifted it. */
#include <errno.h>

#include "sensor/rwp.h"

#define HUGE_SHIFT 21u

static void stick(struct rwp_before *before, enum tide_reason reason)
{
	before->page = RWP_STUCK;
	before->reason = reason;
}

/* Protects the (huge) page that is at `addr`: never part of a huge page, which would split it. */
static int protect(struct tracked *rwp, uint64_t addr, struct rwp_before *before, struct tide_error *err)
{
	uint64_t bytes = UINT64_C(1) << before->shift;
	uint64_t start = addr / bytes * bytes;
	int result = tracked_protect(rwp, start, start + bytes);

	if (result == 0) {
		before->page = RWP_ARMED;
	} else if (result == -ENOENT) {
		tracked_lose(rwp, start, start + bytes);
		stick(before, TIDE_REASON_UNTRACKED);
	} else if (result == -EINVAL) {
		stick(before, TIDE_REASON_REFUSED);
	} else {
		return tracked_failed(rwp, result, "protect", err);
	}
	return 0;
}

static int arm(struct tracked *rwp, uint64_t addr, struct rwp_before *before, struct tide_error *err)
{
	const struct tracked_mapping *mapping = tracked_mapping_from(rwp, addr);
	int64_t categories;

	*before = (struct rwp_before){ .page = RWP_UNMAPPED };
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
		before->page = mapping->standing == TRACKED_YES ? RWP_ABSENT_SEEN : RWP_ABSENT;
	else if (mapping->standing != TRACKED_YES || rwp_unmaps(mapping, (uint64_t)categories))
		stick(before, TIDE_REASON_UNTRACKED);
	else
		return protect(rwp, addr, before, err);
	return 0;
}

int rwp_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct rwp_before before = { 0 };
	uint64_t covered = 0; /* end of the page that `before` tells of */

	for (size_t i = 0; i < nr; i++) {
		if (checks[i].addr >= covered) {
			int result = arm(state, checks[i].addr, &before, err);

			if (result < 0)
				return result;
			covered = 0;
			if (before.page == RWP_ARMED)
				covered = ((checks[i].addr >> before.shift) + 1) << before.shift;
		}
		rwp_pack(&before, &checks[i]);
	}
	return 0;
}

/* Is the huge page that was protected one still? hugetlb's are never anything else. */
static int is_whole(struct tracked *rwp, const struct rwp_before *before, uint64_t addr, struct tide_error *err)
{
	const struct tracked_mapping *mapping = tracked_mapping_from(rwp, addr);
	int64_t categories;

	if (before->page != RWP_ARMED || before->shift == 12)
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
		struct rwp_before before;
		int64_t categories = tracked_look(rwp, checks[i].addr);
		int whole;

		if (categories < 0)
			return tracked_failed(rwp, (int)categories, "look at", err);
		rwp_unpack(&before, &checks[i]);
		whole = is_whole(rwp, &before, checks[i].addr, err);
		if (whole < 0)
			return whole;
		rwp_judge(&before, (uint64_t)categories, whole > 0, &checks[i]);
	}
	return 0;
}
