/* SPDX-License-Identifier: MIT */
/* This file checks what the walk sensor claims of a kind of memory. */
#include "kinds-fixture.h"

#include <string.h>

void kinds_aim(struct fixture *fix)
{
	uint64_t nr_pages = kinds_size(fix) / KINDS_PAGE;
	uint64_t step;

	fix->nr_checks = nr_pages < MAX_CHECKS ? (size_t)nr_pages : MAX_CHECKS;
	step = nr_pages / fix->nr_checks;
	/* Even and odd pages in turn. */
	for (size_t i = 0; i < fix->nr_checks; i++)
		fix->checks[i].addr = fix->place->start + (i * step + (step > 1 ? i % 2 : 0)) * KINDS_PAGE;
}

/* Was anything touched in the page the answer holds for? */
static bool was_touched(const struct fixture *fix, const struct tide_check *check)
{
	uint64_t start = check->page_end > 0 ? check->page_start : check->addr;
	uint64_t end = check->page_end > 0 ? check->page_end : check->addr + KINDS_PAGE;
	uint64_t apart = 2 * fix->granule;
	uint64_t first = fix->place->start;

	if (start > first)
		first += (start - first + apart - 1) / apart * apart;
	return fix->kind->touch != TOUCH_NOTHING && first < end && first < fix->place->end;
}

/* Of the folios that are checked, where the kernel tells. */
static void read_orders(struct fixture *fix, uint8_t *orders)
{
	struct walker_sample *samples = walker_samples(fix->sensor->walker);

	for (size_t i = 0; i < fix->nr_checks; i++)
		walker_ask(&samples[i], fix->checks[i].addr, true);
	if (walker_sample(fix->sensor->walker, (uint32_t)fix->nr_checks, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	for (size_t i = 0; i < fix->nr_checks; i++)
		orders[i] = samples[i].has_folio ? samples[i].folio_order : 0;
}

/* Prepares, lets the child use the memory or not, checks. */
void kinds_watch(struct fixture *fix, bool use, struct answers *answers)
{
	uint8_t before[MAX_CHECKS];
	uint8_t after[MAX_CHECKS];

	memset(answers, 0, sizeof(*answers));
	read_orders(fix, before);
	if (fix->ops->prepare_access_checks(fix->sensor, fix->checks, fix->nr_checks, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	read_orders(fix, after);
	for (size_t i = 0; i < fix->nr_checks; i++)
		if (after[i] < before[i])
			fail_msg("the folio at %#lx was split: order %u, was %u", fix->checks[i].addr, after[i],
			         before[i]);
	if (use)
		child_step(&fix->child);
	if (fix->ops->check_accesses(fix->sensor, fix->checks, fix->nr_checks, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	for (size_t i = 0; i < fix->nr_checks; i++) {
		const struct tide_check *check = &fix->checks[i];
		bool touched = use && was_touched(fix, check);

		answers->nr[touched]++;
		answers->idle[touched] += check->answer == TIDE_ANSWER_IDLE;
		answers->accessed[touched] += check->answer == TIDE_ANSWER_ACCESSED;
		answers->reasons[touched][check->reason] += check->answer == TIDE_ANSWER_UNOBSERVABLE;
		if (touched && check->answer == TIDE_ANSWER_IDLE)
			fail_msg("%#lx was touched and is called idle", check->addr);
		if (!touched && check->answer == TIDE_ANSWER_ACCESSED)
			fail_msg("%#lx was not touched and is called accessed", check->addr);
	}
}

static enum kind_claim claim_of(const struct fixture *fix, uint32_t *reasons)
{
	*reasons = fix->kind->reasons;
	if (fix->kind->claim != CLAIM_LARGE)
		return fix->kind->claim;
	if (walker_facts(fix->sensor->walker)->has_large_mapcount)
		return CLAIM_SEEN;
	*reasons = REASON(PARTIAL);
	return CLAIM_NONE;
}

/* Most: pages wait in batches for their place on an LRU list. */
static void expect_most(size_t nr, size_t all, const char *what)
{
	if (nr * 4 < all * 3)
		fail_msg("only %zu of %zu pages %s", nr, all, what);
}

static size_t unobservable(const struct answers *answers, bool touched, uint32_t reasons)
{
	size_t nr = 0;

	for (unsigned reason = 0; reason < TIDE_NR_REASONS; reason++)
		nr += reasons >> reason & 1 ? answers->reasons[touched][reason] : 0;
	return nr;
}

void kinds_expect_claims(const struct fixture *fix, const struct answers *answers, bool used)
{
	uint32_t reasons;
	enum kind_claim claim = claim_of(fix, &reasons);
	size_t of_unused = claim != CLAIM_NONE ? answers->idle[0] : 0;
	size_t of_used = claim == CLAIM_NONE || claim == CLAIM_COMES ? 0 : answers->accessed[1];

	if (claim == CLAIM_NONE || claim == CLAIM_EITHER || (claim == CLAIM_COMES && used))
		of_unused += unobservable(answers, false, reasons);
	if (claim == CLAIM_NONE || claim == CLAIM_EITHER || claim == CLAIM_COMES)
		of_used += unobservable(answers, true, reasons);
	expect_most(of_unused, answers->nr[0], "that were not touched have the answer they should");
	expect_most(of_used, answers->nr[1], "that were touched have the answer they should");
}
