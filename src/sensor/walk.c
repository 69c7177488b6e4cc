/* SPDX-License-Identifier: MIT */
/*
 * This file is the walk sensor: accessed bits read by the page-table walker, cleared by MADV_COLD.
 *
 * It clears only what is young, what one page table maps, and what lies wholly in one mapping, so that no folio is
 * split, and only pages that were sampled or come along behind one (walk_ahead.c). Clearing moves a page towards
 * reclaim (DISTURBS_LRU): under memory pressure a hot page that was just sampled may go first.
 */
#include "sensor/walk.h"

#include <stdlib.h>

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct walk_state *walk = state;

	walk->target = target;
	return walker_open(&walk->walker, target, err);
}

static void cleanup(void *state)
{
	struct walk_state *walk = state;

	walker_close(walk->walker);
	walk->walker = NULL;
	mapped_fini(&walk->mapped);
	vec_free(&walk->witnesses);
	vec_free(&walk->folios);
	vec_free(&walk->folio_of);
	vec_free(&walk->sample_of);
	vec_free(&walk->failed);
	vec_free(&walk->exact.addrs);
	walk_damon_fini(&walk->exact.damon);
}

static int update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct walk_state *walk = state;

	return mapped_update(&walk->mapped, walk->target, out, nr, err);
}

static int target_valid(void *state, struct tide_error *err)
{
	struct walk_state *walk = state;

	return tide_target_valid(walk->target, err);
}

static void cost(const void *state, struct tide_sensor_cost *out)
{
	const struct walk_state *walk = state;
	const struct walker_cost *read = walker_cost(walk->walker);
	const struct way_damon *damon = walk->exact.damon.way;

	*out = walk->exact.cost;
	out->nr_read = read->nr_samples;
	out->nr_scanned = read->nr_entries;
	out->nr_cleared = walk->nr_cleared;
	out->nr_calls = read->nr_runs + walk->cold.nr_calls + (damon != NULL ? way_damon_cost(damon)->nr_holds : 0);
	out->longest_hold_ns = read->longest_ns > walk->cold.longest_ns ? read->longest_ns : walk->cold.longest_ns;
}

const struct tide_sensor_ops sensor_walk = {
	.name = "walk",
	.summary = "accessed bits read by a BPF page-table walker",
	.state_size = sizeof(struct walk_state),
	.flags = TIDE_SENSOR_DISTURBS_LRU,
	.ways = 1u << TIDE_WAY_COLD | 1u << TIDE_WAY_REFS | 1u << TIDE_WAY_DAMON,
	.probe = walk_probe,
	.init = init,
	.update = update,
	.prepare_access_checks = walk_prepare,
	.check_accesses = walk_check,
	.target_valid = target_valid,
	.cleanup = cleanup,
	.scan = walk_scan,
	.cost = cost,
	.turn = walk_turn,
	.plan = walk_plan,
	.second_look = walk_second_look,
	.forget = walk_forget,
	.forget_all = walk_forget_all,
};
