/* SPDX-License-Identifier: MIT */
/* This file keeps lists of runs, and knows their words. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "watch/tracker.h"

int runs_push(struct runs *runs, uint64_t start, uint64_t end, enum tide_certainty certainty, enum tide_why why)
{
	struct tide_run *last = runs->v.nr > 0 ? &runs->v.items[runs->v.nr - 1] : NULL;

	if (start >= end)
		return 0;
	if (last != NULL && last->end == start && last->certainty == certainty && last->why == why) {
		last->end = end;
		return 0;
	}
	return vec_push(&runs->v, ((struct tide_run){ start, end, certainty, why }));
}

/* All of `in`; only its first run can have a neighbour in `out`. */
static int append(struct runs *out, const struct runs *in)
{
	const struct tide_run *first = in->v.items;
	int result;

	if (in->v.nr == 0)
		return 0;
	result = vec_reserve(&out->v, out->v.nr + in->v.nr);
	if (result == 0)
		result = runs_push(out, first->start, first->end, first->certainty, first->why);
	if (result < 0)
		return result;
	memcpy(out->v.items + out->v.nr, first + 1, (in->v.nr - 1) * sizeof(first[0]));
	out->v.nr += in->v.nr - 1;
	return 0;
}

int runs_overlay(struct runs *out, const struct runs *in, const struct runs *over)
{
	size_t i = 0, j = 0;
	uint64_t at = 0;
	int result = 0;

	if (in->v.nr == 0 || over->v.nr == 0)
		return append(out, in->v.nr == 0 ? over : in);
	while (result == 0 && (i < in->v.nr || j < over->v.nr)) {
		const struct tide_run *low = i < in->v.nr ? &in->v.items[i] : NULL;
		const struct tide_run *high = j < over->v.nr ? &over->v.items[j] : NULL;
		uint64_t low_start = low != NULL && low->start > at ? low->start : at;

		if (low != NULL && low->end <= at) {
			i++;
		} else if (low != NULL && (high == NULL || high->start > low_start)) {
			at = high != NULL && high->start < low->end ? high->start : low->end;
			result = runs_push(out, low_start, at, low->certainty, low->why);
		} else {
			assert(high != NULL);
			result = runs_push(out, high->start, high->end, high->certainty, high->why);
			at = high->end;
			j++;
		}
	}
	return result;
}

/* How much a run says. */
static unsigned strength(const struct tide_run *run)
{
	return run->certainty == TIDE_EXACT ? TIDE_OVER : run->certainty == TIDE_OVER ? TIDE_EXACT : run->certainty;
}

/* The run that holds `at`, or the next one above; NULL: there is none. `*i` moves on. */
static const struct tide_run *run_from(const struct runs *runs, size_t *i, uint64_t at)
{
	while (*i < runs->v.nr && runs->v.items[*i].end <= at)
		(*i)++;
	return *i < runs->v.nr ? &runs->v.items[*i] : NULL;
}

int runs_unite(struct runs *out, const struct runs *one, const struct runs *other)
{
	size_t i = 0, j = 0;
	const struct tide_run *a = run_from(one, &i, 0), *b = run_from(other, &j, 0);
	uint64_t at = 0;
	int result = 0;

	for (; result == 0 && (a != NULL || b != NULL); a = run_from(one, &i, at), b = run_from(other, &j, at)) {
		const struct tide_run *first = b == NULL || (a != NULL && a->start <= b->start) ? a : b;
		const struct tide_run *second = first == a ? b : a;
		uint64_t start = first->start > at ? first->start : at;
		uint64_t end = first->end;

		/* Up to where the second begins, or both are there. */
		if (second != NULL && second->start > start)
			end = second->start < end ? second->start : end;
		else if (second != NULL) {
			end = second->end < end ? second->end : end;
			first = strength(second) > strength(first) ? second : first;
		}
		result = runs_push(out, start, end, first->certainty, first->why);
		at = end;
	}
	return result;
}

int runs_wanted(const struct tide_watch *watch, const struct runs *runs, struct runs *out)
{
	static const struct runs nothing;
	const struct tide_run *first = runs->v.items;
	struct interval all;
	int result = 0;

	if (runs->v.nr == 0 || watch->wanted.v.nr == 0)
		return runs_overlay(out, runs, &nothing);
	/* Mostly all of them are in one range. */
	if (intervals_next(&watch->wanted, first->start, first[runs->v.nr - 1].end, &all) &&
	    all.start == first->start && all.end == first[runs->v.nr - 1].end)
		return runs_overlay(out, runs, &nothing);
	for (size_t i = 0; i < runs->v.nr && result == 0; i++) {
		const struct tide_run *run = &runs->v.items[i];
		struct interval part;

		for (uint64_t at = run->start; result == 0 && intervals_next(&watch->wanted, at, run->end, &part);
		     at = part.end)
			result = runs_push(out, part.start, part.end, run->certainty, run->why);
	}
	return result;
}

const char *tide_certainty_name(enum tide_certainty certainty)
{
	static const char *const names[] = {
		[TIDE_EXACT] = "exact", [TIDE_OVER] = "over",     [TIDE_LOST] = "lost",
		[TIDE_TORN] = "torn",   [TIDE_PINNED] = "pinned",
	};

	return certainty < sizeof(names) / sizeof(names[0]) ? names[certainty] : "unknown";
}

#define NAME(id, name, sentence)     [TIDE_WHY_##id] = name,
#define SENTENCE(id, name, sentence) [TIDE_WHY_##id] = sentence,
static const char *const why_names[] = { TIDE_WHYS(NAME) };
static const char *const why_sentences[] = { TIDE_WHYS(SENTENCE) };

const char *tide_why_name(enum tide_why why)
{
	return why < TIDE_NR_WHYS ? why_names[why] : "unknown";
}

const char *tide_why_sentence(enum tide_why why)
{
	return why < TIDE_NR_WHYS ? why_sentences[why] : "unknown";
}

const char *tide_blind_name(unsigned bit)
{
	switch (bit) {
	case TIDE_BLIND_DEVICE_WRITES:
		return "device-writes";
	case TIDE_BLIND_REFERENCES:
		return "references";
	case TIDE_BLIND_OTHERS:
		return "others";
	case TIDE_BLIND_REUSED:
		return "reused";
	case TIDE_BLIND_MERGED:
		return "merged";
	case TIDE_BLIND_GUARDS:
		return "guards";
	case TIDE_BLIND_GIVEN_UP:
		return "given-up";
	default:
		return NULL;
	}
}
