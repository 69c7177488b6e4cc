/* SPDX-License-Identifier: MIT */
/* This file prepares sampled pages for the sensors that stand on userfaultfd: each page is armed once. */
#include <errno.h>

#include "sensor/tracked.h"

int tracked_not_armed(struct tracked *tracked, uint64_t addr, int result, struct page_before *before,
                      struct tide_error *err)
{
	uint64_t bytes = UINT64_C(1) << before->shift;
	uint64_t start = addr / bytes * bytes;

	if (result == -EINVAL) {
		page_before_stick(before, TIDE_REASON_REFUSED);
	} else if (result == -ENOENT) {
		tracked_lose(tracked, start, start + bytes);
		page_before_stick(before, TIDE_REASON_UNTRACKED);
	} else {
		return tracked_failed(tracked, result, "protect", err);
	}
	return 0;
}

int tracked_arm(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err)
{
	uint64_t bytes = UINT64_C(1) << before->shift;
	uint64_t start = addr / bytes * bytes;
	int result = tracked_protect(tracked, start, start + bytes);

	if (result < 0)
		return tracked_not_armed(tracked, addr, result, before, err);
	before->page = PAGE_ARMED;
	return 0;
}

int tracked_prepare(struct tracked *tracked, tracked_arm_fn *arm, struct tide_check *checks, size_t nr,
                    struct tide_error *err)
{
	struct page_before before = { 0 };
	uint64_t covered = 0; /* end of the page that `before` tells of */

	for (size_t i = 0; i < nr; i++) {
		if (checks[i].addr >= covered) {
			int result = arm(tracked, checks[i].addr, &before, err);

			if (result < 0)
				return result;
			covered = 0;
			if (before.page == PAGE_ARMED)
				covered = ((checks[i].addr >> before.shift) + 1) << before.shift;
		}
		page_before_pack(&before, &checks[i]);
	}
	return 0;
}
