/* SPDX-License-Identifier: MIT */
/* This file keeps, joins and splits regions. */
#include "monitor/regions.h"

#include <errno.h>
#include <string.h>

/* Of a steady region few checks are made, so its counts are coarse: differences count for half. */
#define STEADY_SLACK 3u
/* ... and it is split in one of so many aggregation intervals. */
#define STEADY_SPLIT 4u

uint64_t regions_bytes(const struct regions *regions)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < regions->list.nr; i++)
		bytes += regions->list.items[i].end - regions->list.items[i].start;
	return bytes;
}

static int insert(struct regions *regions, size_t at, struct region region)
{
	struct region *items;

	if (vec_reserve(&regions->list, regions->list.nr + 1) < 0)
		return -ENOMEM;
	items = regions->list.items;
	memmove(items + at + 1, items + at, (regions->list.nr - at) * sizeof(items[0]));
	items[at] = region;
	regions->list.nr++;
	return 0;
}

/* Appends `range` in equal pieces; the last one gets the remainder. */
static int append_evenly(struct regions *regions, const struct tide_range *range, uint64_t wanted_bytes)
{
	uint64_t bytes = range->end - range->start;
	uint64_t nr = bytes / wanted_bytes;
	uint64_t piece = nr > 0 ? bytes / nr / MIN_REGION * MIN_REGION : bytes;

	if (bytes == 0 || piece == 0)
		return -EINVAL;
	for (uint64_t start = range->start; start < range->end; start += piece) {
		struct region region = { .start = start, .end = start + piece };
		bool last = nr <= 1 || start - range->start == (nr - 1) * piece;

		if (last)
			region.end = range->end;
		if (vec_push(&regions->list, region) < 0)
			return -ENOMEM;
		if (last)
			break;
	}
	return 0;
}

int regions_init(struct regions *regions, const struct tide_range *ranges, size_t nr, uint32_t min_nr_regions)
{
	uint64_t bytes = 0;
	uint64_t wanted;

	for (size_t i = 0; i < nr; i++)
		bytes += ranges[i].end - ranges[i].start;
	wanted = bytes / min_nr_regions / MIN_REGION * MIN_REGION;
	if (wanted < MIN_REGION)
		wanted = MIN_REGION;
	regions->list.nr = 0;
	for (size_t i = 0; i < nr; i++) {
		int result = append_evenly(regions, &ranges[i], wanted);

		if (result < 0)
			return result;
	}
	return nr > 0 ? 0 : -EINVAL;
}

static bool overlaps(const struct region *region, const struct tide_range *range)
{
	return region->start < range->end && range->start < region->end;
}

static void drop_outside(struct regions *regions, const struct tide_range *ranges, size_t nr)
{
	size_t kept = 0;

	for (size_t i = 0; i < regions->list.nr; i++) {
		for (size_t k = 0; k < nr; k++) {
			if (overlaps(&regions->list.items[i], &ranges[k])) {
				regions->list.items[kept++] = regions->list.items[i];
				break;
			}
		}
	}
	regions->list.nr = kept;
}

/* Between regions [first, *last) holes appear when what was a big gap is one no more: each gets a region. */
static int fill_holes(struct regions *regions, size_t first, size_t *last)
{
	for (size_t i = first + 1; i < *last; i++) {
		struct region hole = { .start = regions->list.items[i - 1].end, .end = regions->list.items[i].start };

		if (hole.start == hole.end)
			continue;
		if (insert(regions, i++, hole) < 0)
			return -ENOMEM;
		++*last;
	}
	return 0;
}

int regions_update(struct regions *regions, const struct tide_range *ranges, size_t nr)
{
	size_t i = 0;

	drop_outside(regions, ranges, nr);
	for (size_t k = 0; k < nr; k++) {
		size_t first = i;

		while (i < regions->list.nr && overlaps(&regions->list.items[i], &ranges[k]))
			i++;
		if (i == first) {
			if (insert(regions, i++, (struct region){ .start = ranges[k].start, .end = ranges[k].end }) < 0)
				return -ENOMEM;
			continue;
		}
		regions->list.items[first].start = ranges[k].start;
		/* One that reaches into the next range as well is cut: that range gets its own. */
		regions->list.items[i - 1].end = ranges[k].end;
		if (fill_holes(regions, first, &i) < 0)
			return -ENOMEM;
	}
	return 0;
}

static uint32_t difference(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

/* Something is never like nothing. */
static bool is_like(uint32_t now, uint32_t before, uint32_t limit)
{
	return difference(now, before) <= limit && !now == !before;
}

void regions_age(struct regions *regions, uint32_t max_difference, uint64_t interval_us)
{
	for (size_t i = 0; i < regions->list.nr; i++) {
		struct region *region = &regions->list.items[i];
		uint32_t limit = region->is_steady ? max_difference * STEADY_SLACK : max_difference;
		bool similar = is_like(region->nr_accesses, region->last_nr_accesses, limit) &&
		               is_like(region->nr_writes, region->last_nr_writes, limit);

		region->age = similar ? region->age + 1 : 0;
		region->age_us = similar ? region->age_us + interval_us : 0;
	}
}

/* A hot region that was seen used in one of four checks is not cold for that. */
static bool may_merge(const struct region *a, const struct region *b, const struct merge_rule *rule)
{
	bool coarse = a->is_steady && b->is_steady && !a->nr_accesses == !b->nr_accesses;
	uint32_t slack = coarse ? STEADY_SLACK : 1;

	return a->end == b->start && b->end - a->start <= rule->max_bytes &&
	       difference(a->nr_accesses, b->nr_accesses) <= rule->max_difference * slack &&
	       difference(a->nr_writes, b->nr_writes) <= rule->max_difference * slack &&
	       difference(a->nr_unobservable, b->nr_unobservable) <= rule->max_unobservable_difference &&
	       difference(a->nr_writes_unobservable, b->nr_writes_unobservable) <= rule->max_unobservable_difference;
}

/* Mean of two counts, weighted by size, rounded to nearest. */
static uint64_t weigh(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	unsigned __int128 sum = (unsigned __int128)a * a_bytes + (unsigned __int128)b * b_bytes;

	return (uint64_t)((sum + (a_bytes + b_bytes) / 2) / (a_bytes + b_bytes));
}

/* Of what was counted and what was not answered; rounded together: both are never more than there were checks. */
static void weigh_counts(uint32_t *count, uint32_t *unobservable, uint64_t a_bytes, uint32_t other_count,
                         uint32_t other_unobservable, uint64_t b_bytes)
{
	uint32_t both = (uint32_t)weigh(*count + *unobservable, a_bytes, other_count + other_unobservable, b_bytes);

	*count = (uint32_t)weigh(*count, a_bytes, other_count, b_bytes);
	*unobservable = both - *count;
}

static void absorb(struct region *a, const struct region *b)
{
	uint64_t a_bytes = a->end - a->start;
	uint64_t b_bytes = b->end - b->start;

	weigh_counts(&a->nr_accesses, &a->nr_unobservable, a_bytes, b->nr_accesses, b->nr_unobservable, b_bytes);
	weigh_counts(&a->nr_writes, &a->nr_writes_unobservable, a_bytes, b->nr_writes, b->nr_writes_unobservable,
	             b_bytes);
	a->age = (uint32_t)weigh(a->age, a_bytes, b->age, b_bytes);
	a->age_us = weigh(a->age_us, a_bytes, b->age_us, b_bytes);
	a->end = b->end;
}

void regions_merge(struct regions *regions, const struct merge_rule *rule)
{
	size_t kept = 0;

	for (size_t i = 1; i < regions->list.nr; i++) {
		struct region *last = &regions->list.items[kept];
		const struct region *next = &regions->list.items[i];

		if (may_merge(last, next, rule))
			absorb(last, next);
		else
			regions->list.items[++kept] = *next;
	}
	if (regions->list.nr > 0)
		regions->list.nr = kept + 1;
}

static uint32_t scale(uint32_t count, uint32_t from, uint32_t to)
{
	return (uint32_t)(((uint64_t)count * to + from / 2) / from);
}

/* Both halves may be rounded up; together they are never more than all. */
static void scale_counts(uint32_t *count, uint32_t *unobservable, uint32_t made, uint32_t nr_checks)
{
	*count = scale(*count, made, nr_checks);
	*unobservable = scale(*unobservable, made, nr_checks);
	if (*count + *unobservable > nr_checks)
		*unobservable = nr_checks - *count;
}

void regions_scale(struct regions *regions, uint32_t nr_checks)
{
	for (size_t i = 0; i < regions->list.nr; i++) {
		struct region *region = &regions->list.items[i];
		uint32_t made = region->nr_checks;

		if (made >= nr_checks)
			continue;
		/* Nobody has looked: a target that came just before the interval's end. */
		if (made == 0) {
			region->nr_unobservable = region->nr_writes_unobservable = nr_checks;
			continue;
		}
		scale_counts(&region->nr_accesses, &region->nr_unobservable, made, nr_checks);
		scale_counts(&region->nr_writes, &region->nr_writes_unobservable, made, nr_checks);
	}
}

void regions_reset(struct regions *regions, uint32_t nr_checks)
{
	const uint32_t often = nr_checks - nr_checks / 4;

	for (size_t i = 0; i < regions->list.nr; i++) {
		struct region *region = &regions->list.items[i];

		region->is_steady = (region->nr_accesses >= often && region->last_nr_accesses >= often) ||
		                    (region->nr_accesses == 0 && region->last_nr_accesses == 0);
		region->last_nr_accesses = region->nr_accesses;
		region->last_nr_writes = region->nr_writes;
		region->nr_accesses = 0;
		region->nr_writes = 0;
		region->nr_unobservable = 0;
		region->nr_writes_unobservable = 0;
		region->nr_checks = 0;
	}
}

/* The first piece's size: a random tenth, two tenths ... nine tenths; 0 when it is too small to split. */
static uint64_t first_piece(const struct region *region, struct rng *rng)
{
	uint64_t bytes = region->end - region->start;

	if (bytes / 2 < MIN_REGION)
		return 0;
	return bytes / 10 * (1 + rng_below(rng, 9)) / MIN_REGION * MIN_REGION;
}

int regions_split(struct regions *regions, unsigned nr_pieces, bool sparing, struct rng *rng)
{
	size_t nr = regions->list.nr;
	size_t out;

	/* Grows at the end, filled from there, so that each region moves once. */
	if (vec_reserve(&regions->list, nr * nr_pieces) < 0)
		return -ENOMEM;
	out = nr * nr_pieces;
	for (size_t i = nr; i-- > 0;) {
		struct region rest = regions->list.items[i];
		bool rests = sparing && rest.is_steady && rest.age % STEADY_SPLIT != 0;

		for (unsigned k = 1; k < nr_pieces && !rests; k++) {
			uint64_t bytes = first_piece(&rest, rng);
			struct region piece = rest;

			if (bytes == 0)
				break;
			piece.start = rest.end - bytes;
			rest.end = piece.start;
			regions->list.items[--out] = piece;
		}
		regions->list.items[--out] = rest;
	}
	regions->list.nr = nr * nr_pieces - out;
	memmove(regions->list.items, regions->list.items + out, regions->list.nr * sizeof(regions->list.items[0]));
	return 0;
}

int regions_split_at(struct regions *regions, uint64_t addr)
{
	size_t low = 0;
	size_t high = regions->list.nr;
	struct region second;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (regions->list.items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == regions->list.nr || regions->list.items[low].start >= addr)
		return 0;
	second = regions->list.items[low];
	second.start = addr;
	if (insert(regions, low + 1, second) < 0)
		return -ENOMEM;
	regions->list.items[low].end = addr;
	return 1;
}
