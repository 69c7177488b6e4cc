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

/* A table under way, and what the last pass knew of it. */
struct taking {
	struct exact *exact;
	unsigned level;
	const struct tide_block *block;
	const struct idle_block *last; /* NULL: nothing */
	struct idle_block *now;
};

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

static int add_run(struct exact *exact, uint64_t start, uint64_t end, uint32_t shift)
{
	struct tide_young_run *last = exact->runs.items + exact->runs.nr - 1;

	if (exact->runs.nr > 0 && last->end == start && last->entry_shift == shift) {
		last->end = end;
		return 0;
	}
	return vec_push(&exact->runs, ((struct tide_young_run){ start, end, shift }));
}

/* The young entries of word `w`, to be forgotten after the scan. */
static int add_runs(const struct taking *taking, unsigned w, uint64_t young)
{
	uint32_t shift = taking->block->entry_shift;
	uint64_t start = taking->now->start + ((uint64_t)w * 64 << shift);

	while (young != 0) {
		unsigned from = (unsigned)__builtin_ctzll(young);
		uint64_t rest = ~(young >> from);
		unsigned nr = rest != 0 ? (unsigned)__builtin_ctzll(rest) : 64 - from;

		if (nr > 64 - from)
			nr = 64 - from;
		if (add_run(taking->exact, start + ((uint64_t)from << shift), start + ((uint64_t)(from + nr) << shift),
		            shift) < 0)
			return -ENOMEM;
		young &= from + nr < 64 ? ~UINT64_C(0) << (from + nr) : 0;
	}
	return 0;
}

/* Entries of word `w` that were forgotten in the last pass and are old now. */
static int add_looks(const struct taking *taking, unsigned w, uint64_t entries)
{
	struct exact *exact = taking->exact;

	for (; entries != 0; entries &= entries - 1) {
		struct exact_place place = { taking->level, w * 64 + (unsigned)__builtin_ctzll(entries),
			                     taking->now->start };
		struct tide_check check = { .addr = place.start +
			                            ((uint64_t)place.index << taking->block->entry_shift) };

		if (vec_push(&exact->looks, check) < 0 || vec_push(&exact->places, place) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void set_age(struct idle_block *block, unsigned w, uint64_t entries, uint8_t age)
{
	if (entries == ~UINT64_C(0)) {
		memset(block->age + (size_t)w * 64, age, 64);
		return;
	}
	for (; entries != 0; entries &= entries - 1)
		block->age[w * 64 + (unsigned)__builtin_ctzll(entries)] = age;
}

static void not_seen(struct exact *exact, unsigned level, unsigned reason, uint64_t entries)
{
	exact->reasons[reason < TIDE_NR_REASONS ? reason : TIDE_REASON_UNREAD] +=
	        (uint64_t)__builtin_popcountll(entries) << (exact->levels[level].shift - 12);
}

static bool can_forget(const struct tide_block *block)
{
	return block->reason == TIDE_REASON_NONE || block->reason == TIDE_REASON_GUEST;
}

/* The first pass only forgets. What is old already has been so for longer than what it finds young. */
static int take_first(const struct taking *taking, unsigned w, uint64_t present, uint64_t young)
{
	set_age(taking->now, w, present & ~young, 1);
	if (!can_forget(taking->block))
		return 0;
	taking->now->accessed[w] |= young;
	return add_runs(taking, w, young);
}

static int take_word(const struct taking *taking, unsigned w)
{
	struct exact *exact = taking->exact;
	const struct tide_block *block = taking->block;
	const struct idle_block *last = taking->last;
	/* A table may come twice: for another mapping, or again because a scan went on within it. */
	uint64_t present = block->present[w] & ~taking->now->present[w];
	uint64_t young = block->young[w] & present;
	uint64_t there = last != NULL ? last->present[w] & present : 0;
	uint64_t stuck = last != NULL ? last->stuck[w] & present : 0;
	uint64_t unseen = stuck;
	uint64_t accessed = young & ~stuck;

	taking->now->present[w] |= present;
	if (exact->nr_passes == 0)
		return take_first(taking, w, present, young);
	if (stuck != 0)
		not_seen(exact, taking->level, last->stuck_reason, stuck);
	if (block->reason == TIDE_REASON_GUEST) {
		unseen |= present & ~young;
		not_seen(exact, taking->level, block->reason, present & ~young & ~stuck);
	} else if (block->reason != TIDE_REASON_NONE) {
		not_seen(exact, taking->level, block->reason, present & ~stuck);
		unseen = present;
		accessed = 0;
	} else if (block->is_file) {
		not_seen(exact, taking->level, TIDE_REASON_PREFAULT, accessed & ~there);
		unseen |= accessed & ~there;
		accessed &= there;
	}
	/* Not young, and not there before: it came and was cleared by others. */
	accessed |= present & ~there & ~unseen;
	taking->now->accessed[w] |= accessed;
	taking->now->unseen[w] |= unseen;
	set_age(taking->now, w, accessed | unseen, 0);
	if (!can_forget(block))
		return 0;
	if (last != NULL && add_looks(taking, w, (last->accessed[w] | last->unseen[w]) & there & ~young & ~unseen) < 0)
		return -ENOMEM;
	return add_runs(taking, w, young);
}

/* The ages of the last pass, one pass older. */
static void grow_older(const struct exact *exact, const struct idle_block *restrict last,
                       struct idle_block *restrict now)
{
	uint8_t limit = (uint8_t)idle_limit(exact->nr_passes);

	/* In bytes throughout, so that the compiler does many at a time. */
	for (unsigned i = 0; i < IDLE_ENTRIES; i++) {
		uint8_t is_below = last->age[i] < limit;

		now->age[i] = (uint8_t)(last->age[i] + is_below);
	}
}

/* A huge page in the place of smaller ones was collapsed from them, and is young by birth. */
static void take_collapsed(const struct taking *taking)
{
	const struct idle_level *smaller = &taking->exact->levels[taking->level - 1];

	for (unsigned w = 0; w < IDLE_WORDS; w++) {
		uint64_t fresh = taking->block->young[w] & ~(taking->last != NULL ? taking->last->present[w] : 0);

		for (; fresh != 0; fresh &= fresh - 1) {
			uint64_t bit = fresh & -fresh;
			uint64_t start = taking->now->start + ((uint64_t)(w * 64 + (unsigned)__builtin_ctzll(fresh))
			                                       << taking->block->entry_shift);

			if (idle_find(&smaller->last, smaller->shift, start) == NULL ||
			    !(taking->now->accessed[w] & bit))
				continue;
			taking->now->accessed[w] &= ~bit;
			taking->now->unseen[w] |= bit;
			not_seen(taking->exact, taking->level, TIDE_REASON_CLEARED, bit);
		}
	}
}

static int take_coarse(struct exact *exact, const struct tide_block *block)
{
	struct exact_coarse coarse = {
		.start = block->start,
		.end = block->start + ((uint64_t)block->nr_entries << block->entry_shift),
		.nr_present = (uint64_t)block->nr_present << (block->entry_shift - 12),
		.nr_young = (uint64_t)block->nr_young << (block->entry_shift - 12),
	};
	const exact_coarses *last = &exact->coarse_last;
	size_t *i = &exact->coarse_cursor;

	while (*i < last->nr && last->items[*i].start < coarse.start)
		++*i;
	if (coarse.nr_young == 0) {
		uint8_t age = *i < last->nr && last->items[*i].start == coarse.start ? last->items[*i].age : 0;

		coarse.age = (uint8_t)(age + (age < idle_limit(exact->nr_passes)));
	}
	return vec_push(&exact->coarse_now, coarse);
}

static int take_block(void *arg, const struct tide_block *block)
{
	struct exact *exact = arg;
	struct taking taking = { .exact = exact, .block = block, .level = (block->entry_shift - 12) / 9 };
	bool is_new;
	int result = 0;

	if (block->present == NULL)
		return take_coarse(exact, block);
	if (taking.level >= IDLE_NR_LEVELS)
		return 0;
	exact->nr_present += block->nr_present;
	exact->nr_young += block->nr_young;
	taking.last = idle_last(&exact->levels[taking.level], block->start);
	taking.now = idle_now(&exact->levels[taking.level], block->start, &is_new);
	if (taking.now == NULL)
		return -ENOMEM;
	if (is_new && taking.last != NULL)
		grow_older(exact, taking.last, taking.now);
	for (unsigned w = 0; w < IDLE_WORDS && result == 0; w++)
		if (block->present[w] != 0)
			result = take_word(&taking, w);
	if (result == 0 && taking.level > 0 && exact->nr_passes > 0)
		take_collapsed(&taking);
	return result;
}

/* Applies the answers of the second looks. */
static void take_looks(struct exact *exact)
{
	for (size_t i = 0; i < exact->looks.nr; i++) {
		const struct exact_place *place = &exact->places.items[i];
		const struct tide_check *check = &exact->looks.items[i];
		struct idle_block *block =
		        idle_find(&exact->levels[place->level].now, exact->levels[place->level].shift, place->start);
		uint64_t bit = UINT64_C(1) << place->index % 64;

		if (block == NULL || check->answer == TIDE_ANSWER_IDLE)
			continue;
		block->age[place->index] = 0;
		if (check->answer == TIDE_ANSWER_ACCESSED) {
			block->accessed[place->index / 64] |= bit;
			continue;
		}
		block->unseen[place->index / 64] |= bit;
		not_seen(exact, place->level, check->reason, bit);
	}
	exact->looks.nr = 0;
	exact->places.nr = 0;
}

static int take_stuck(void *arg, uint64_t start, uint64_t end, enum tide_reason reason)
{
	struct exact *exact = arg;

	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++) {
		struct idle_level *level = &exact->levels[i];
		struct idle_block *block = idle_find(&level->now, level->shift, start);
		unsigned index = block != NULL ? idle_index(level, block, start) : 0;

		if (block == NULL || !(block->present[index / 64] >> index % 64 & 1))
			continue;
		for (; index < IDLE_ENTRIES && block->start + ((uint64_t)index << level->shift) < end; index++)
			block->stuck[index / 64] |= (UINT64_C(1) << index % 64) & block->present[index / 64];
		block->stuck_reason = (uint8_t)reason;
		break;
	}
	return 0;
}

/* What a scan showed: second looks, then forgetting. */
static int settle(struct exact *exact, const struct tide_sensor_ops *ops, void *state, struct tide_error *err)
{
	int result = 0;

	if (exact->looks.nr > 0 && ops->second_look != NULL)
		result = ops->second_look(state, exact->looks.items, exact->looks.nr, err);
	if (result >= 0 && ops->second_look != NULL)
		take_looks(exact);
	exact->looks.nr = 0;
	exact->places.nr = 0;
	if (result >= 0 && !exact->plan.whole && exact->runs.nr > 0)
		result = ops->forget(state, exact->runs.items, exact->runs.nr, take_stuck, exact, err);
	exact->runs.nr = 0;
	return result < 0 ? result : 0;
}

static int scan_frame(struct exact *exact, const struct tide_range *frame, const struct tide_sensor_ops *ops,
                      void *state, struct tide_error *err)
{
	uint64_t next = frame->start;

	while (next < frame->end) {
		uint64_t at = next;
		int result = ops->scan(state, at, frame->end, CHUNK_ENTRIES, take_block, exact, &next, err);

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
		result = ops->forget_all(state, err);
	return result;
}

/* What the next plan is made by. */
static void count_entries(struct exact *exact)
{
	exact->plan.nr_present = exact->nr_present;
	exact->plan.nr_young = exact->nr_young;
	for (size_t k = 0; k < exact->coarse_now.nr; k++) {
		exact->plan.nr_present += exact->coarse_now.items[k].nr_present;
		exact->plan.nr_young += exact->coarse_now.items[k].nr_young;
	}
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
	count_entries(exact);
	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		idle_turn(&exact->levels[i]);
	exact->coarse_last = exact->coarse_now;
	exact->coarse_now = coarse;
	exact->coarse_now.nr = 0;
	remember_end(exact, now_ns);
	return !is_first;
}
