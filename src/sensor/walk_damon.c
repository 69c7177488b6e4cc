/* SPDX-License-Identifier: MIT */
/*
 * This file is the walk sensor's pass by DAMON (way_damon.h says what that clears, and what not).
 *
 * DAMON is claimed when the first pass wants it, and kept. One clear at the pass's end makes old what was scanned.
 * What a scan after it finds young was left by DAMON, or used since; it cannot be told which, so MADV_COLD clears what
 * it can of it, and the rest is stuck. In the end one look at what was young notes what its folios carry, as DAMON does
 * not leave them as MADV_COLD does. From the pass's begin to then, accesses may be forgotten unseen.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "sensor/walk.h"

#define CLEAR_NS       UINT64_C(5000000) /* of waiting, at least, in one clear */
#define CLEAR_ENTRY_NS 80u               /* and for each entry */
#define BLIND_SHARE    10u               /* of the interval may pass so: 1/10 */
#define CHUNK_ENTRIES  65536u

static int refuse(struct walk_damon *damon, const struct tide_error *why)
{
	way_damon_close(damon->way);
	damon->way = NULL;
	damon->refused = true;
	damon->why = *why;
	if (damon->why.code >= 0)
		damon->why.code = -EOPNOTSUPP;
	return error_prefix(&damon->why, damon->why.code, "the way damon");
}

static void claim(struct walk_state *walk)
{
	struct walk_damon *damon = &walk->exact.damon;
	struct tide_error why = { 0 };

	if (way_damon_probe(&why) <= 0 || way_damon_open(&damon->way, walk->target, &why) < 0)
		refuse(damon, &why);
}

int walk_damon_ready(struct walk_state *walk, const struct tide_pass *pass, struct tide_error *err)
{
	struct walk_damon *damon = &walk->exact.damon;
	uint64_t ns = CLEAR_NS + pass->nr_present * CLEAR_ENTRY_NS;

	if (ns > pass->interval_us * 1000 / BLIND_SHARE)
		return error_set(
		        err, TIDE_CAUSE_USAGE, -EINVAL,
		        "a clear by DAMON would take about %llu ms, and a tenth of the interval at most may be "
		        "lost so: take longer intervals with --aggregation, or the way cold",
		        (unsigned long long)(ns / 1000000));
	if (damon->way == NULL && !damon->refused)
		claim(walk);
	if (damon->way != NULL)
		return 0;
	if (err != NULL)
		*err = damon->why;
	return damon->why.code;
}

/* What was scanned and is mapped. */
static int clip(struct walk_state *walk, struct tide_error *err)
{
	struct walk_damon *damon = &walk->exact.damon;
	const struct tide_range *mapped;
	size_t nr;
	size_t k = 0;
	int result = mapped_update(&damon->mapped, walk->target, &mapped, &nr, err);

	damon->clear.nr = 0;
	for (size_t i = 0; i < damon->scanned.nr && result == 0; i++) {
		const struct tide_range *scanned = &damon->scanned.items[i];

		while (k < nr && mapped[k].end <= scanned->start)
			k++;
		for (size_t m = k; m < nr && mapped[m].start < scanned->end && result == 0; m++) {
			struct tide_range both = mapped[m];

			if (both.start < scanned->start)
				both.start = scanned->start;
			if (both.end > scanned->end)
				both.end = scanned->end;
			if (vec_push(&damon->clear, both) < 0)
				result = error_system(err, -ENOMEM, "listing what to clear");
		}
	}
	return result;
}

int walk_damon_add_runs(young_runs *runs, const struct tide_block *block)
{
	if (block->reason != TIDE_REASON_NONE)
		return 0;
	for (uint64_t w = 0; w < block->nr_entries / 64; w++)
		if (young_runs_add_bits(runs, block->start + (w * 64 << block->entry_shift), block->entry_shift,
		                        block->young[w]) < 0)
			return -ENOMEM;
	return 0;
}

static int add_left(void *arg, const struct tide_block *block)
{
	return walk_damon_add_runs(arg, block);
}

static int forget_left(struct walk_state *walk, const struct tide_range *range, tide_stuck_fn *stuck, void *arg,
                       struct tide_error *err)
{
	struct walk_damon *damon = &walk->exact.damon;
	uint64_t next = range->start;

	while (next < range->end) {
		int result;

		damon->left.nr = 0;
		result = walk_scan(walk, next, range->end, CHUNK_ENTRIES, add_left, &damon->left, &next, err);
		if (result == -ENOMEM)
			error_system(err, -ENOMEM, "listing what is young still");
		if (result >= 0 && damon->left.nr > 0)
			result = walk_forget(walk, damon->left.items, damon->left.nr, stuck, arg, err);
		if (result < 0)
			return result;
	}
	return 0;
}

int walk_damon_forget(struct walk_state *walk, tide_stuck_fn *stuck, void *arg, struct tide_error *err)
{
	struct walk_damon *damon = &walk->exact.damon;
	int result;

	damon->is_noting = false;
	result = clip(walk, err);
	if (result == 0 && damon->clear.nr > 0) {
		struct tide_error why = { 0 };

		result = way_damon_clear(damon->way, damon->clear.items, damon->clear.nr, &why);
		if (result < 0 && err != NULL)
			*err = why;
		if (result < 0 && why.cause == TIDE_CAUSE_BUSY) {
			refuse(damon, &why);
			/* All is left, then. */
			result = damon->by_name ? result : 0;
		}
	}
	for (size_t i = 0; i < damon->clear.nr && result == 0; i++)
		result = forget_left(walk, &damon->clear.items[i], stuck, arg, err);
	if (result == 0)
		result = walk_known_take(walk, err);
	walk->exact.cost.blind_ns += sys_clock_ns(CLOCK_MONOTONIC) - walk->exact.began_ns;
	return result;
}

void walk_damon_fini(struct walk_damon *damon)
{
	way_damon_close(damon->way);
	damon->way = NULL;
	mapped_fini(&damon->mapped);
	vec_free(&damon->scanned);
	vec_free(&damon->clear);
	vec_free(&damon->young);
	vec_free(&damon->left);
	vec_free(&damon->looked);
	vec_free(&damon->known);
}
