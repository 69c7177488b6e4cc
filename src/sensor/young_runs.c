/* SPDX-License-Identifier: MIT */
/* This file keeps runs of young pages. */
#include "sensor/young_runs.h"

#include <errno.h>
#include <stdlib.h>

int young_runs_add(young_runs *runs, uint64_t start, uint64_t end, uint32_t entry_shift)
{
	struct tide_young_run *last = runs->items + runs->nr - 1;

	if (runs->nr > 0 && last->end == start && last->entry_shift == entry_shift) {
		last->end = end;
		return 0;
	}
	return vec_push(runs, ((struct tide_young_run){ start, end, entry_shift }));
}

int young_runs_add_bits(young_runs *runs, uint64_t start, uint32_t entry_shift, uint64_t bits)
{
	while (bits != 0) {
		unsigned from = (unsigned)__builtin_ctzll(bits);
		uint64_t rest = ~(bits >> from);
		unsigned nr = rest != 0 ? (unsigned)__builtin_ctzll(rest) : 64;

		if (nr > 64 - from)
			nr = 64 - from;
		if (young_runs_add(runs, start + ((uint64_t)from << entry_shift),
		                   start + ((uint64_t)(from + nr) << entry_shift), entry_shift) < 0)
			return -ENOMEM;
		bits &= from + nr < 64 ? ~UINT64_C(0) << (from + nr) : 0;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct tide_young_run *x = a;
	const struct tide_young_run *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void young_runs_sort(young_runs *runs)
{
	if (runs->nr > 1)
		qsort(runs->items, runs->nr, sizeof(runs->items[0]), by_start);
}
