/* SPDX-License-Identifier: MIT */
/* This file reports mappings that KSM may merge as a whole. */
#include "watch/soft_merge.h"

int soft_merge_pend(const struct soft_merge *merge, uint64_t start, uint64_t end, struct soft_pending *pending)
{
	const struct intervals *const sets[] = { &merge->was, &merge->is };
	struct interval part;
	int result = 0;

	for (size_t i = 0; i < 2; i++)
		for (uint64_t at = start; result == 0 && intervals_next(sets[i], at, end, &part); at = part.end)
			result = soft_pend(pending, TIDE_WHY_REFUSED, part.start, part.end);
	return result;
}

int soft_merge_look(struct soft_merge *merge, struct tide_target *target, struct soft_pending *pending)
{
	enum merged_state state = merged_look(&merge->merged, target);
	struct intervals was = merge->was;
	int result;

	merge->is_blind = state != MERGED_NOTHING;
	merge->was = merge->is;
	merge->is = was;
	intervals_clear(&merge->is);
	result = state == MERGED_NOW ? merged_find(target, &merge->is) : 0;
	return result == 0 ? soft_merge_pend(merge, 0, ~(uint64_t)0, pending) : result;
}

void soft_merge_fini(struct soft_merge *merge)
{
	intervals_fini(&merge->was);
	intervals_fini(&merge->is);
}
