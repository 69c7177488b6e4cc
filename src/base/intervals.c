/* SPDX-License-Identifier: MIT */
/* This file keeps sets of numbers as intervals. */
#include "base/intervals.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The index of the first interval that ends after `at`, or the number of intervals. */
static size_t first_after(const struct intervals *set, uint64_t at)
{
	size_t low = 0, high = set->v.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->v.items[middle].end > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Puts `nr_new` intervals in the place of `nr_old` from `at` on. */
static int replace(struct intervals *set, size_t at, size_t nr_old, const struct interval *fresh, size_t nr_new)
{
	if (nr_new > nr_old && vec_reserve(&set->v, set->v.nr + nr_new - nr_old) < 0)
		return -ENOMEM;
	if (nr_new != nr_old && set->v.nr > at + nr_old)
		memmove(&set->v.items[at + nr_new], &set->v.items[at + nr_old],
		        (set->v.nr - at - nr_old) * sizeof(set->v.items[0]));
	if (nr_new > 0)
		memcpy(&set->v.items[at], fresh, nr_new * sizeof(fresh[0]));
	set->v.nr = set->v.nr + nr_new - nr_old;
	return 0;
}

int intervals_add(struct intervals *set, uint64_t start, uint64_t end)
{
	struct interval whole = { start, end };
	size_t first, last;

	if (start >= end)
		return 0;
	assert(set->v.nr == 0 || set->v.items != NULL);
	/* Neighbours that only touch are taken in as well. */
	first = first_after(set, start);
	assert(first <= set->v.nr);
	if (first > 0 && set->v.items[first - 1].end == start)
		first--;
	for (last = first; last < set->v.nr && set->v.items[last].start <= end; last++) {
		if (set->v.items[last].start < whole.start)
			whole.start = set->v.items[last].start;
		if (set->v.items[last].end > whole.end)
			whole.end = set->v.items[last].end;
	}
	return replace(set, first, last - first, &whole, 1);
}

int intervals_add_part(struct intervals *set, const struct intervals *of, uint64_t from, uint64_t to)
{
	struct interval part;
	int result = 0;

	for (; result == 0 && intervals_next(of, from, to, &part); from = part.end)
		result = intervals_add(set, part.start, part.end);
	return result;
}

static int by_start(const void *one, const void *other)
{
	const struct interval *a = one, *b = other;

	return a->start < b->start ? -1 : a->start > b->start;
}

int intervals_add_all(struct intervals *set, struct interval *items, size_t nr)
{
	struct intervals both = { 0 };
	size_t i = 0, j = 0;
	int result = 0;

	qsort(items, nr, sizeof(items[0]), by_start);
	while (result == 0 && (i < set->v.nr || j < nr)) {
		const struct interval *next;

		if (j == nr || (i < set->v.nr && set->v.items[i].start <= items[j].start))
			next = &set->v.items[i++];
		else
			next = &items[j++];
		result = intervals_add(&both, next->start, next->end);
	}
	if (result < 0) {
		intervals_fini(&both);
		return result;
	}
	intervals_fini(set);
	*set = both;
	return 0;
}

int intervals_remove(struct intervals *set, uint64_t start, uint64_t end)
{
	struct interval rest[2];
	size_t first, last, nr = 0;

	if (start >= end)
		return 0;
	first = first_after(set, start);
	for (last = first; last < set->v.nr && set->v.items[last].start < end; last++) {
		struct interval old = set->v.items[last];

		if (old.start < start)
			rest[nr++] = (struct interval){ old.start, start };
		if (old.end > end)
			rest[nr++] = (struct interval){ end, old.end };
	}
	return replace(set, first, last - first, rest, nr);
}

int intervals_keep(struct intervals *set, const struct intervals *keep)
{
	struct intervals kept = { 0 };

	for (size_t i = 0; i < set->v.nr; i++) {
		uint64_t from = set->v.items[i].start;
		struct interval part;

		for (; intervals_next(keep, from, set->v.items[i].end, &part); from = part.end) {
			if (intervals_add(&kept, part.start, part.end) < 0) {
				intervals_fini(&kept);
				return -ENOMEM;
			}
		}
	}
	intervals_fini(set);
	*set = kept;
	return 0;
}

bool intervals_next(const struct intervals *set, uint64_t from, uint64_t to, struct interval *out)
{
	size_t at = first_after(set, from);

	if (at == set->v.nr || set->v.items[at].start >= to || from >= to)
		return false;
	out->start = set->v.items[at].start > from ? set->v.items[at].start : from;
	out->end = set->v.items[at].end < to ? set->v.items[at].end : to;
	return true;
}

bool intervals_next_gap(const struct intervals *set, uint64_t from, uint64_t to, struct interval *out)
{
	size_t at = first_after(set, from);

	if (at < set->v.nr && set->v.items[at].start <= from) {
		from = set->v.items[at].end;
		at++;
	}
	if (from >= to)
		return false;
	out->start = from;
	out->end = at < set->v.nr && set->v.items[at].start < to ? set->v.items[at].start : to;
	return true;
}

uint64_t intervals_size(const struct intervals *set)
{
	uint64_t size = 0;

	for (size_t i = 0; i < set->v.nr; i++)
		size += set->v.items[i].end - set->v.items[i].start;
	return size;
}

void intervals_clear(struct intervals *set)
{
	set->v.nr = 0;
}

void intervals_fini(struct intervals *set)
{
	vec_free(&set->v);
}
