/* SPDX-License-Identifier: MIT */
/* This file compares sets of intervals with sets of bits, on random input. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/intervals.h"

enum {
	NR = 200, /* numbers */
	NR_STEPS = 20000,
};

struct model {
	struct intervals set;
	bool bits[NR];
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

static void mark(struct model *model, uint64_t start, uint64_t end, bool value)
{
	for (uint64_t i = start; i < end; i++)
		model->bits[i] = value;
}

/* Ascending, not empty, apart from each other, and the same numbers. */
static void compare(const struct model *model)
{
	bool found[NR] = { false };
	uint64_t nr = 0;

	for (size_t i = 0; i < model->set.v.nr; i++) {
		const struct interval *part = &model->set.v.items[i];

		assert_true(part->start < part->end && part->end <= NR);
		assert_true(i == 0 || model->set.v.items[i - 1].end < part->start);
		for (uint64_t at = part->start; at < part->end; at++)
			found[at] = true;
		nr += part->end - part->start;
	}
	assert_memory_equal(found, model->bits, sizeof(found));
	assert_int_equal(intervals_size(&model->set), nr);
}

/* The first stretch of `value` in [from, to). */
static bool expect(const struct model *model, uint64_t from, uint64_t to, bool value, struct interval *out)
{
	while (from < to && model->bits[from] != value)
		from++;
	out->start = out->end = from;
	while (out->end < to && model->bits[out->end] == value)
		out->end++;
	return from < to;
}

static void search(const struct model *model, uint64_t from, uint64_t to)
{
	struct interval wanted, got = { 0 };
	bool there = expect(model, from, to, true, &wanted);

	assert_int_equal(intervals_next(&model->set, from, to, &got), there);
	if (there)
		assert_memory_equal(&got, &wanted, sizeof(got));
	there = expect(model, from, to, false, &wanted);
	assert_int_equal(intervals_next_gap(&model->set, from, to, &got), there);
	if (there)
		assert_memory_equal(&got, &wanted, sizeof(got));
}

static void sets_of_intervals_are_sets(void **state)
{
	struct model model = { 0 };

	(void)state;
	for (int step = 0; step < NR_STEPS; step++) {
		uint64_t start = draw(NR + 1), end = start + draw(draw(4) == 0 ? NR + 1 - start : 12);

		end = end > NR ? NR : end;
		if (draw(2) == 0) {
			assert_int_equal(intervals_add(&model.set, start, end), 0);
			mark(&model, start, end, true);
		} else {
			assert_int_equal(intervals_remove(&model.set, start, end), 0);
			mark(&model, start, end, false);
		}
		compare(&model);
		search(&model, draw(NR + 1), draw(NR + 1));
	}
	intervals_clear(&model.set);
	assert_int_equal(intervals_size(&model.set), 0);
	intervals_fini(&model.set);
}

static void fill(struct model *model)
{
	for (uint64_t nr = draw(12); nr > 0; nr--) {
		uint64_t start = draw(NR), end = start + draw(NR - start + 1);

		assert_int_equal(intervals_add(&model->set, start, end), 0);
		mark(model, start, end, true);
		start = draw(NR);
		assert_int_equal(intervals_remove(&model->set, start, start + 1), 0);
		mark(model, start, start + 1, false);
	}
}

static void what_is_kept_is_in_both(void **state)
{
	(void)state;
	for (int step = 0; step < NR_STEPS / 20; step++) {
		struct model set = { 0 }, keep = { 0 };

		fill(&set);
		fill(&keep);
		assert_int_equal(intervals_keep(&set.set, &keep.set), 0);
		for (size_t i = 0; i < NR; i++)
			set.bits[i] = set.bits[i] && keep.bits[i];
		compare(&set);
		compare(&keep);
		intervals_fini(&set.set);
		intervals_fini(&keep.set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_of_intervals_are_sets),
		cmocka_unit_test(what_is_kept_is_in_both),
	};

	return cmocka_run_group_tests_name("intervals", tests, NULL, NULL);
}
