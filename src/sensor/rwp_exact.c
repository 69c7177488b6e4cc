/* SPDX-License-Identifier: MIT */
/*
 * This file is the rwp sensor's part in exact mode: a pass forgets what it saw by protecting it anew.
 *
 * Only what was accessed is protected again, so the cost grows with what is hot. The kernel offers no way to read and
 * protect in one step. A page that is accessed between the two counts for the interval that ends, not for the next as
 * well: no access is missed, since only pages that were accessed anyhow are protected.
 */
#include <errno.h>

#include "base/error.h"
#include "sensor/rwp.h"

int rwp_plan(void *state, struct tide_pass *pass, struct tide_error *err)
{
	struct tracked *rwp = state;
	const struct tide_layout *layout;
	int result;

	if (pass->wanted != TIDE_WAY_AUTO && pass->wanted != TIDE_WAY_RWP)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "the sensor rwp cannot forget by the way %s: it can by rwp",
		                 tide_way_name(pass->wanted));
	pass->way = TIDE_WAY_RWP;
	pass->whole = false;
	rwp->cost.ways |= 1u << TIDE_WAY_RWP;
	/* What was replaced since the last pass would look as if nobody had accessed it. */
	result = tide_target_refresh(rwp->target, &layout, err);
	return result < 0 ? result : tracked_follow(rwp, err);
}

static int forget_step(struct tracked *rwp, uint64_t start, uint64_t end, tide_stuck_fn *stuck, void *arg,
                       struct tide_error *err)
{
	int result = tracked_protect(rwp, start, end);

	if (result == 0)
		return 0;
	if (result == -ESRCH)
		return tracked_failed(rwp, result, "protect", err);
	if (result == -ENOENT)
		tracked_lose(rwp, start, end);
	return stuck(arg, start, end, result == -ENOENT ? TIDE_REASON_UNTRACKED : TIDE_REASON_REFUSED);
}

int rwp_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
               struct tide_error *err)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t step = (uint64_t)TRACKED_STEP_PAGES << runs[i].entry_shift;

		for (uint64_t at = runs[i].start; at < runs[i].end; at += step) {
			uint64_t end = runs[i].end - at < step ? runs[i].end : at + step;
			int result = forget_step(state, at, end, stuck, arg, err);

			if (result != 0)
				return result;
		}
	}
	return 0;
}
