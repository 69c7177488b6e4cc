/* SPDX-License-Identifier: MIT */
/* This file keeps idle ages, table by table. */
#include "monitor/idle.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_PASS 32u /* codes that count in each pass */
#define PER_STEP   28u /* codes that count in every 2nd, then in every 4th, ... */
#define NR_STEPS   8u

_Static_assert(EVERY_PASS + PER_STEP * NR_STEPS == IDLE_NR_CODES, "the steps fill a byte");

unsigned idle_limit(uint64_t pass)
{
	unsigned step = pass == 0 ? NR_STEPS : (unsigned)__builtin_ctzll(pass);
	unsigned limit = EVERY_PASS + PER_STEP * (step < NR_STEPS ? step : NR_STEPS);

	return limit < IDLE_NR_CODES ? limit : IDLE_NR_CODES - 1;
}

uint32_t idle_passes(unsigned code)
{
	uint32_t passes = code < EVERY_PASS ? code : EVERY_PASS;
	unsigned left = code < EVERY_PASS ? 0 : code - EVERY_PASS;

	/* Step `i` begins at a pass that is a multiple of 2^i, so its first count comes 2^i passes later at least. */
	for (unsigned i = 0; left > 0; i++) {
		unsigned here = left < PER_STEP ? left : PER_STEP;

		passes += (1u << i) + (here - 1) * (2u << i);
		left -= here;
	}
	return passes;
}

const struct idle_block *idle_last(struct idle_level *level, uint64_t start)
{
	while (level->cursor < level->last.nr && level->last.items[level->cursor].start < start)
		level->cursor++;
	if (level->cursor == level->last.nr || level->last.items[level->cursor].start != start)
		return NULL;
	return &level->last.items[level->cursor];
}

struct idle_block *idle_now(struct idle_level *level, uint64_t start, bool *is_new)
{
	struct idle_block *block = level->now.items + level->now.nr - 1;

	*is_new = level->now.nr == 0 || block->start != start;
	if (!*is_new)
		return block;
	if (vec_reserve(&level->now, level->now.nr + 1) < 0)
		return NULL;
	block = &level->now.items[level->now.nr++];
	memset(block, 0, sizeof(*block));
	block->start = start;
	return block;
}

struct idle_block *idle_find(const idle_blocks *blocks, uint32_t shift, uint64_t addr)
{
	uint64_t bytes = (uint64_t)IDLE_ENTRIES << shift;
	size_t low = 0;
	size_t high = blocks->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct idle_block *block = &blocks->items[middle];

		if (addr < block->start)
			high = middle;
		else if (addr - block->start >= bytes)
			low = middle + 1;
		else
			return block;
	}
	return NULL;
}

unsigned idle_index(const struct idle_level *level, const struct idle_block *block, uint64_t addr)
{
	return (unsigned)((addr - block->start) >> level->shift);
}

void idle_turn(struct idle_level *level)
{
	idle_blocks last = level->last;

	level->last = level->now;
	level->now = last;
	level->now.nr = 0;
	level->cursor = 0;
}

void idle_forget(struct idle_level *level)
{
	level->last.nr = 0;
	level->now.nr = 0;
	level->cursor = 0;
}

void idle_fini(struct idle_level *level)
{
	vec_free(&level->last);
	vec_free(&level->now);
}

/* Memory that nobody uses grows old together: one age for the whole table. */
static bool is_uniform(const struct idle_block *block)
{
	return memcmp(block->age, block->age + 1, IDLE_ENTRIES - 1) == 0;
}

uint64_t idle_count(const struct idle_block *block, uint64_t by_code[IDLE_NR_CODES])
{
	bool uniform = is_uniform(block);
	uint64_t nr_unseen = 0;

	for (unsigned w = 0; w < IDLE_WORDS; w++) {
		uint64_t seen = block->present[w] & ~block->unseen[w];

		nr_unseen += (uint64_t)__builtin_popcountll(block->unseen[w]);
		if (uniform)
			by_code[block->age[0]] += (uint64_t)__builtin_popcountll(seen);
		else
			for (; seen != 0; seen &= seen - 1)
				by_code[block->age[w * 64 + (unsigned)__builtin_ctzll(seen)]]++;
	}
	return nr_unseen;
}
