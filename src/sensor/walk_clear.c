/* SPDX-License-Identifier: MIT */
/* This file clears the accessed bits of pages that were looked at, whole folios at a time, neighbours together. */
#include "sensor/walk.h"

#include <errno.h>

#include "base/error.h"

#define PAGE_BYTES 4096u
/* Cleared in one piece at most: it takes the kernel some 0.1 ms. */
#define MAX_PIECE_BYTES (4u << 20)

int walk_reserve(struct walk_state *walk, size_t nr, struct tide_error *err)
{
	if (vec_reserve(&walk->witnesses, nr) < 0 || vec_reserve(&walk->folios, nr) < 0 ||
	    vec_reserve(&walk->folio_of, nr) < 0 || vec_reserve(&walk->sample_of, nr) < 0 ||
	    vec_reserve(&walk->failed, nr) < 0)
		return error_system(err, -ENOMEM, "watching %zu pages at once", nr);
	return 0;
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

/* Adds to what is cleared, in one piece with what lies before it in the same mapping. */
static void add_range(struct walk_state *walk, const struct witness *witness)
{
	struct tide_range *last = walk->folios.items + walk->folios.nr - 1;

	if (walk->folios.nr > 0 && witness->follows && last->end == witness->clear.start &&
	    witness->clear.end - last->start <= MAX_PIECE_BYTES)
		last->end = witness->clear.end;
	else
		walk->folios.items[walk->folios.nr++] = witness->clear;
}

/* Collects the folios to clear; neighbouring samples may lie in the same one. */
static int collect_folios(struct walk_state *walk, size_t nr, uint64_t max_verified, struct tide_error *err)
{
	struct tide_range last = { 0 };
	struct tide_range torn = { 0 }; /* the last folio that was found to be in pieces */
	uint64_t nr_verified = 0;

	walk->folios.nr = 0;
	for (size_t i = 0; i < nr; i++) {
		struct witness *witness = &walk->witnesses.items[i];
		uint64_t nr_pages = (witness->clear.end - witness->clear.start) / PAGE_BYTES;

		if (nr_pages == 0)
			continue;
		if (!same_range(&last, &witness->clear)) {
			struct tide_range folio = witness->clear;
			int result = 0;

			if (witness->verify && nr_pages > 1) {
				bool is_torn = same_range(&torn, &folio) || nr_pages > WALKER_MAX_SAMPLES;

				nr_verified += is_torn ? 0 : nr_pages;
				if (is_torn || nr_verified > max_verified)
					witness_stuck(witness, TIDE_REASON_PARTIAL);
				else
					result = verify_folio(walk, witness, err);
			}
			if (result < 0)
				return result;
			if (witness->clear.end == 0) {
				torn = folio;
				continue;
			}
			last = folio;
			add_range(walk, witness);
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

int walk_clear(struct walk_state *walk, size_t nr, uint64_t max_verified, struct tide_error *err)
{
	int result = collect_folios(walk, nr, max_verified, err);

	return result == 0 && walk->folios.nr > 0 ? clear_folios(walk, nr, err) : result;
}
