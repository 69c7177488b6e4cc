/* SPDX-License-Identifier: MIT */
/*
 * This file makes regions of what a pass of exact mode saw: runs of pages that are alike, as exact as their number
 * allows. A table whose pages change their state often becomes one region with the share of its pages in percent;
 * neighbours are joined, the most alike first, until there are few enough. What no table maps was not accessed.
 */
#include "monitor/exact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PERCENT   100u
#define MAX_RUNS  8u  /* of one table; else it is one region */
#define ALIKE     10u /* percent: the pattern is still the same */
#define FIRST_GAP 5u  /* percent: what is joined first */

enum state {
	STATE_IDLE,
	STATE_ACCESSED,
	STATE_UNSEEN,
};

static enum state state_of(const struct idle_block *block, unsigned i)
{
	if (block->accessed[i / 64] >> i % 64 & 1)
		return STATE_ACCESSED;
	return block->unseen[i / 64] >> i % 64 & 1 ? STATE_UNSEEN : STATE_IDLE;
}

static int push(struct regions *regions, uint64_t start, uint64_t end, uint32_t accessed, uint32_t unseen)
{
	struct region region = { .start = start, .end = end, .nr_accesses = accessed, .nr_unobservable = unseen };

	return vec_push(&regions->list, region);
}

/* Runs of entries that were accessed, or not seen; the rest is filled in as idle. */
static int push_runs(struct regions *regions, const struct idle_block *block, uint32_t shift)
{
	for (unsigned from = 0, to; from < IDLE_ENTRIES; from = to) {
		enum state state = state_of(block, from);

		for (to = from + 1; to < IDLE_ENTRIES && state_of(block, to) == state; to++)
			;
		if (state != STATE_IDLE &&
		    push(regions, block->start + ((uint64_t)from << shift), block->start + ((uint64_t)to << shift),
		         state == STATE_ACCESSED ? PERCENT : 0, state == STATE_UNSEEN ? PERCENT : 0) < 0)
			return -ENOMEM;
	}
	return 0;
}

static unsigned count_bits(const uint64_t *words)
{
	unsigned nr = 0;

	for (unsigned w = 0; w < IDLE_WORDS; w++)
		nr += (unsigned)__builtin_popcountll(words[w]);
	return nr;
}

/* How often the state changes between two entries. */
static unsigned count_changes(const uint64_t *words)
{
	unsigned nr = 0;
	uint64_t before = words[0] & 1;

	for (unsigned w = 0; w < IDLE_WORDS; w++) {
		nr += (unsigned)__builtin_popcountll(words[w] ^ (words[w] << 1 | before));
		before = words[w] >> 63;
	}
	return nr;
}

/* Of what is present between the first and the last page, so many percent. */
static int push_share(struct regions *regions, const struct idle_block *block, uint32_t shift)
{
	unsigned present = count_bits(block->present);
	unsigned accessed = count_bits(block->accessed) * PERCENT / present;
	unsigned unseen = count_bits(block->unseen) * PERCENT / present;
	unsigned from = 0;
	unsigned to = IDLE_ENTRIES;

	while (!(block->present[from / 64] >> from % 64 & 1))
		from++;
	while (!(block->present[(to - 1) / 64] >> (to - 1) % 64 & 1))
		to--;
	/* One page of a hundred was accessed: not none. */
	return push(regions, block->start + ((uint64_t)from << shift), block->start + ((uint64_t)to << shift),
	            accessed > 0 || count_bits(block->accessed) == 0 ? accessed : 1, unseen);
}

static bool is_idle(const struct idle_block *block)
{
	uint64_t any = 0;

	for (unsigned w = 0; w < IDLE_WORDS; w++)
		any |= block->accessed[w] | block->unseen[w];
	return any == 0;
}

static int push_block(struct regions *regions, const struct idle_block *block, uint32_t shift)
{
	unsigned changes;

	if (is_idle(block))
		return 0;
	changes = count_changes(block->accessed) + count_changes(block->unseen);

	/* Between huge pages there may be tables of smaller ones: no region reaches over those. */
	if (changes <= MAX_RUNS || shift > 12)
		return push_runs(regions, block, shift);
	return push_share(regions, block, shift);
}

static int push_coarse(struct regions *regions, const struct exact_coarse *coarse)
{
	uint32_t share = 0;

	if (coarse->nr_young == 0)
		return 0;
	share = (uint32_t)(coarse->nr_young * PERCENT / coarse->nr_present);
	return push(regions, coarse->start, coarse->end, share > 0 ? share : 1, 0);
}

static int by_start(const void *a, const void *b)
{
	const struct region *x = a;
	const struct region *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Everything but what is idle, ascending. */
static int collect(const struct exact *exact, struct regions *out)
{
	for (unsigned i = 0; i < IDLE_NR_LEVELS; i++)
		for (size_t k = 0; k < exact->levels[i].last.nr; k++)
			if (push_block(out, &exact->levels[i].last.items[k], exact->levels[i].shift) < 0)
				return -ENOMEM;
	for (size_t i = 0; i < exact->coarse_last.nr; i++)
		if (push_coarse(out, &exact->coarse_last.items[i]) < 0)
			return -ENOMEM;
	if (out->list.nr > 1)
		qsort(out->list.items, out->list.nr, sizeof(out->list.items[0]), by_start);
	return 0;
}

/* Appends a region, in one with its neighbour when nothing tells them apart. */
static int append(struct regions *regions, uint64_t start, uint64_t end, const struct region *like)
{
	struct region *last = regions->list.items + regions->list.nr - 1;

	if (start >= end)
		return 0;
	if (regions->list.nr > 0 && last->end == start && last->nr_accesses == like->nr_accesses &&
	    last->nr_unobservable == like->nr_unobservable) {
		last->end = end;
		return 0;
	}
	return push(regions, start, end, like->nr_accesses, like->nr_unobservable);
}

/* The frames from end to end: `spans`, and between them what is idle. */
static int fill(const struct exact *exact, const struct regions *spans, struct regions *out)
{
	static const struct region idle = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < exact->frames.nr; i++) {
		uint64_t at = exact->frames.items[i].start;
		uint64_t end = exact->frames.items[i].end;

		for (; k < spans->list.nr && spans->list.items[k].start < end; k++) {
			const struct region *span = &spans->list.items[k];
			uint64_t from = span->start > at ? span->start : at;
			uint64_t to = span->end < end ? span->end : end;

			if (to <= at)
				continue;
			if (append(out, at, from, &idle) < 0 || append(out, from, to, span) < 0)
				return -ENOMEM;
			at = to;
		}
		if (append(out, at, end, &idle) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void join(struct regions *regions, size_t max)
{
	struct merge_rule rule = { .max_difference = FIRST_GAP, .max_bytes = UINT64_MAX };

	while (regions->list.nr > max && rule.max_difference <= 2 * PERCENT) {
		rule.max_unobservable_difference = rule.max_difference;
		regions_merge(regions, &rule);
		rule.max_difference *= 2;
	}
}

static bool is_alike(const struct region *a, const struct region *b)
{
	uint32_t more = a->nr_accesses > b->nr_accesses ? a->nr_accesses : b->nr_accesses;
	uint32_t less = a->nr_accesses > b->nr_accesses ? b->nr_accesses : a->nr_accesses;

	return more - less <= ALIKE && (more == 0) == (less == 0);
}

/* A region has been as it is for as long as the one that held most of it before, if that was alike. */
static void inherit_ages(struct regions *regions, const struct regions *before)
{
	size_t k = 0;

	for (size_t i = 0; i < regions->list.nr; i++) {
		struct region *region = &regions->list.items[i];
		uint64_t most = 0;

		while (k > 0 && before->list.items[k - 1].end > region->start)
			k--;
		for (; k < before->list.nr && before->list.items[k].start < region->end; k++) {
			const struct region *was = &before->list.items[k];
			uint64_t start = was->start > region->start ? was->start : region->start;
			uint64_t end = was->end < region->end ? was->end : region->end;

			if (end <= start || end - start <= most)
				continue;
			most = end - start;
			region->age = is_alike(was, region) ? was->age + 1 : 0;
			region->last_nr_accesses = was->nr_accesses;
		}
	}
}

int exact_regions(const struct exact *exact, struct regions *regions, size_t max)
{
	struct regions spans = { 0 };
	struct regions fresh = { 0 };
	int result = collect(exact, &spans);

	if (result == 0)
		result = fill(exact, &spans, &fresh);
	vec_free(&spans.list);
	if (result < 0) {
		vec_free(&fresh.list);
		return result;
	}
	join(&fresh, max);
	inherit_ages(&fresh, regions);
	vec_free(&regions->list);
	*regions = fresh;
	return 0;
}
