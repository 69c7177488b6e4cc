/* SPDX-License-Identifier: MIT */
/* This file tests what an epoch reports of pages that devices hold: W(k) + P(k-1) + P(k), whatever is answered. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "watch/tracker.h"

enum {
	NR = 16, /* pages, from BASE on */
	NONE = -1,
};

#define BASE ((uint64_t)0x10000000)

/* What the port answers next, and what it was asked. */
static struct {
	uint8_t answers[NR];
	bool asked[NR];
	int begins;      /* 0, 1, negative */
	int look_result; /* 0 or negative */
	struct tide_range known;
	uint64_t nr_asked;
} port;

static uint64_t page(unsigned number)
{
	return BASE + number * WATCH_PAGE;
}

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	(void)state, (void)target, (void)err;
	return 0;
}

static int begin(void *state, uint32_t *blind, struct tide_error *err)
{
	(void)state, (void)blind;
	return port.begins < 0 ? error_system(err, port.begins, "begin fails") : port.begins;
}

static int look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	(void)state;
	for (size_t i = 0; i < nr; i++) {
		uint64_t number = (addresses[i] - BASE) / WATCH_PAGE;

		assert_true(number < NR);
		assert_true(i == 0 || addresses[i - 1] < addresses[i]);
		port.asked[number] = true;
		port.nr_asked++;
		answers[i] = port.answers[number];
	}
	return port.look_result < 0 ? error_system(err, port.look_result, "look fails") : 0;
}

static int known(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	(void)state, (void)err;
	*out = &port.known;
	*nr = port.known.end > port.known.start;
	return 0;
}

static const struct tide_pins_ops ops = {
	.name = "scripted", .state_size = 8, .init = init, .begin = begin, .look = look, .known = known
};

struct rig {
	struct tide_watch watch;
	int pages[NR]; /* of the last epoch: certainty, or NONE */
	int whys[NR];
	uint32_t blind;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	memset(&port, 0, sizeof(port));
	port.begins = 1;
	*state = rig;
	rig->watch.pagemap = -1;
	return pinned_open(&rig->watch.pinned, &ops, NULL, NULL) < 0 ||
	       intervals_add(&rig->watch.tracked, page(0), page(NR)) < 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	pinned_close(&rig->watch.pinned);
	intervals_fini(&rig->watch.tracked);
	free(rig);
	return 0;
}

/* One epoch in which the pages of `written` (a mask) were written, settled in two parts. */
static void epoch(struct rig *rig, unsigned written)
{
	struct runs out = { 0 };

	memset(port.asked, 0, sizeof(port.asked));
	port.nr_asked = 0;
	for (unsigned half = 0; half < 2; half++) {
		struct runs collected = { 0 };
		unsigned from = half * NR / 2, to = from + NR / 2;

		for (unsigned i = from; i < to; i++)
			if (written & 1u << i)
				assert_int_equal(runs_push(&collected, page(i), page(i + 1), TIDE_EXACT, TIDE_WHY_NONE),
				                 0);
		assert_int_equal(pinned_settle(&rig->watch, page(from), page(to), &collected, &out, NULL), 0);
		vec_free(&collected.v);
	}
	rig->blind = rig->watch.pinned.blind;
	pinned_end_epoch(&rig->watch.pinned);
	for (unsigned i = 0; i < NR; i++)
		rig->pages[i] = NONE;
	for (size_t i = 0; i < out.v.nr; i++)
		for (uint64_t at = out.v.items[i].start; at < out.v.items[i].end; at += WATCH_PAGE) {
			rig->pages[(at - BASE) / WATCH_PAGE] = (int)out.v.items[i].certainty;
			rig->whys[(at - BASE) / WATCH_PAGE] = (int)out.v.items[i].why;
		}
	vec_free(&out.v);
}

/* Only page `number` is reported, so; NONE: nothing is. */
static void assert_only(const struct rig *rig, unsigned number, int certainty)
{
	for (unsigned i = 0; i < NR; i++)
		assert_int_equal(rig->pages[i], i == number ? certainty : NONE);
}

static void B4_what_was_pinned_is_reported_once_more(void **state)
{
	struct rig *rig = *state;

	port.answers[3] = PIN_PINNED;
	epoch(rig, 1 << 3);
	assert_only(rig, 3, TIDE_PINNED);
	epoch(rig, 0);
	assert_only(rig, 3, TIDE_PINNED);
	port.answers[3] = PIN_NONE;
	epoch(rig, 0);
	assert_only(rig, 3, TIDE_PINNED);
	epoch(rig, 0);
	assert_only(rig, 3, NONE);
}

static void B4_only_what_was_written_or_held_is_looked_at(void **state)
{
	struct rig *rig = *state;

	port.answers[9] = PIN_PINNED;
	port.answers[4] = PIN_PINNED; /* never written: nobody can have got it for writing */
	epoch(rig, 1 << 9 | 1 << 1);
	assert_true(port.asked[9] && port.asked[1]);
	assert_int_equal(port.nr_asked, 2);
	assert_int_equal(rig->pages[1], TIDE_EXACT);
	assert_int_equal(rig->pages[9], TIDE_PINNED);
	epoch(rig, 1 << 2);
	assert_true(port.asked[9] && port.asked[2]);
	assert_int_equal(port.nr_asked, 2);
}

static void B4_a_page_of_which_nothing_is_known_stays_pinned(void **state)
{
	struct rig *rig = *state;

	port.answers[5] = PIN_PINNED;
	port.answers[6] = PIN_UNKNOWN;
	epoch(rig, 1 << 5);
	port.answers[5] = PIN_UNKNOWN;
	for (int i = 0; i < 3; i++) {
		epoch(rig, 0);
		assert_only(rig, 5, TIDE_PINNED);
	}
	port.answers[5] = PIN_NONE;
	epoch(rig, 0);
	assert_only(rig, 5, TIDE_PINNED);
	epoch(rig, 1 << 6);
	assert_only(rig, 6, TIDE_EXACT);
	epoch(rig, 0);
	assert_only(rig, 6, NONE);
}

static void B4_a_reference_is_doubted_once_more(void **state)
{
	struct rig *rig = *state;

	port.answers[7] = PIN_REFERENCE;
	epoch(rig, 1 << 7);
	assert_only(rig, 7, TIDE_EXACT);
	epoch(rig, 0);
	assert_only(rig, 7, TIDE_OVER);
	assert_int_equal(rig->whys[7], TIDE_WHY_REFERENCE);
	port.answers[7] = PIN_NONE;
	epoch(rig, 0);
	assert_only(rig, 7, TIDE_OVER);
	epoch(rig, 0);
	assert_only(rig, 7, NONE);
	/* What was written for sure is not made less. */
	port.answers[7] = PIN_REFERENCE;
	epoch(rig, 1 << 7);
	epoch(rig, 1 << 7);
	assert_only(rig, 7, TIDE_EXACT);
}

/* Nobody could look: pins stay pins, and what was written may be held by somebody. */
static void fails(struct rig *rig)
{
	port.answers[2] = PIN_PINNED;
	epoch(rig, 1 << 2);
	assert_int_equal(rig->blind, 0);
	port.begins = -EIO;
	epoch(rig, 1 << 10);
	assert_int_equal(rig->blind, TIDE_BLIND_DEVICE_WRITES);
	assert_int_equal(rig->pages[2], TIDE_PINNED);
	assert_int_equal(rig->pages[10], TIDE_EXACT);
}

static void B4_what_could_not_be_looked_at_is_in_doubt(void **state)
{
	struct rig *rig = *state;

	fails(rig);
	port.begins = 1;
	port.answers[2] = PIN_NONE;
	epoch(rig, 0);
	assert_int_equal(rig->blind, 0);
	assert_int_equal(rig->pages[2], TIDE_PINNED);
	assert_int_equal(rig->pages[10], TIDE_OVER);
	assert_true(port.asked[2] && port.asked[10]);
	epoch(rig, 0);
	assert_only(rig, 0, NONE);
}

static void B4_a_look_that_fails_is_a_doubt_too(void **state)
{
	struct rig *rig = *state;

	port.answers[2] = PIN_PINNED;
	epoch(rig, 1 << 2);
	port.look_result = -EIO;
	epoch(rig, 1 << 10 | 1 << 3);
	assert_int_equal(rig->blind, TIDE_BLIND_DEVICE_WRITES);
	assert_int_equal(rig->pages[2], TIDE_PINNED);
	port.look_result = 0;
	port.answers[3] = PIN_PINNED;
	epoch(rig, 0);
	assert_int_equal(rig->pages[2], TIDE_PINNED);
	assert_int_equal(rig->pages[3], TIDE_PINNED);
	assert_int_equal(rig->pages[10], TIDE_OVER);
}

/* Doubt, and again: a page that could not be looked at twice is still asked for. */
static void B4_a_doubt_outlives_a_second_failure(void **state)
{
	struct rig *rig = *state;

	port.begins = -EIO;
	epoch(rig, 1 << 3);
	epoch(rig, 0);
	assert_int_equal(rig->pages[3], TIDE_OVER);
	port.begins = 1;
	port.answers[3] = PIN_PINNED;
	epoch(rig, 0);
	assert_int_equal(rig->pages[3], TIDE_PINNED);
}

static void B4_nothing_is_looked_at_where_nothing_can_be_pinned(void **state)
{
	struct rig *rig = *state;

	port.begins = 0;
	epoch(rig, 0xffff);
	assert_int_equal(port.nr_asked, 0);
	for (unsigned i = 0; i < NR; i++)
		assert_int_equal(rig->pages[i], TIDE_EXACT);
}

static void B4_what_is_known_to_be_pinned_needs_no_look(void **state)
{
	struct rig *rig = *state;

	port.known = (struct tide_range){ page(6), page(10) }; /* over the bound of the two parts */
	epoch(rig, 0);
	for (unsigned i = 0; i < NR; i++)
		assert_int_equal(rig->pages[i], i >= 6 && i < 10 ? TIDE_PINNED : NONE);
	port.known.end = port.known.start;
	epoch(rig, 0);
	assert_int_equal(rig->pages[6], TIDE_PINNED);
	epoch(rig, 0);
	assert_only(rig, 0, NONE);
}

static void B4_who_does_not_look_says_so(void **state)
{
	struct tide_watch watch = { .pagemap = -1 };
	struct runs collected = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(runs_push(&collected, page(1), page(2), TIDE_EXACT, TIDE_WHY_NONE), 0);
	assert_int_equal(pinned_settle(&watch, page(0), page(NR), &collected, &out, NULL), 0);
	assert_int_equal(out.v.nr, 1);
	assert_int_equal(watch.pinned.blind, TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES);
	vec_free(&collected.v);
	vec_free(&out.v);
}

/* tide_watch_get with a reset, in the midst of an epoch, where that has been already: both looks count at its end. */
static void B4_a_reset_within_an_epoch_forgets_no_pin(void **state)
{
	struct rig *rig = *state;
	struct tide_watch *watch = &rig->watch;
	struct runs collected = { 0 }, out = { 0 };

	port.answers[3] = PIN_PINNED;
	port.answers[5] = PIN_REFERENCE;
	watch->in_epoch = true;
	assert_int_equal(runs_push(&collected, page(0), page(8), TIDE_EXACT, TIDE_WHY_NONE), 0);
	assert_int_equal(pinned_settle(watch, page(0), page(8), &collected, &out, NULL), 0);
	watch->raw_from = page(8);
	collected.v.nr = out.v.nr = 0;
	assert_int_equal(pinned_turn(watch, page(0), page(NR), false), 0);
	assert_int_equal(pinned_settle(watch, page(0), page(NR), &collected, &out, NULL), 0);
	assert_int_equal(pinned_turn(watch, page(0), page(NR), true), 0);
	out.v.nr = 0;
	assert_int_equal(pinned_settle(watch, page(8), page(NR), &collected, &out, NULL), 0);
	pinned_end_epoch(&watch->pinned);
	vec_free(&collected.v);
	vec_free(&out.v);
	epoch(rig, 0);
	assert_int_equal(rig->pages[3], TIDE_PINNED);
	assert_int_equal(rig->pages[5], TIDE_OVER);
}

#define PINNED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PINNED_TEST(B4_what_was_pinned_is_reported_once_more),
		PINNED_TEST(B4_only_what_was_written_or_held_is_looked_at),
		PINNED_TEST(B4_a_page_of_which_nothing_is_known_stays_pinned),
		PINNED_TEST(B4_a_reference_is_doubted_once_more),
		PINNED_TEST(B4_what_could_not_be_looked_at_is_in_doubt),
		PINNED_TEST(B4_a_look_that_fails_is_a_doubt_too),
		PINNED_TEST(B4_a_doubt_outlives_a_second_failure),
		PINNED_TEST(B4_nothing_is_looked_at_where_nothing_can_be_pinned),
		PINNED_TEST(B4_what_is_known_to_be_pinned_needs_no_look),
		PINNED_TEST(B4_who_does_not_look_says_so),
		PINNED_TEST(B4_a_reset_within_an_epoch_forgets_no_pin),
	};

	return cmocka_run_group_tests_name("watch-pinned", tests, NULL, NULL);
}
