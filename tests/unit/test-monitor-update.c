/* SPDX-License-Identifier: MIT */
/* This file tests how regions follow mappings that come and go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "monitor/regions.h"
#include "scripted-sensor.h"

#define PAGE 4096u

/* Regions and ranges in pages; each region's age is its number from 1 on, so that a new one shows by its 0. */
static void update(struct regions *regions, const uint64_t (*before)[2], size_t nr_before, const uint64_t (*pages)[2],
                   size_t nr)
{
	struct tide_range ranges[3];

	regions->list.nr = 0;
	for (size_t i = 0; i < nr_before; i++) {
		struct region region = { before[i][0] * PAGE, before[i][1] * PAGE, .age = (uint32_t)i + 1 };

		assert_int_equal(vec_push(&regions->list, region), 0);
	}
	for (size_t i = 0; i < nr; i++)
		ranges[i] = (struct tide_range){ pages[i][0] * PAGE, pages[i][1] * PAGE };
	assert_int_equal(regions_update(regions, ranges, nr), 0);
}

#define assert_regions(regions, ...)                                                                                   \
	do {                                                                                                           \
		const uint64_t wanted_[][3] = { __VA_ARGS__ };                                                         \
		assert_int_equal((regions)->list.nr, sizeof(wanted_) / sizeof(wanted_[0]));                            \
		for (size_t i_ = 0; i_ < (regions)->list.nr; i_++) {                                                   \
			assert_int_equal((regions)->list.items[i_].start, wanted_[i_][0] * PAGE);                      \
			assert_int_equal((regions)->list.items[i_].end, wanted_[i_][1] * PAGE);                        \
			assert_int_equal((regions)->list.items[i_].age, wanted_[i_][2]);                               \
		}                                                                                                      \
	} while (0)

static const uint64_t BEFORE[][2] = { { 10, 20 }, { 20, 30 }, { 100, 110 }, { 110, 120 }, { 200, 210 }, { 210, 220 } };

static void A3_nothing_changes_when_the_ranges_stay(void **unused)
{
	const uint64_t same[][2] = { { 10, 30 }, { 100, 120 }, { 200, 220 } };
	struct regions regions = { 0 };

	update(&regions, BEFORE, 6, same, 3);
	assert_regions(&regions, { 10, 20, 1 }, { 20, 30, 2 }, { 100, 110, 3 }, { 110, 120, 4 }, { 200, 210, 5 },
	               { 210, 220, 6 });
	vec_free(&regions.list);
}

static void A3_regions_outside_go_first_and_last_are_fitted(void **unused)
{
	const uint64_t moved[][2] = { { 5, 18 }, { 108, 112 }, { 205, 230 } };
	struct regions regions = { 0 };

	update(&regions, BEFORE, 6, moved, 3);
	assert_regions(&regions, { 5, 18, 1 }, { 108, 110, 3 }, { 110, 112, 4 }, { 205, 210, 5 }, { 210, 230, 6 });
	vec_free(&regions.list);
}

static void A3_a_range_without_any_region_gets_one(void **unused)
{
	const uint64_t moved[][2] = { { 1, 4 }, { 50, 60 }, { 300, 310 } };
	const uint64_t mixed[][2] = { { 10, 30 }, { 50, 60 }, { 200, 220 } };
	struct regions regions = { 0 };

	update(&regions, BEFORE, 6, moved, 3);
	assert_regions(&regions, { 1, 4, 0 }, { 50, 60, 0 }, { 300, 310, 0 });
	update(&regions, BEFORE, 6, mixed, 3);
	assert_regions(&regions, { 10, 20, 1 }, { 20, 30, 2 }, { 50, 60, 0 }, { 200, 210, 5 }, { 210, 220, 6 });
	vec_free(&regions.list);
}

static void A3_a_region_that_reaches_into_two_ranges_is_cut(void **unused)
{
	const uint64_t one[][2] = { { 10, 100 } };
	const uint64_t three_holes[][2] = { { 12, 20 }, { 30, 40 }, { 90, 95 } };
	struct regions regions = { 0 };

	update(&regions, one, 1, three_holes, 3);
	assert_regions(&regions, { 12, 20, 1 }, { 30, 40, 0 }, { 90, 95, 0 });
	vec_free(&regions.list);
}

/* The gap between 30 and 100 is not among the biggest any more: what is mapped there now must be seen. */
static void A3_a_gap_that_is_left_out_no_more_gets_a_region(void **unused)
{
	const uint64_t wider[][2] = { { 10, 120 }, { 200, 220 }, { 1000, 1001 } };
	const uint64_t all[][2] = { { 8, 300 } };
	struct regions regions = { 0 };

	update(&regions, BEFORE, 6, wider, 3);
	assert_regions(&regions, { 10, 20, 1 }, { 20, 30, 2 }, { 30, 100, 0 }, { 100, 110, 3 }, { 110, 120, 4 },
	               { 200, 210, 5 }, { 210, 220, 6 }, { 1000, 1001, 0 });
	update(&regions, BEFORE, 6, all, 1);
	assert_regions(&regions, { 8, 20, 1 }, { 20, 30, 2 }, { 30, 100, 0 }, { 100, 110, 3 }, { 110, 120, 4 },
	               { 120, 200, 0 }, { 200, 210, 5 }, { 210, 300, 6 });
	vec_free(&regions.list);
}

static void A3_nothing_mapped_leaves_nothing_and_the_next_update_begins_anew(void **unused)
{
	const uint64_t some[][2] = { { 7, 9 } };
	struct regions regions = { 0 };

	update(&regions, BEFORE, 6, some, 0);
	assert_int_equal(regions.list.nr, 0);
	update(&regions, BEFORE, 0, some, 1);
	assert_regions(&regions, { 7, 9, 0 });
	vec_free(&regions.list);
}

/* Random regions, random ranges: afterwards the ranges are covered, exactly and without overlap. */
static void A3_an_update_covers_the_ranges_exactly(void **unused)
{
	struct regions regions = { 0 };
	struct rng rng;

	for (uint64_t seed = 0; seed < 500; seed++) {
		uint64_t before[20][2];
		uint64_t after[3][2];
		uint64_t at = 0;
		size_t nr = 1 + (rng_init(&rng, seed), rng_below(&rng, 3));
		size_t i = 0;

		for (size_t k = 0; k < 20; k++) {
			before[k][0] = at += rng_below(&rng, 4);
			before[k][1] = at += 1 + rng_below(&rng, 4);
		}
		at = 0;
		for (size_t k = 0; k < nr; k++) {
			after[k][0] = at += 1 + rng_below(&rng, 30);
			after[k][1] = at += 1 + rng_below(&rng, 30);
		}
		update(&regions, before, 20, after, nr);
		for (size_t k = 0; k < nr; k++) {
			for (at = after[k][0] * PAGE; at < after[k][1] * PAGE; i++) {
				assert_true(i < regions.list.nr);
				assert_int_equal(regions.list.items[i].start, at);
				assert_true(regions.list.items[i].end > at);
				at = regions.list.items[i].end;
			}
			assert_int_equal(at, after[k][1] * PAGE);
		}
		assert_int_equal(i, regions.list.nr);
	}
	vec_free(&regions.list);
}

static void A3_mappings_come_and_go_while_it_runs(void **unused)
{
	const struct tide_monitor_opts opts = {
		.size = sizeof(opts), .sampling_us = 1000, .aggregation_us = 10000, .update_us = 20000
	};
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_add(&world.mapped, GIB(1), MIB(4));
	scripted_open(&run, &opts);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, NULL, 0), 0);
	assert_int_equal(scripted_bytes(scripted_sample(&run)), MIB(4));
	scripted_add(&world.mapped, GIB(2), MIB(8));
	scripted_add(&world.hot, GIB(2), MIB(8));
	assert_int_equal(scripted_bytes(scripted_samples(&run, 2)), MIB(12));
	assert_int_equal(scripted_region_at(run.sample, GIB(2))->nr_accesses, run.sample->nr_checks);
	assert_int_equal(scripted_region_at(run.sample, GIB(1))->nr_accesses, 0);
	world.mapped.nr = 0;
	assert_int_equal(scripted_samples(&run, 3)->nr_regions, 0);
	scripted_add(&world.mapped, GIB(5), MIB(2));
	assert_int_equal(scripted_bytes(scripted_samples(&run, 3)), MIB(2));
	scripted_close(&run);
	scripted_fini(&world);
}

static void A3_updates_come_once_an_update_interval(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_add(&world.mapped, GIB(1), MIB(4));
	scripted_open(&run, NULL);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, NULL, 0), 0);
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 1);
	scripted_samples(&run, 9);
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 1);
	scripted_samples(&run, 1);
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 2);
	assert_int_equal(world.calls[SCRIPTED_VALID], 1);
	scripted_samples(&run, 20);
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 4);
	scripted_close(&run);
	scripted_fini(&world);
}

static void A2_ranges_of_the_user_are_never_touched(void **unused)
{
	const struct tide_monitor_opts opts = {
		.size = sizeof(opts), .sampling_us = 1000, .aggregation_us = 10000, .update_us = 10000
	};
	const struct tide_range ranges[] = { { MIB(1), MIB(2) },
		                             { MIB(2), MIB(3) },
		                             { GIB(1), GIB(1) + 4096 },
		                             { GIB(2), GIB(2) + MIB(1) },
		                             { GIB(3), GIB(3) + MIB(1) } };
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_add(&world.mapped, MIB(2), MIB(1));
	scripted_open(&run, &opts);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, ranges, 5), 0);
	for (unsigned i = 0; i < 30; i++) {
		scripted_sample(&run);
		assert_int_equal(scripted_bytes(run.sample), MIB(4) + 4096);
		for (size_t k = 0; k < 5; k++)
			assert_non_null(scripted_region_at(run.sample, ranges[k].start));
		assert_null(scripted_region_at(run.sample, GIB(1) + 4096));
		world.mapped.items[0].start += MIB(1);
		world.mapped.items[0].end += MIB(1);
	}
	/* The sensor follows the mappings all the same. */
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 31);
	assert_int_equal(world.calls[SCRIPTED_VALID], 30);
	scripted_close(&run);
	scripted_fini(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A3_nothing_changes_when_the_ranges_stay),
		cmocka_unit_test(A3_regions_outside_go_first_and_last_are_fitted),
		cmocka_unit_test(A3_a_range_without_any_region_gets_one),
		cmocka_unit_test(A3_a_region_that_reaches_into_two_ranges_is_cut),
		cmocka_unit_test(A3_a_gap_that_is_left_out_no_more_gets_a_region),
		cmocka_unit_test(A3_nothing_mapped_leaves_nothing_and_the_next_update_begins_anew),
		cmocka_unit_test(A3_an_update_covers_the_ranges_exactly),
		cmocka_unit_test(A3_mappings_come_and_go_while_it_runs),
		cmocka_unit_test(A3_updates_come_once_an_update_interval),
		cmocka_unit_test(A2_ranges_of_the_user_are_never_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
