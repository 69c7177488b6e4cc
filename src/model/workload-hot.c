/* SPDX-License-Identifier: MIT */
/*
 * This file calculates what is hot. Between two places where a set begins or ends all pages are alike but for chance:
 * how much of such a span is hot follows from the sets that hold it, their periods, and the shares of their pages.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/scope.h"
#include "model/workload.h"

/* A part of a set, which may go around its mapping's end and then has two. */
struct piece {
	uint64_t start;
	uint64_t end;
	double idle;  /* the chance that a page it uses is not used in one interval */
	double share; /* of the pages that it uses */
};

struct pieces {
	struct piece items[2 * WORKLOAD_MAX_SETS];
	size_t nr;
};

static double chance(uint64_t period, uint64_t interval_ns)
{
	if (period == 0)
		return 0;
	return interval_ns >= period ? 1 : (double)interval_ns / (double)period;
}

static void add_set(struct pieces *pieces, const struct workload *workload, const struct workload_set *set,
                    uint64_t at_ns, uint64_t interval_ns, unsigned uses)
{
	const struct workload_mapping *mapping = &workload->mappings.items[set->mapping];
	uint64_t start = mapping->start + workload_set_offset(workload, set, at_ns);
	uint64_t limit = mapping->start + mapping->populated_bytes;
	struct piece piece = { .start = start, .end = start + set->bytes, .share = (double)set->share / WORKLOAD_ALL };

	if (at_ns < set->from_ns || at_ns >= set->until_ns || !workload_is_mapped(mapping, at_ns))
		return;
	piece.idle = (uses & WORKLOAD_READS ? 1 - chance(set->read_ns, interval_ns) : 1) *
	             (uses & WORKLOAD_WRITES ? 1 - chance(set->write_ns, interval_ns) : 1);
	if (piece.end > limit) {
		struct piece rest = piece;

		rest.start = mapping->start;
		rest.end = mapping->start + (piece.end - limit);
		piece.end = limit;
		pieces->items[pieces->nr++] = rest;
	}
	pieces->items[pieces->nr++] = piece;
}

/* The share of hot pages at `addr`, of those that pieces before `i` leave idle with the chance `idle`. */
static double hot_share(const struct pieces *pieces, size_t i, uint64_t addr, double idle)
{
	const struct piece *piece = &pieces->items[i];

	if (idle <= 0.5)
		return 1;
	if (i == pieces->nr)
		return 0;
	if (addr < piece->start || addr >= piece->end)
		return hot_share(pieces, i + 1, addr, idle);
	if (piece->share >= 1)
		return hot_share(pieces, i + 1, addr, idle * piece->idle);
	return piece->share * hot_share(pieces, i + 1, addr, idle * piece->idle) +
	       (1 - piece->share) * hot_share(pieces, i + 1, addr, idle);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where a piece begins or ends, ascending. */
static size_t find_cuts(const struct pieces *pieces, uint64_t *cuts)
{
	size_t nr = 0;

	for (size_t i = 0; i < pieces->nr; i++) {
		cuts[nr++] = pieces->items[i].start;
		cuts[nr++] = pieces->items[i].end;
	}
	qsort(cuts, nr, sizeof(cuts[0]), by_value);
	return nr;
}

int workload_hot(const struct workload *workload, uint64_t at_ns, uint64_t interval_ns, unsigned uses,
                 struct workload_hots *out)
{
	scope_free struct pieces *pieces = calloc(1, sizeof(*pieces));
	uint64_t cuts[4 * WORKLOAD_MAX_SETS];
	size_t nr;

	out->list.nr = 0;
	if (pieces == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < workload->sets.nr; i++)
		add_set(pieces, workload, &workload->sets.items[i], at_ns, interval_ns, uses);
	nr = find_cuts(pieces, cuts);
	for (size_t i = 1; i < nr; i++) {
		struct workload_hot hot = { .start = cuts[i - 1], .end = cuts[i] };

		if (hot.start == hot.end)
			continue;
		hot.share = hot_share(pieces, 0, hot.start, 1);
		if (hot.share > 0 && vec_push(&out->list, hot) < 0)
			return -ENOMEM;
	}
	return 0;
}
