/* SPDX-License-Identifier: MIT */
/*
 * This file sees to writes that page tables never notice: those of devices into pages that are pinned for them.
 *
 * A page is pinned (FOLL_PIN: io_uring's registered buffers, RDMA, VFIO, direct I/O) by somebody who then writes it by
 * its physical address. No protection stops that. The rule by which no such write is lost: collect number k
 *
 *     1. gets and re-arms: W(k);
 *     2. after that, looks which pages of W(k) and of P(k-1) are pinned: P(k);
 *     3. returns W(k) + P(k-1) + P(k). Contents are read only after the return.
 *
 * Why it holds. To pin a page for writing one needs a writable entry in the page table. An armed entry is not writable,
 * so the pinning faults first, which lifts the protection; and the lockless way of pinning reads the entry again after
 * it has taken its reference. Hence a page that is pinned for writing was in W of some collect after the last time it
 * was armed, and by step 2 is in P from then on, for as long as each look finds it pinned. Now take a device's write at
 * time t between the re-arming of the page in collect k and that in collect k+1, with the page pinned at t:
 *   - pinned before the re-arming in k: the page was in W(k) or in P(k-1), so the look of k asked for it, and came
 * after the re-arming. If it was still pinned then, it is in P(k), and k+1 returns it. If not, t was before the look,
 * hence before the return of k, which reports the page; the reader finds what the device wrote.
 *   - pinned after the re-arming in k: the fault lifted the protection, so the page is in W(k+1).
 * With the look before the re-arming, a page pinned in between is armed and forgotten; without P(k-1), a device that
 * writes and lets go between two collects is. Both lose writes, and both were tried.
 *
 * A page that is not present now may be pinned all the same (reclaim may unmap a pinned file page): it stays in P.
 *
 * References that are no pins, of older direct I/O, show as more references than mappings. Who holds one now may write
 * until the next look; so such a page is `over` in the next epoch, once more, and for as long as it is so.
 *
 * Cost: O(written). As long as nothing in the process was ever pinned, nothing is looked at; the question itself comes
 * after the re-arming, too, as a process begins to pin some day.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "watch/tracker.h"

enum {
	LOOK_AT_ONCE = 65536,
};

int pinned_open(struct pinned *pinned, const struct tide_pins_ops *ops, struct tide_target *target,
                struct tide_error *err)
{
	int result;

	if (ops == NULL)
		return 0;
	pinned->state = calloc(1, ops->state_size + 1);
	if (pinned->state == NULL)
		return error_system(err, -ENOMEM, "cannot look for pinned pages");
	result = ops->init(pinned->state, target, err);
	if (result < 0) {
		free(pinned->state);
		pinned->state = NULL;
		return result;
	}
	pinned->ops = ops;
	return 0;
}

void pinned_close(struct pinned *pinned)
{
	if (pinned->ops != NULL && pinned->ops->fini != NULL)
		pinned->ops->fini(pinned->state);
	free(pinned->state);
	intervals_fini(&pinned->was_pinned);
	intervals_fini(&pinned->is_pinned);
	intervals_fini(&pinned->was_referenced);
	intervals_fini(&pinned->is_referenced);
	vec_free(&pinned->addresses);
	vec_free(&pinned->answers);
	*pinned = (struct pinned){ 0 };
}

void pinned_end_epoch(struct pinned *pinned)
{
	struct intervals pins = pinned->was_pinned, references = pinned->was_referenced;

	pinned->was_pinned = pinned->is_pinned;
	pinned->was_referenced = pinned->is_referenced;
	intervals_clear(&pins);
	intervals_clear(&references);
	pinned->is_pinned = pins;
	pinned->is_referenced = references;
	pinned->blind = 0;
}

/* All of its pages are there, as far as is known. */
static bool is_there(const struct tide_run *run)
{
	return run->certainty == TIDE_EXACT || run->why == TIDE_WHY_SOFT || run->why == TIDE_WHY_REUSED;
}

/* Everything of runs that were not written as such, but may hold pages that are armed now. */
static bool needs_look(const struct tide_run *run)
{
	return is_there(run) || run->why == TIDE_WHY_ABSENT || run->why == TIDE_WHY_NEW || run->why == TIDE_WHY_HUGE ||
	       run->why == TIDE_WHY_ERROR || run->why == TIDE_WHY_FREED;
}

/* The pages to look at: of [from, to), what was collected and is there, and what was held by somebody at the last look.
 */
static int gather(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected,
                  struct intervals *pages)
{
	struct pinned *pinned = &watch->pinned;
	const struct intervals *const held[] = { &pinned->was_pinned, &pinned->was_referenced };
	int result = 0;

	for (size_t i = 0; i < collected->v.nr && result == 0; i++) {
		const struct tide_run *run = &collected->v.items[i];
		struct pagescan match = {
			.start = run->start,
			.end = run->end,
			.all_of = PAGESCAN_PRESENT,
			.returned = PAGESCAN_PRESENT,
		};

		if (is_there(run))
			result = intervals_add(pages, run->start, run->end);
		else if (needs_look(run))
			result = watch_each_region(watch, &match, watch_add_region, pages);
	}
	for (size_t i = 0; i < 2 && result == 0; i++)
		result = intervals_add_part(pages, held[i], from, to);
	return result;
}

/* Takes the answers of one batch down. A pinned page of which nothing can be said stays so. */
static int note(struct pinned *pinned)
{
	int result = 0;

	for (size_t i = 0; i < pinned->addresses.nr && result == 0; i++) {
		uint64_t page = pinned->addresses.items[i];
		enum pin_answer answer = pinned->answers.items[i];
		struct interval part;

		if (answer == PIN_PINNED ||
		    (answer == PIN_UNKNOWN && intervals_next(&pinned->was_pinned, page, page + WATCH_PAGE, &part)))
			result = intervals_add(&pinned->is_pinned, page, page + WATCH_PAGE);
		else if (answer == PIN_REFERENCE)
			result = intervals_add(&pinned->is_referenced, page, page + WATCH_PAGE);
	}
	return result;
}

static int look(struct tide_watch *watch, const struct intervals *pages, struct tide_error *err)
{
	struct pinned *pinned = &watch->pinned;
	int result = 0;

	pinned->addresses.nr = 0; /* a look that failed may have left some */
	for (size_t i = 0; i < pages->v.nr; i++) {
		for (uint64_t at = pages->v.items[i].start; at < pages->v.items[i].end;) {
			bool full, last;

			if (vec_push(&pinned->addresses, at) < 0)
				return -ENOMEM;
			at += WATCH_PAGE;
			full = pinned->addresses.nr == LOOK_AT_ONCE;
			last = at == pages->v.items[i].end && i + 1 == pages->v.nr;
			if (!full && !last)
				continue;
			if (vec_reserve(&pinned->answers, pinned->addresses.nr) < 0)
				return -ENOMEM;
			result = pinned->ops->look(pinned->state, pinned->addresses.items, pinned->addresses.nr,
			                           pinned->answers.items, err);
			watch->now.nr_looked += pinned->addresses.nr;
			if (result == 0)
				result = note(pinned);
			pinned->addresses.nr = 0;
			if (result < 0)
				return result;
		}
	}
	return 0;
}

/* Ranges that somebody says are pinned, whatever their page tables say. */
static int add_known(struct tide_watch *watch, uint64_t from, uint64_t to, struct tide_error *err)
{
	struct pinned *pinned = &watch->pinned;
	const struct tide_range *ranges;
	size_t nr;
	int result;

	if (pinned->ops->known == NULL)
		return 0;
	result = pinned->ops->known(pinned->state, &ranges, &nr, err);
	for (size_t i = 0; i < nr && result == 0; i++) {
		uint64_t start = ranges[i].start > from ? ranges[i].start : from;
		uint64_t end = ranges[i].end < to ? ranges[i].end : to;

		result = intervals_add_part(&pinned->is_pinned, &watch->tracked, start, end);
	}
	return result;
}

/* The parts of [from, to) that a set holds, as runs. */
static int push_set(struct runs *out, const struct intervals *set, uint64_t from, uint64_t to,
                    enum tide_certainty certainty, enum tide_why why)
{
	struct interval part;
	int result = 0;

	for (; result == 0 && intervals_next(set, from, to, &part); from = part.end)
		result = runs_push(out, part.start, part.end, certainty, why);
	return result;
}

/* raw + P(k-1) + P(k), and what was referenced, into `ready`. */
static int combine(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected, struct runs *out)
{
	const struct pinned *pinned = &watch->pinned;
	struct runs was = { 0 }, is = { 0 }, references = { 0 }, first = { 0 }, second = { 0 };
	int result;

	if (pinned->was_pinned.v.nr + pinned->is_pinned.v.nr + pinned->was_referenced.v.nr == 0)
		return runs_wanted(watch, collected, out);
	result = push_set(&was, &pinned->was_pinned, from, to, TIDE_PINNED, TIDE_WHY_PIN);

	if (result == 0)
		result = push_set(&is, &pinned->is_pinned, from, to, TIDE_PINNED, TIDE_WHY_PIN);
	if (result == 0)
		result = push_set(&references, &pinned->was_referenced, from, to, TIDE_OVER, TIDE_WHY_REFERENCE);
	if (result == 0) /* what was written for sure stays so */
		result = runs_overlay(&first, &references, collected);
	if (result == 0)
		result = runs_overlay(&second, &first, &was);
	first.v.nr = 0;
	if (result == 0)
		result = runs_overlay(&first, &second, &is);
	if (result == 0)
		result = runs_wanted(watch, &first, out);
	vec_free(&was.v);
	vec_free(&is.v);
	vec_free(&references.v);
	vec_free(&first.v);
	vec_free(&second.v);
	return result;
}

static int ask(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected,
               struct tide_error *err)
{
	struct intervals pages = { 0 };
	uint32_t blind = 0;
	int result = watch->pinned.ops->begin(watch->pinned.state, &blind, err);

	watch->pinned.blind |= blind;
	if (result > 0) {
		result = gather(watch, from, to, collected, &pages);
		if (result == 0)
			result = look(watch, &pages, err);
		if (result == 0)
			result = add_known(watch, from, to, err);
	}
	intervals_fini(&pages);
	return result;
}

/* Nothing is known of who holds which page: what was held stays so, and what was collected may be written on. */
static int doubt(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected)
{
	struct pinned *pinned = &watch->pinned;
	int result = 0;

	for (size_t i = 0; i < collected->v.nr && result == 0; i++)
		if (needs_look(&collected->v.items[i]))
			result = intervals_add(&pinned->is_referenced, collected->v.items[i].start,
			                       collected->v.items[i].end);
	if (result == 0)
		result = intervals_add_part(&pinned->is_pinned, &pinned->was_pinned, from, to);
	if (result == 0)
		result = intervals_add_part(&pinned->is_referenced, &pinned->was_referenced, from, to);
	return result;
}

int pinned_settle(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected, struct runs *out,
                  struct tide_error *err)
{
	struct tide_error why = { 0 };
	int result = 0;

	if (watch->pinned.ops == NULL) {
		watch->pinned.blind |= TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES;
	} else if (ask(watch, from, to, collected, &why) < 0) {
		if (why.cause == TIDE_CAUSE_GONE)
			return watch_failed(watch, -ESRCH, "look at", err);
		log_text(TIDE_LOG_WARN, "cannot look for pinned pages: %s", why.text);
		watch->pinned.blind |= TIDE_BLIND_DEVICE_WRITES;
		result = doubt(watch, from, to, collected);
	}
	if (result == 0)
		result = combine(watch, from, to, collected, out);
	return result < 0 ? error_system(err, result, "cannot note what was written") : 0;
}

static int move(struct intervals *to_set, struct intervals *from_set, uint64_t from, uint64_t to, uint64_t kept_to,
                bool forget)
{
	int result = forget ? intervals_remove(to_set, from, to) : 0;

	if (result == 0)
		result = intervals_add_part(to_set, from_set, from, to);
	return result == 0 ? intervals_remove(from_set, kept_to > from ? kept_to : from, to) : result;
}

int pinned_turn(struct tide_watch *watch, uint64_t from, uint64_t to, bool forget)
{
	struct pinned *pinned = &watch->pinned;
	uint64_t kept_to = watch->in_epoch ? watch->raw_from : 0;
	int result = move(&pinned->was_pinned, &pinned->is_pinned, from, to, kept_to, forget);

	if (result == 0)
		result = move(&pinned->was_referenced, &pinned->is_referenced, from, to, kept_to, forget);
	return result;
}
