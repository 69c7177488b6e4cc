/* SPDX-License-Identifier: MIT */
/*
 * This file remembers what folios carried after a pass by DAMON, for the second looks of the next one.
 *
 * MADV_COLD and clear_refs leave folios without PG_young and PG_referenced, so both are news later. DAMON sets
 * PG_young, and leaves PG_referenced and PG_workingset as they were: new pages have the former in some kernels. So what
 * was young is looked at once more after the clear. The pages that a second look did not find idle, which were old
 * already, are kept in any case: they are looked at again in the next pass, and are as they were but for what that did
 * to them.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "sensor/walk.h"

static int by_start(const void *a, const void *b)
{
	const struct walk_known *x = a;
	const struct walk_known *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_place(const void *key, const void *item)
{
	uint64_t addr = *(const uint64_t *)key;
	const struct walk_known *known = item;

	if (addr < known->start)
		return -1;
	return addr >= known->end;
}

static void sort(walk_knowns *list)
{
	if (list->nr > 1)
		qsort(list->items, list->nr, sizeof(list->items[0]), by_start);
}

static const struct walk_known *find(const walk_knowns *list, uint64_t addr)
{
	if (list->nr == 0)
		return NULL;
	return bsearch(&addr, list->items, list->nr, sizeof(list->items[0]), by_place);
}

static uint64_t telling(const struct walker_facts *facts)
{
	return facts->young | facts->referenced | facts->workingset;
}

static int add(walk_knowns *list, const struct walker_sample *sample, const struct walker_facts *facts)
{
	struct walk_known *last = list->items + list->nr - 1;
	uint64_t bytes = UINT64_C(1) << sample->shift;
	uint64_t start = sample->addr / bytes * bytes;
	uint64_t end = start + bytes;
	uint64_t flags = sample->folio_flags & telling(facts);

	if (list->nr > 0 && last->start <= start && end <= last->end)
		return 0;
	if (list->nr > 0 && last->end == start && last->flags == flags) {
		last->end = end;
		return 0;
	}
	return vec_push(list, ((struct walk_known){ start, end, flags }));
}

void walk_known_turn(struct walk_damon *damon, enum tide_way last_way, const struct walker_facts *facts)
{
	walk_knowns looked = damon->looked;

	/* After a pass by DAMON they are known. */
	if (last_way != TIDE_WAY_DAMON) {
		damon->looked = damon->known;
		damon->known = looked;
		for (size_t i = 0; i < damon->known.nr && last_way == TIDE_WAY_REFS; i++)
			damon->known.items[i].flags &= ~(facts->young | facts->referenced);
		sort(&damon->known);
	}
	damon->looked.nr = 0;
}

/* At most WALKER_MAX_SAMPLES entries from `*addr` on. */
static int take_some(struct walk_state *walk, uint64_t *addr, uint64_t end, uint32_t shift, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(walk->walker);
	uint32_t n = 0;
	int result;

	for (; *addr < end && n < WALKER_MAX_SAMPLES; *addr += UINT64_C(1) << shift)
		walker_ask(&samples[n++], *addr, true);
	result = walker_sample(walk->walker, n, err);
	for (uint32_t i = 0; i < n && result >= 0; i++)
		if (samples[i].has_folio && add(&walk->exact.damon.known, &samples[i], walker_facts(walk->walker)) < 0)
			result = error_system(err, -ENOMEM, "noting what was cleared");
	return result;
}

int walk_known_take(struct walk_state *walk, struct tide_error *err)
{
	struct walk_damon *damon = &walk->exact.damon;
	int result = 0;

	damon->known.nr = 0;
	for (size_t i = 0; i < damon->looked.nr; i++) {
		const struct walk_known *looked = &damon->looked.items[i];

		if (young_runs_add(&damon->young, looked->start, looked->end, 12) < 0)
			return error_system(err, -ENOMEM, "noting what was cleared");
	}
	young_runs_sort(&damon->young);
	for (size_t i = 0; i < damon->young.nr; i++) {
		const struct tide_young_run *run = &damon->young.items[i];

		for (uint64_t addr = run->start; addr < run->end && result >= 0;)
			result = take_some(walk, &addr, run->end, run->entry_shift, err);
	}
	sort(&damon->known);
	return result < 0 ? result : 0;
}

void walk_known_expect(const struct walk_exact *exact, uint64_t addr, const struct walker_facts *facts,
                       struct witness *witness)
{
	const struct walk_known *known = find(&exact->damon.known, addr);

	if (known != NULL) {
		/* Reclaim's ageing of accessed pages can also take PG_referenced, and leave PG_workingset. */
		witness->before = WITNESS_OLD;
		witness->folio_flags = known->flags;
		witness->keeps = known->flags & (facts->young | facts->referenced);
	} else if (exact->last_way == TIDE_WAY_DAMON) {
		witness_cleared_by_damon(witness, facts);
	} else {
		witness_cleared(witness, facts);
	}
}

int walk_known_looked(struct walk_exact *exact, const struct walker_sample *sample, const struct walker_facts *facts,
                      const struct tide_check *check)
{
	if (check->answer == TIDE_ANSWER_IDLE || !sample->has_folio)
		return 0;
	if (exact->way != TIDE_WAY_DAMON && exact->last_way != TIDE_WAY_DAMON &&
	    find(&exact->damon.known, sample->addr) == NULL)
		return 0;
	return add(&exact->damon.looked, sample, facts);
}
