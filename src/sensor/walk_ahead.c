/* SPDX-License-Identifier: MIT */
/*
 * This file extends what is cleared with a sampled page to the pages behind it, where the monitor believes them unused.
 *
 * Clearing is dear for what surrounds it (a system call's share, a TLB flush on every processor that runs the target),
 * so one range of many pages costs little more than one page. Each page is looked at first: it must be one that could
 * be sampled and cleared by itself, a base page that only this page table maps.
 */
#include "sensor/walk.h"

#define PAGE_BYTES  4096u
#define MAX_LOOKS   (WALKER_MAX_SAMPLES / 2) /* for all samples of a prepare */
#define ONE_PAGE(w) ((w)->clear.end - (w)->clear.start == PAGE_BYTES)

/* How many pages behind check `i`'s may be cleared along, before the next check's. */
static size_t pages_ahead(const struct walk_state *walk, const struct tide_check *checks, size_t nr, size_t i)
{
	const struct witness *witness = &walk->witnesses.items[i];
	uint64_t end = witness->clear.end + checks[i].ahead_bytes;

	if (checks[i].ahead_bytes == 0 || !ONE_PAGE(witness))
		return 0;
	if (i + 1 < nr && checks[i + 1].addr < end)
		end = checks[i + 1].addr;
	return end > witness->clear.end ? (end - witness->clear.end) / PAGE_BYTES : 0;
}

static bool may_come_along(const struct walker_sample *sample, const struct walker_facts *facts)
{
	struct witness witness;

	/* A range to clear lies in one mapping, the one of the page before. */
	if (sample->state != WALKER_READ || sample->vm_start >= sample->addr)
		return false;
	witness_first(&witness, sample, facts);
	return (witness.before == WITNESS_OLD && sample->folio_order == 0 && sample->has_folio &&
	        sample->mapcount == 1) ||
	       ONE_PAGE(&witness);
}

int walk_extend(struct walk_state *walk, const struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(walk->walker);
	uint32_t nr_looks = 0;
	uint32_t at = 0;
	int result;

	/* The first look is judged by now: what sample_of told is not needed any more, and it holds counts here. */
	for (size_t i = 0; i < nr; i++) {
		size_t wanted = pages_ahead(walk, checks, nr, i);

		walk->sample_of.items[i] = nr_looks + wanted <= MAX_LOOKS ? (uint32_t)wanted : 0;
		for (size_t k = 0; k < walk->sample_of.items[i]; k++)
			walker_ask(&samples[nr_looks++], walk->witnesses.items[i].clear.end + k * PAGE_BYTES, true);
	}
	if (nr_looks == 0)
		return 0;
	result = walker_sample(walk->walker, nr_looks, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < nr; i++) {
		uint32_t end = at + walk->sample_of.items[i];

		while (at < end && may_come_along(&samples[at], walker_facts(walk->walker))) {
			walk->witnesses.items[i].clear.end += PAGE_BYTES;
			at++;
		}
		at = end;
	}
	return 0;
}
