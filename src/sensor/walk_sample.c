/* SPDX-License-Identifier: MIT */
/* This file prepares and checks sampled pages: look, clear what may be cleared, look again later. */
#include "sensor/walk.h"

#define MAX_CHUNK ((size_t)WALKER_MAX_SAMPLES - NR_CANARIES)
/* Pages looked at, in one prepare, to see that the large folios to clear are whole; beyond that they count as partial.
 */
#define MAX_VERIFIED 4096u

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
		walker_ask(&samples[n++], addr, is_fresh || witness_wants_folio(&looked->old[old - 1]));
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
		result = walk_clear(walk, nr, MAX_VERIFIED, err);
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
	int result = walk_reserve(walk, nr_old + nr_fresh, err);

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
