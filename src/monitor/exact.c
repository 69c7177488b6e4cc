/* SPDX-License-Identifier: MIT */
/*
 * This file makes a pass of exact mode.
 *
 * The sensor hands over page tables, one after another. What is young was accessed, and is forgotten: its age is 0.
 * What is not has grown older, which costs a few instructions for a whole table: the cost of a pass over cold memory is
 * that of reading it. Three kinds of pages need more than their bit:
 * - one that was forgotten in the last pass and is not young now: perhaps somebody else cleared the bit since. It gets
 *   a second look, at what clearing leaves behind. Each access leads to one such look at most.
 * - one that could not be forgotten ("stuck"): whatever its bit says, nothing is known of the next interval.
 * - a file's page that appeared: it may have been mapped around a neighbour's fault.
 */
#include "monitor/exact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define CHUNK_ENTRIES 65536u /* scanned before what they showed is looked at twice, and forgotten */
#define NR_ENDS       16384u /* more passes than an age counts */

void exact_init(struct exact *exact, const struct tide_monitor_opts *opts)
{
	memset(exact, 0, sizeof(*exact));
	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		exact->levels[i].shift = 12 + 9 * i;
	exact->plan.interval_us = opts->aggregation_us;
	exact->plan.max_stall_us = opts->max_stall_us;
	exact->plan.wanted = (enum tide_way)opts->way;
}

void exact_fini(struct exact *exact)
{
	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		idle_fini(&exact->levels[i]);
	vec_free(&exact->coarse_last);
	vec_free(&exact->coarse_now);
	vec_free(&exact->frames);
	vec_free(&exact->ends_ns);
	vec_free(&exact->runs);
	vec_free(&exact->looks);
	vec_free(&exact->places);
	vec_free(&exact->ages);
}

static int look_twice(struct exact *exact, const struct tide_sensor_ops *ops, void *state, struct tide_error *err)
{
	size_t nr_young = exact->runs.nr;
	int result;

	if (exact->looks.nr == 0 || ops->second_look == NULL)
		return 0;
	result = ops->second_look(state, exact->looks.items, exact->looks.nr, err);
	if (result < 0)
		return result;
	if (exact_take_looks(exact) < 0)
		return error_system(err, -ENOMEM, "forgetting what others have cleared");
	if (exact->runs.nr > nr_young)
		young_runs_sort(&exact->runs);
	return 0;
}

/* What a scan showed: second looks, then forgetting. */
static int settle(struct exact *exact, const struct tide_sensor_ops *ops, void *state, struct tide_error *err)
{
	int result = look_twice(exact, ops, state, err);

	exact->looks.nr = 0;
	exact->places.nr = 0;
	if (result >= 0 && !exact->plan.whole && exact->runs.nr > 0)
		result = ops->forget(state, exact->runs.items, exact->runs.nr, exact_take_stuck, exact, err);
	exact->runs.nr = 0;
	return result < 0 ? result : 0;
}

static int scan_frame(struct exact *exact, const struct tide_range *frame, const struct tide_sensor_ops *ops,
                      void *state, struct tide_error *err)
{
	uint64_t next = frame->start;

	while (next < frame->end) {
		uint64_t at = next;
		int result = ops->scan(state, at, frame->end, CHUNK_ENTRIES, exact_take_block, exact, &next, err);

		if (result == -ENOMEM)
			error_system(err, -ENOMEM, "keeping the age of every page");
		if (result >= 0)
			result = settle(exact, ops, state, err);
		if (result < 0)
			return result;
	}
	return 0;
}

static void remember_end(struct exact *exact, uint64_t now_ns)
{
	exact->ends_ns.items[exact->nr_passes % NR_ENDS] = now_ns;
	exact->nr_passes++;
}

uint64_t exact_idle_us(const struct exact *exact, unsigned code)
{
	uint64_t last = exact->nr_passes - 1;
	uint64_t nr = idle_passes(code);
	uint64_t then;

	if (nr >= NR_ENDS)
		nr = NR_ENDS - 1;
	then = nr < last ? last - nr : 0;
	return (exact->ends_ns.items[last % NR_ENDS] - exact->ends_ns.items[then % NR_ENDS]) / 1000;
}

static int make_pass(struct exact *exact, const struct tide_sensor_ops *ops, void *state, struct tide_error *err)
{
	int result = vec_reserve(&exact->ends_ns, NR_ENDS);

	if (result < 0)
		return error_system(err, -ENOMEM, "keeping the times of passes");
	result = ops->plan(state, &exact->plan, err);
	for (size_t i = 0; i < exact->frames.nr && result >= 0; i++)
		result = scan_frame(exact, &exact->frames.items[i], ops, state, err);
	if (result >= 0 && exact->plan.whole)
		result = ops->forget_all(state, exact_take_stuck, exact, err);
	return result;
}

int exact_pass(struct exact *exact, const struct tide_sensor_ops *ops, void *state, uint64_t now_ns,
               struct tide_error *err)
{
	exact_coarses coarse = exact->coarse_last;
	bool is_first = exact->nr_passes == 0;
	int result;

	memset(exact->reasons, 0, sizeof(exact->reasons));
	exact->coarse_cursor = 0;
	exact->nr_present = exact->nr_young = 0;
	result = make_pass(exact, ops, state, err);
	if (result < 0) {
		/* Part of memory was forgotten, part not: what the bits say next time is of no known interval. */
		for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
			idle_forget(&exact->levels[i]);
		exact->coarse_last.nr = exact->coarse_now.nr = 0;
		exact->nr_passes = 0;
		return result;
	}
	exact->plan.nr_present = exact->nr_present;
	exact->plan.nr_young = exact->nr_young;
	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		idle_turn(&exact->levels[i]);
	exact->coarse_last = exact->coarse_now;
	exact->coarse_now = coarse;
	exact->coarse_now.nr = 0;
	remember_end(exact, now_ns);
	return !is_first;
}
