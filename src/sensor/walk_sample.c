/* SPDX-License-Identifier: MIT */
/* This file prepares and checks sampled pages: look, clear what may be cleared, look again later. */
#include "sensor/walk.h"

#include <errno.h>

#include "base/error.h"

#define PAGE_BYTES 4096u
#define MAX_CHUNK  ((size_t)WALKER_MAX_SAMPLES - NR_CANARIES)
/* Pages looked at, in one prepare, to see that the large folios to clear are whole; beyond that they count as partial.
 */
#define MAX_VERIFIED 4096u

static int reserve(struct walk_state *walk, size_t nr, struct tide_error *err)
{
	if (vec_reserve(&walk->witnesses, nr) < 0 || vec_reserve(&walk->folios, nr) < 0 ||
	    vec_reserve(&walk->folio_of, nr) < 0 || vec_reserve(&walk->sample_of, nr) < 0 ||
	    vec_reserve(&walk->failed, nr) < 0)
		return error_system(err, -ENOMEM, "watching %zu pages at once", nr);
	return 0;
}

/* Two ascending arrays of checks that are looked at together; either may be empty. */
struct looked {
	const struct tide_check *old; /* prepared earlier: to be answered */
	size_t nr_old;
	const struct tide_check *fresh; /* to be prepared */
	size_t nr_fresh;
};

/*
 * Looks at the checks' pages and, on the way, at the canaries: one ascending list, one run of the walker. sample_of has
 * the old checks first. A young page's folio is asked for only where something may follow from it.
 */
static int look(struct walk_state *walk, const struct looked *looked, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(walk->walker);
	struct canaries *canaries = &walk->canaries;
	uint32_t at[NR_CANARIES];
	unsigned canary = 0;
	size_t old = 0;
	size_t fresh = 0;
	uint32_t n = 0;
	int result;

	while (old < looked->nr_old || fresh < looked->nr_fresh) {
		bool is_fresh = old == looked->nr_old ||
		                (fresh < looked->nr_fresh && looked->fresh[fresh].addr < looked->old[old].addr);
		uint64_t addr = is_fresh ? looked->fresh[fresh].addr : looked->old[old].addr;

		for (; canary < canaries->nr && canaries->items[canary].addr <= addr; canary++) {
			at[canary] = n;
			walker_ask(&samples[n++], canaries->items[canary].addr, true);
		}
		walk->sample_of.items[is_fresh ? looked->nr_old + fresh++ : old++] = n;
		walker_ask(&samples[n++], addr, is_fresh);
	}
	for (; canary < canaries->nr; canary++) {
		at[canary] = n;
		walker_ask(&samples[n++], canaries->items[canary].addr, true);
	}
	result = walker_sample(walk->walker, n, err);
	if (result < 0)
		return result;
	for (canary = canaries->nr; canary-- > 0;)
		canary_look(canaries, canary, &samples[at[canary]], walker_facts(walk->walker));
	return 0;
}

static const struct walker_sample *sample_of(struct walk_state *walk, size_t check)
{
	return &walker_samples(walk->walker)[walk->sample_of.items[check]];
}

/* Looks at every page of a folio mapped by single entries: is each in its place? Else clearing would split it. */
static int verify_folio(struct walk_state *walk, struct witness *witness, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(walk->walker);
	uint32_t nr_pages = (uint32_t)((witness->clear.end - witness->clear.start) / PAGE_BYTES);
	int result;

	for (uint32_t i = 0; i < nr_pages; i++)
		walker_ask(&samples[i], witness->clear.start + (uint64_t)i * PAGE_BYTES, true);
	result = walker_sample(walk->walker, nr_pages, err);
	if (result < 0)
		return result;
	for (uint32_t i = 0; i < nr_pages; i++) {
		if (!witness_in_place(&samples[i], walker_facts(walk->walker), samples[0].folio_pfn, i)) {
			witness_stuck(witness, TIDE_REASON_PARTIAL);
			return 0;
		}
	}
	return 0;
}

static bool same_range(const struct tide_range *a, const struct tide_range *b)
{
	return a->start == b->start && a->end == b->end;
}

/* Collects the folios to clear; neighbouring samples may lie in the same one. */
static int collect_folios(struct walk_state *walk, size_t nr, struct tide_error *err)
{
	uint64_t nr_verified = 0;

	walk->folios.nr = 0;
	for (size_t i = 0; i < nr; i++) {
		struct witness *witness = &walk->witnesses.items[i];
		const struct tide_range *last = walk->folios.items + walk->folios.nr - 1;
		uint64_t nr_pages = (witness->clear.end - witness->clear.start) / PAGE_BYTES;

		if (nr_pages == 0)
			continue;
		if (walk->folios.nr == 0 || !same_range(last, &witness->clear)) {
			if (witness->verify && nr_pages > 1) {
				int result = 0;

				nr_verified += nr_pages;
				if (nr_verified > MAX_VERIFIED || nr_pages > WALKER_MAX_SAMPLES)
					witness_stuck(witness, TIDE_REASON_PARTIAL);
				else
					result = verify_folio(walk, witness, err);
				if (result < 0)
					return result;
				if (witness->clear.end == 0)
					continue;
			}
			walk->folios.items[walk->folios.nr++] = witness->clear;
		}
		walk->folio_of.items[i] = (uint32_t)walk->folios.nr - 1;
	}
	return 0;
}

static int clear_folios(struct walk_state *walk, size_t nr, struct tide_error *err)
{
	const struct walker_facts *facts = walker_facts(walk->walker);
	int result = cold_clear(&walk->cold, tide_target_pidfd(walk->target), walk->folios.items, walk->folios.nr,
	                        walk->failed.items, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < walk->folios.nr; i++) {
		walk->nr_cleared += !walk->failed.items[i];
		canary_drop_range(&walk->canaries, &walk->folios.items[i]);
	}
	for (size_t i = 0; i < nr; i++) {
		struct witness *witness = &walk->witnesses.items[i];

		if (witness->clear.end == 0)
			continue;
		if (walk->failed.items[walk->folio_of.items[i]])
			witness_stuck(witness, TIDE_REASON_REFUSED);
		else
			witness_cleared(witness, facts);
	}
	return 0;
}

/* The page behind what is cleared is often young too, and left alone: a candidate. */
static void recruit(struct walk_state *walk, size_t nr)
{
	for (size_t i = 0; i < nr && walk->canaries.nr < NR_CANARIES; i += 1 + nr / NR_CANARIES)
		if (walk->witnesses.items[i].clear.end != 0)
			canary_add(&walk->canaries, walk->witnesses.items[i].clear.end);
}

/* Prepares checks that were looked at as numbers `first` and on. */
static int arm(struct walk_state *walk, struct tide_check *checks, size_t nr, size_t first, struct tide_error *err)
{
	int result;

	for (size_t i = 0; i < nr; i++)
		witness_first(&walk->witnesses.items[i], sample_of(walk, first + i), walker_facts(walk->walker));
	result = walk_extend(walk, checks, nr, err);
	if (result == 0)
		result = collect_folios(walk, nr, err);
	if (result == 0 && walk->folios.nr > 0)
		result = clear_folios(walk, nr, err);
	if (result < 0)
		return result;
	recruit(walk, nr);
	for (size_t i = 0; i < nr; i++) {
		walk->witnesses.items[i].nr_alarms = walk->canaries.nr_alarms;
		witness_pack(&walk->witnesses.items[i], &checks[i]);
	}
	return 0;
}

/* Answers checks that were looked at as numbers 0 and on. */
static void judge(struct walk_state *walk, struct tide_check *checks, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		struct witness witness;

		witness_unpack(&witness, &checks[i]);
		witness_second(&witness, sample_of(walk, i), walker_facts(walk->walker),
		               walker_has_notifiers(walk->walker), &checks[i]);
		if (witness.nr_alarms != walk->canaries.nr_alarms && checks[i].answer == TIDE_ANSWER_IDLE) {
			checks[i].answer = TIDE_ANSWER_UNOBSERVABLE;
			checks[i].reason = TIDE_REASON_CLEARED;
		}
	}
}

static int turn_chunk(struct walk_state *walk, struct tide_check *old, size_t nr_old, struct tide_check *fresh,
                      size_t nr_fresh, struct tide_error *err)
{
	const struct looked looked = { .old = old, .nr_old = nr_old, .fresh = fresh, .nr_fresh = nr_fresh };
	int result = reserve(walk, nr_old + nr_fresh, err);

	if (result == 0)
		result = look(walk, &looked, err);
	if (result < 0)
		return result;
	judge(walk, old, nr_old);
	return nr_fresh > 0 ? arm(walk, fresh, nr_fresh, nr_old, err) : 0;
}

int walk_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	for (size_t done = 0; done < nr;) {
		size_t n = nr - done < MAX_CHUNK ? nr - done : MAX_CHUNK;
		int result = turn_chunk(state, NULL, 0, checks + done, n, err);

		if (result < 0)
			return result;
		done += n;
	}
	return 0;
}

int walk_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	for (size_t done = 0; done < nr;) {
		size_t n = nr - done < MAX_CHUNK ? nr - done : MAX_CHUNK;
		int result = turn_chunk(state, checks + done, n, NULL, 0, err);

		if (result < 0)
			return result;
		done += n;
	}
	return 0;
}

int walk_turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
              struct tide_error *err)
{
	int result;

	if (nr_old <= MAX_CHUNK && nr_fresh <= MAX_CHUNK - nr_old)
		return turn_chunk(state, old, nr_old, fresh, nr_fresh, err);
	result = walk_check(state, old, nr_old, err);
	return result < 0 ? result : walk_prepare(state, fresh, nr_fresh, err);
}
