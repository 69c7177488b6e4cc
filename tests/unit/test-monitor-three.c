/* SPDX-License-Identifier: MIT */
/* This file tests which ranges are monitored, and how they are split at the start. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "monitor/regions.h"
#include "monitor/three.h"

#define PAGE 4096u

/* Ranges in pages, for short. */
static size_t three(const uint64_t (*pages)[2], size_t nr, struct tide_range out[3])
{
	struct tide_range ranges[16] = { 0 };
	size_t found;

	for (size_t i = 0; i < nr; i++)
		ranges[i] = (struct tide_range){ pages[i][0] * PAGE, pages[i][1] * PAGE };
	found = three_regions(ranges, nr, out);
	for (size_t i = 0; i < found; i++) {
		out[i].start /= PAGE;
		out[i].end /= PAGE;
	}
	return found;
}

#define assert_range(range, from, to)                                                                                  \
	do {                                                                                                           \
		assert_int_equal((range).start, (from));                                                               \
		assert_int_equal((range).end, (to));                                                                   \
	} while (0)

static void A2_three_regions_leave_out_the_two_biggest_gaps(void **unused)
{
	const uint64_t pages[][2] = { { 10, 20 }, { 25, 30 }, { 130, 140 }, { 145, 150 }, { 350, 360 }, { 361, 362 } };
	struct tide_range out[3];

	assert_int_equal(three(pages, 6, out), 3);
	assert_range(out[0], 10, 30);
	assert_range(out[1], 130, 150);
	assert_range(out[2], 350, 362);
}

static void A2_the_biggest_gap_may_come_first_or_last(void **unused)
{
	const uint64_t falling[][2] = { { 0, 1 }, { 100, 101 }, { 151, 152 }, { 162, 163 } };
	const uint64_t rising[][2] = { { 0, 1 }, { 11, 12 }, { 62, 63 }, { 162, 163 } };
	struct tide_range out[3];

	assert_int_equal(three(falling, 4, out), 3);
	assert_range(out[0], 0, 1);
	assert_range(out[1], 100, 101);
	assert_range(out[2], 151, 163);
	assert_int_equal(three(rising, 4, out), 3);
	assert_range(out[0], 0, 12);
	assert_range(out[1], 62, 63);
	assert_range(out[2], 162, 163);
}

static void A2_fewer_than_two_gaps_are_monitored_as_they_are(void **unused)
{
	const uint64_t one[][2] = { { 5, 9 } };
	const uint64_t two[][2] = { { 5, 9 }, { 12, 13 } };
	const uint64_t three_ranges[][2] = { { 5, 9 }, { 12, 13 }, { 14, 15 } };
	struct tide_range out[3];

	assert_int_equal(three(one, 0, out), 0);
	assert_int_equal(three(one, 1, out), 1);
	assert_range(out[0], 5, 9);
	assert_int_equal(three(two, 2, out), 2);
	assert_range(out[0], 5, 9);
	assert_range(out[1], 12, 13);
	assert_int_equal(three(three_ranges, 3, out), 3);
	assert_range(out[2], 14, 15);
}

static void A2_adjacent_ranges_have_no_gap_between_them(void **unused)
{
	const uint64_t pages[][2] = { { 1, 2 }, { 2, 3 }, { 3, 9 }, { 10, 11 }, { 11, 12 } };
	struct tide_range out[3];

	assert_int_equal(three(pages, 3, out), 1);
	assert_range(out[0], 1, 9);
	assert_int_equal(three(pages, 5, out), 2);
	assert_range(out[0], 1, 9);
	assert_range(out[1], 10, 12);
}

static void A2_of_equal_gaps_the_lowest_two_are_left_out(void **unused)
{
	const uint64_t pages[][2] = { { 0, 1 }, { 11, 12 }, { 22, 23 }, { 33, 34 }, { 44, 45 } };
	struct tide_range out[3];

	assert_int_equal(three(pages, 5, out), 3);
	assert_range(out[0], 0, 1);
	assert_range(out[1], 11, 12);
	assert_range(out[2], 22, 45);
}

/* The two cuts against all pairs of cuts, on random layouts. */
static void A2_no_other_three_regions_would_cover_less(void **unused)
{
	struct rng rng;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct tide_range ranges[12];
		struct tide_range out[3];
		size_t nr = 3 + (rng_init(&rng, seed), rng_below(&rng, 10));
		uint64_t at = 1;
		uint64_t best = 0;
		uint64_t covered = 0;
		size_t found;

		for (size_t i = 0; i < nr; i++) {
			ranges[i].start = at += rng_below(&rng, 5);
			ranges[i].end = at += 1 + rng_below(&rng, 5);
		}
		for (size_t a = 1; a < nr; a++)
			for (size_t b = a + 1; b < nr; b++) {
				uint64_t left_out =
				        ranges[a].start - ranges[a - 1].end + ranges[b].start - ranges[b - 1].end;

				best = left_out > best ? left_out : best;
			}
		found = three_regions(ranges, nr, out);
		for (size_t i = 0; i < found; i++)
			covered += out[i].end - out[i].start;
		assert_int_equal(covered, ranges[nr - 1].end - ranges[0].start - best);
	}
}

/* Splits and returns the number of regions; all must lie in `ranges` without a hole. */
static size_t split(struct regions *regions, const struct tide_range *ranges, size_t nr, uint32_t min_nr_regions)
{
	size_t k = 0;
	uint64_t at = ranges[0].start;

	assert_int_equal(regions_init(regions, ranges, nr, min_nr_regions), 0);
	for (size_t i = 0; i < regions->list.nr; i++) {
		assert_int_equal(regions->list.items[i].start, at);
		assert_true(regions->list.items[i].end >= at + PAGE);
		assert_int_equal(regions->list.items[i].end % PAGE, 0);
		at = regions->list.items[i].end;
		if (at == ranges[k].end && ++k < nr)
			at = ranges[k].start;
	}
	assert_int_equal(k, nr);
	return regions->list.nr;
}

static void A2_split_evenly_with_the_remainder_in_the_last(void **unused)
{
	const struct tide_range range = { 7 * PAGE, 110 * PAGE };
	struct regions regions = { 0 };

	assert_int_equal(split(&regions, &range, 1, 10), 10);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(regions.list.items[i].end - regions.list.items[i].start, 10 * PAGE);
	assert_int_equal(regions.list.items[9].end - regions.list.items[9].start, 13 * PAGE);
	vec_free(&regions.list);
}

static void A2_several_ranges_are_split_in_proportion(void **unused)
{
	const struct tide_range ranges[] = { { 0, 60 * PAGE }, { 100 * PAGE, 130 * PAGE }, { 200 * PAGE, 201 * PAGE } };
	struct regions regions = { 0 };

	assert_int_equal(split(&regions, ranges, 3, 9), 6 + 3 + 1);
	vec_free(&regions.list);
}

static void A2_no_piece_is_smaller_than_a_page(void **unused)
{
	const struct tide_range five = { PAGE, 6 * PAGE };
	const struct tide_range tiny[] = { { 0, PAGE }, { 3 * PAGE, 4 * PAGE }, { 9 * PAGE, 11 * PAGE } };
	struct regions regions = { 0 };

	assert_int_equal(split(&regions, &five, 1, 10), 5);
	assert_int_equal(split(&regions, tiny, 3, 100), 4);
	assert_int_equal(split(&regions, tiny, 3, UINT32_MAX), 4);
	vec_free(&regions.list);
}

static void A2_zero_pages_are_refused(void **unused)
{
	const struct tide_range empty = { PAGE, PAGE };
	struct regions regions = { 0 };

	assert_int_equal(regions_init(&regions, &empty, 1, 10), -EINVAL);
	assert_int_equal(regions_init(&regions, &empty, 0, 10), -EINVAL);
	vec_free(&regions.list);
}

static void A2_the_top_of_the_address_space_does_not_wrap(void **unused)
{
	const struct tide_range top = { UINT64_MAX - 1024 * PAGE + 1, UINT64_MAX - PAGE + 1 };
	struct regions regions = { 0 };

	assert_int_equal(split(&regions, &top, 1, 10), 10);
	vec_free(&regions.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A2_three_regions_leave_out_the_two_biggest_gaps),
		cmocka_unit_test(A2_the_biggest_gap_may_come_first_or_last),
		cmocka_unit_test(A2_fewer_than_two_gaps_are_monitored_as_they_are),
		cmocka_unit_test(A2_adjacent_ranges_have_no_gap_between_them),
		cmocka_unit_test(A2_of_equal_gaps_the_lowest_two_are_left_out),
		cmocka_unit_test(A2_no_other_three_regions_would_cover_less),
		cmocka_unit_test(A2_split_evenly_with_the_remainder_in_the_last),
		cmocka_unit_test(A2_several_ranges_are_split_in_proportion),
		cmocka_unit_test(A2_no_piece_is_smaller_than_a_page),
		cmocka_unit_test(A2_zero_pages_are_refused),
		cmocka_unit_test(A2_the_top_of_the_address_space_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
