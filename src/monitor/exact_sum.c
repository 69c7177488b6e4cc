/* SPDX-License-Identifier: MIT */
/* This file adds up idle ages, and lists them. */
#include "monitor/exact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In pages of 4 KiB. */
struct sums {
	uint64_t by_code[IDLE_NR_CODES];
	uint64_t nr_unseen;
};

static void add_level(const struct idle_level *level, struct sums *sums)
{
	uint64_t by_code[IDLE_NR_CODES] = { 0 };
	uint64_t nr_unseen = 0;
	unsigned shift = level->shift - 12;

	for (size_t i = 0; i < level->last.nr; i++)
		nr_unseen += idle_count(&level->last.items[i], by_code);
	for (unsigned i = 0; i < IDLE_NR_CODES; i++)
		sums->by_code[i] += by_code[i] << shift;
	sums->nr_unseen += nr_unseen << shift;
}

/* Of a mapping that was accessed in part, so much was not: for an interval at least. */
static void add_coarse(const struct exact_coarse *coarse, struct sums *sums)
{
	sums->by_code[0] += coarse->nr_young;
	sums->by_code[coarse->nr_young == 0 ? coarse->age : 1] += coarse->nr_present - coarse->nr_young;
}

/* Ages that come to the same time make one: those from before the first pass. */
static int make_ages(struct exact *exact, const struct sums *sums)
{
	exact->ages.nr = 0;
	for (unsigned code = 0; code < IDLE_NR_CODES; code++) {
		struct tide_age age = { exact_idle_us(exact, code), sums->by_code[code] * 4096 };
		struct tide_age *last = exact->ages.items + exact->ages.nr - 1;

		if (code > 0 && age.bytes == 0)
			continue;
		if (exact->ages.nr > 1 && last->idle_us == age.idle_us)
			last->bytes += age.bytes;
		else if (vec_push(&exact->ages, age) < 0)
			return -1;
	}
	return 0;
}

int exact_sum(struct exact *exact)
{
	struct sums sums = { 0 };
	uint64_t nr_present = 0;

	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		add_level(&exact->levels[i], &sums);
	for (size_t i = 0; i < exact->coarse_last.nr; i++)
		add_coarse(&exact->coarse_last.items[i], &sums);
	for (unsigned i = 0; i < IDLE_NR_CODES; i++)
		nr_present += sums.by_code[i];
	if (make_ages(exact, &sums) < 0)
		return -ENOMEM;
	exact->idle = (struct tide_idle){
		.present_bytes = (nr_present + sums.nr_unseen) * 4096,
		.accessed_bytes = sums.by_code[0] * 4096,
		.unobservable_bytes = sums.nr_unseen * 4096,
		.nr_ages = exact->ages.nr,
		.ages = exact->ages.items,
	};
	return 0;
}

/* What tells one entry from its neighbour: its age code, or one of these. */
#define UNSEEN IDLE_NR_CODES
#define ABSENT (IDLE_NR_CODES + 1)

static unsigned kind_of(const struct idle_block *block, unsigned i)
{
	if (!(block->present[i / 64] >> i % 64 & 1))
		return ABSENT;
	return block->unseen[i / 64] >> i % 64 & 1 ? UNSEEN : block->age[i];
}

static int each_run_of(const struct exact *exact, const struct idle_block *block, uint32_t shift, tide_idle_run_fn *fn,
                       void *arg)
{
	for (unsigned from = 0, to; from < IDLE_ENTRIES; from = to) {
		unsigned kind = kind_of(block, from);
		struct tide_idle_run run = { .page_bytes = UINT64_C(1) << shift, .unobservable = kind == UNSEEN };
		int result;

		for (to = from + 1; to < IDLE_ENTRIES && kind_of(block, to) == kind; to++)
			;
		if (kind == ABSENT)
			continue;
		run.start = block->start + ((uint64_t)from << shift);
		run.end = block->start + ((uint64_t)to << shift);
		run.idle_us = kind < IDLE_NR_CODES ? exact_idle_us(exact, kind) : 0;
		result = fn(arg, &run);
		if (result != 0)
			return result;
	}
	return 0;
}

int exact_each_run(const struct exact *exact, tide_idle_run_fn *fn, void *arg)
{
	int result = 0;

	for (unsigned i = 0; i < IDLE_NR_LEVELS && result == 0; i++)
		for (size_t k = 0; k < exact->levels[i].last.nr && result == 0; k++)
			result = each_run_of(exact, &exact->levels[i].last.items[k], exact->levels[i].shift, fn, arg);
	return result;
}
