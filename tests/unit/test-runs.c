/* SPDX-License-Identifier: MIT */
/* This file compares lists of runs with one answer for each page, on random input. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "watch/tracker.h"

enum {
	NR = 120, /* pages */
	NR_STEPS = 5000,
	NONE = -1,
};

static uint64_t seed = 88172645463325252u;

/* xorshift64: the same numbers in each run. */
static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Random runs, and what they say of each page: certainty * 100 + why. */
static void fill(struct runs *runs, int *pages)
{
	uint64_t at = draw(20);

	for (size_t i = 0; i < NR; i++)
		pages[i] = NONE;
	while (at < NR) {
		uint64_t end = at + 1 + draw(9);
		unsigned certainty = (unsigned)draw(3), why = (unsigned)draw(2);

		end = end > NR ? NR : end;
		assert_int_equal(runs_push(runs, at * WATCH_PAGE, end * WATCH_PAGE, certainty, why), 0);
		for (; at < end; at++)
			pages[at] = (int)(certainty * 100 + why);
		at += draw(3) == 0 ? 0 : draw(9);
	}
}

/* Ascending, not empty, neighbours of one kind are one, and the same answers. */
static void compare(const struct runs *runs, const int *wanted)
{
	int pages[NR];

	for (size_t i = 0; i < NR; i++)
		pages[i] = NONE;
	for (size_t i = 0; i < runs->v.nr; i++) {
		const struct tide_run *run = &runs->v.items[i], *last = i > 0 ? run - 1 : NULL;

		assert_true(run->start < run->end && run->end <= NR * WATCH_PAGE);
		if (last != NULL) {
			assert_true(last->end <= run->start);
			assert_false(last->end == run->start && last->certainty == run->certainty &&
			             last->why == run->why);
		}
		for (uint64_t at = run->start; at < run->end; at += WATCH_PAGE)
			pages[at / WATCH_PAGE] = (int)(run->certainty * 100 + run->why);
	}
	assert_memory_equal(pages, wanted, sizeof(pages));
}

static void runs_laid_upon_others_hide_them(void **state)
{
	int low[NR], high[NR];

	(void)state;
	for (int step = 0; step < NR_STEPS; step++) {
		struct runs in = { 0 }, over = { 0 }, out = { 0 };

		fill(&in, low);
		fill(&over, high);
		if (step % 10 == 0)
			in.v.nr = 0;
		if (step % 10 == 1)
			over.v.nr = 0;
		for (size_t i = 0; i < NR; i++) {
			low[i] = step % 10 == 0 ? NONE : low[i];
			if (step % 10 != 1 && high[i] != NONE)
				low[i] = high[i];
		}
		assert_int_equal(runs_overlay(&out, &in, &over), 0);
		compare(&out, low);
		vec_free(&in.v);
		vec_free(&over.v);
		vec_free(&out.v);
	}
}

/* Of two answers for a page: pinned or worse, then written, then perhaps written. */
static int says_more(int one, int other)
{
	static const int order[] = { [TIDE_EXACT] = 1, [TIDE_OVER] = 0, [TIDE_LOST] = 2 };

	if (one == NONE || other == NONE)
		return one == NONE ? other : one;
	return order[other / 100] > order[one / 100] ? other : one;
}

static void E6_what_two_epochs_found_is_united(void **state)
{
	int one[NR], other[NR];

	(void)state;
	for (int step = 0; step < NR_STEPS; step++) {
		struct runs a = { 0 }, b = { 0 }, out = { 0 };

		fill(&a, one);
		fill(&b, other);
		assert_int_equal(runs_unite(&out, &a, &b), 0);
		/* Of two that say as much, either may be it. */
		for (size_t i = 0, j = 0; i < NR; i++) {
			int both = says_more(one[i], other[i]);

			while (j < out.v.nr && out.v.items[j].end <= i * WATCH_PAGE)
				j++;
			if (j < out.v.nr && out.v.items[j].start <= i * WATCH_PAGE && other[i] != NONE &&
			    one[i] / 100 == other[i] / 100 && out.v.items[j].why == (uint32_t)(other[i] % 100))
				both = other[i];
			one[i] = both;
		}
		compare(&out, one);
		vec_free(&a.v);
		vec_free(&b.v);
		vec_free(&out.v);
	}
}

static void C2_only_what_was_asked_for_is_left(void **state)
{
	int pages[NR];

	(void)state;
	for (int step = 0; step < NR_STEPS; step++) {
		struct tide_watch watch = { 0 };
		struct runs in = { 0 }, out = { 0 };
		bool wanted[NR];
		uint64_t nr = draw(6);

		fill(&in, pages);
		for (size_t i = 0; i < NR; i++)
			wanted[i] = nr == 0;
		for (; nr > 0; nr--) {
			uint64_t start = draw(NR), end = start + 1 + draw(NR - start);

			assert_int_equal(intervals_add(&watch.wanted, start * WATCH_PAGE, end * WATCH_PAGE), 0);
			for (uint64_t i = start; i < end; i++)
				wanted[i] = true;
		}
		for (size_t i = 0; i < NR; i++)
			pages[i] = wanted[i] ? pages[i] : NONE;
		assert_int_equal(runs_wanted(&watch, &in, &out), 0);
		compare(&out, pages);
		intervals_fini(&watch.wanted);
		vec_free(&in.v);
		vec_free(&out.v);
	}
}

static void every_word_has_a_name(void **state)
{
	(void)state;
	for (unsigned why = 0; why < TIDE_NR_WHYS; why++)
		assert_true(strlen(tide_why_sentence(why)) > 0 && (why == 0 || strlen(tide_why_name(why)) > 0));
	assert_string_equal(tide_why_name(TIDE_NR_WHYS), "unknown");
	for (unsigned certainty = 0; certainty <= TIDE_PINNED; certainty++)
		assert_string_not_equal(tide_certainty_name(certainty), "unknown");
	assert_string_equal(tide_certainty_name(TIDE_PINNED + 1), "unknown");
	assert_string_equal(tide_blind_name(TIDE_BLIND_DEVICE_WRITES), "device-writes");
	assert_null(tide_blind_name(TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_laid_upon_others_hide_them),
		cmocka_unit_test(E6_what_two_epochs_found_is_united),
		cmocka_unit_test(C2_only_what_was_asked_for_is_left),
		cmocka_unit_test(every_word_has_a_name),
	};

	return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
