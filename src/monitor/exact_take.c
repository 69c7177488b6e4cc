/* SPDX-License-Identifier: MIT */
/*
 * This file takes what a pass of exact mode sees: page tables first, then the answers of second looks, and what could
 * not be forgotten.
 */
#include "monitor/exact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A table under way, and what the last pass knew of it. */
struct taking {
	struct exact *exact;
	unsigned level;
	const struct tide_block *block;
	const struct idle_block *last; /* NULL: nothing */
	struct idle_block *now;
};

/* The young entries of word `w`, to be forgotten after the scan. */
static int add_runs(const struct taking *taking, unsigned w, uint64_t young)
{
	uint32_t shift = taking->block->entry_shift;

	return young_runs_add_bits(&taking->exact->runs, taking->now->start + ((uint64_t)w * 64 << shift), shift,
	                           young);
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

	exact->nr_present += coarse.nr_present;
	exact->nr_young += coarse.nr_young;
	while (*i < last->nr && last->items[*i].start < coarse.start)
		++*i;
	if (coarse.nr_young == 0) {
		uint8_t age = *i < last->nr && last->items[*i].start == coarse.start ? last->items[*i].age : 0;

		coarse.age = (uint8_t)(age + (age < idle_limit(exact->nr_passes)));
	}
	return vec_push(&exact->coarse_now, coarse);
}

int exact_take_block(void *arg, const struct tide_block *block)
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

/*
 * Applies the answers of the second looks. What somebody else cleared left its mark at the folio, which would speak of
 * the same access in every interval to come: that is to be forgotten too.
 */
int exact_take_looks(struct exact *exact)
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
			uint32_t shift = exact->levels[place->level].shift;

			block->accessed[place->index / 64] |= bit;
			if (young_runs_add(&exact->runs, check->addr, check->addr + (UINT64_C(1) << shift), shift) < 0)
				return -ENOMEM;
			continue;
		}
		block->unseen[place->index / 64] |= bit;
		not_seen(exact, place->level, check->reason, bit);
	}
	return 0;
}

int exact_take_stuck(void *arg, uint64_t start, uint64_t end, enum tide_reason reason)
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
