/* SPDX-License-Identifier: MIT */
/* This file tests what happens to regions when an aggregation interval ends: age, merge, split. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "monitor/regions.h"
#include "scripted-sensor.h"

#define PAGE 4096u

static void fill(struct regions *regions, const struct region *items, size_t nr)
{
	regions->list.nr = 0;
	for (size_t i = 0; i < nr; i++) {
		struct region region = items[i];

		region.start *= PAGE;
		region.end *= PAGE;
		assert_int_equal(vec_push(&regions->list, region), 0);
	}
}

/* How many regions are left of two. */
static size_t merged(struct region a, struct region b, const struct merge_rule *rule)
{
	const struct region both[] = { a, b };
	struct regions regions = { 0 };
	size_t nr;

	fill(&regions, both, 2);
	regions_merge(&regions, rule);
	nr = regions.list.nr;
	vec_free(&regions.list);
	return nr;
}

static void regions_merge_when_they_touch_are_alike_and_not_too_big(void **unused)
{
	const struct merge_rule rule = { .max_difference = 2,
		                         .max_unobservable_difference = 5,
		                         .max_bytes = 20 * PAGE };
	const struct region a = { 0, 10, .nr_accesses = 7, .nr_unobservable = 4 };

	assert_int_equal(merged(a, (struct region){ 10, 20, 9, .nr_unobservable = 9 }, &rule), 1);
	assert_int_equal(merged(a, (struct region){ 10, 20, 5, .nr_unobservable = 0 }, &rule), 1);
	assert_int_equal(merged(a, (struct region){ 11, 20, 7, .nr_unobservable = 4 }, &rule), 2);
	assert_int_equal(merged(a, (struct region){ 10, 20, 10, .nr_unobservable = 4 }, &rule), 2);
	assert_int_equal(merged(a, (struct region){ 10, 20, 4, .nr_unobservable = 4 }, &rule), 2);
	assert_int_equal(merged(a, (struct region){ 10, 20, 7, .nr_unobservable = 10 }, &rule), 2);
	assert_int_equal(merged(a, (struct region){ 10, 21, 7, .nr_unobservable = 4 }, &rule), 2);
}

static void counts_and_age_are_weighed_by_size_and_rounded(void **unused)
{
	const struct region items[] = { { 0, 1, 10, 20, 6, .age = 100 }, { 1, 4, 8, 0, 0, .age = 0 } };
	const struct merge_rule rule = { 20, 20, UINT64_MAX };
	struct regions regions = { 0 };

	fill(&regions, items, 2);
	regions_merge(&regions, &rule);
	assert_int_equal(regions.list.nr, 1);
	assert_int_equal(regions.list.items[0].start, 0);
	assert_int_equal(regions.list.items[0].end, 4 * PAGE);
	assert_int_equal(regions.list.items[0].nr_accesses, 9); /* 8.5 */
	assert_int_equal(regions.list.items[0].nr_writes, 5);
	assert_int_equal(regions.list.items[0].nr_unobservable, 1); /* 10 in all */
	assert_int_equal(regions.list.items[0].age, 25);
	vec_free(&regions.list);
}

static void accessed_and_unobservable_are_never_more_than_all_checks(void **unused)
{
	const struct region items[] = { { 0, 1, 3, 0, 0, .age = 0 }, { 1, 2, 0, 0, 3, .age = 0 } }; /* of 3 checks */
	const struct merge_rule rule = { 3, 3, UINT64_MAX };
	struct regions regions = { 0 };

	fill(&regions, items, 2);
	regions_merge(&regions, &rule);
	assert_int_equal(regions.list.nr, 1);
	assert_int_equal(regions.list.items[0].nr_accesses + regions.list.items[0].nr_unobservable, 3);
	vec_free(&regions.list);
}

static void weights_do_not_overflow(void **unused)
{
	const uint64_t half = UINT64_MAX / 2 / PAGE;
	const struct region items[] = { { 0, half, UINT32_MAX, .age = UINT32_MAX },
		                        { half, 2 * half, UINT32_MAX, .age = UINT32_MAX } };
	const struct merge_rule rule = { 0, 0, UINT64_MAX };
	struct regions regions = { 0 };

	fill(&regions, items, 2);
	regions_merge(&regions, &rule);
	assert_int_equal(regions.list.nr, 1);
	assert_int_equal(regions.list.items[0].nr_accesses, UINT32_MAX);
	assert_int_equal(regions.list.items[0].age, UINT32_MAX);
	vec_free(&regions.list);
}

static void age_grows_while_the_pattern_stays_and_begins_anew_when_it_changes(void **unused)
{
	/* nr_accesses now, before, and the age that was 7. */
	const uint32_t cases[][3] = { { 10, 10, 8 }, { 12, 10, 8 }, { 8, 10, 8 }, { 13, 10, 0 }, { 7, 10, 0 },
		                      { 0, 0, 8 },   { 1, 0, 0 },   { 0, 2, 0 },  { 1, 2, 8 } };
	struct regions regions = { 0 };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct region region = { 0, 1, .nr_accesses = cases[i][0], .last_nr_accesses = cases[i][1],
			                       .age = 7 };

		fill(&regions, &region, 1);
		regions_age(&regions, 2, 100);
		assert_int_equal(regions.list.items[0].age, cases[i][2]);
		regions_reset(&regions, 20);
		assert_int_equal(regions.list.items[0].last_nr_accesses, cases[i][0]);
		assert_int_equal(regions.list.items[0].nr_accesses, 0);
	}
	vec_free(&regions.list);
}

/* In 2 or 3: every piece a page at least, none lost, the first of two a tenth to nine tenths. */
static void a_split_keeps_every_byte_and_the_pattern(void **unused)
{
	const struct region items[] = { { 0, 1000, .age = 3, .last_nr_accesses = 5 },
		                        { 1000, 1001, .age = 0 },
		                        { 1001, 1003, .age = 0 },
		                        { 2000, 2040, .age = 9 } };
	struct regions regions = { 0 };
	struct rng rng;
	unsigned seen = 0;

	rng_init(&rng, 1);
	for (unsigned i = 0; i < 300; i++) {
		const unsigned nr_pieces = 2 + i % 2;
		uint64_t at = 0;

		fill(&regions, items, 4);
		assert_int_equal(regions_split(&regions, nr_pieces, false, &rng), 0);
		assert_true(regions.list.nr <= 4 * nr_pieces - (nr_pieces - 1));
		for (size_t k = 0; k < regions.list.nr; k++) {
			const struct region *piece = &regions.list.items[k];

			at = at == 1003 * PAGE ? 2000 * PAGE : at;
			assert_int_equal(piece->start, at);
			assert_true(piece->end > at);
			assert_int_equal(piece->end % PAGE, 0);
			assert_int_equal(piece->age, at < 1000 * PAGE ? 3 : at < 2000 * PAGE ? 0 : 9);
			assert_int_equal(piece->last_nr_accesses, at < 1000 * PAGE ? 5 : 0);
			at = piece->end;
		}
		assert_int_equal(at, 2040 * PAGE);
		if (nr_pieces != 2)
			continue;
		assert_true(regions.list.items[0].end >= 100 * PAGE);
		assert_true(regions.list.items[0].end <= 901 * PAGE);
		seen |= 1u << regions.list.items[0].end / PAGE / 100;
	}
	assert_int_equal(seen, 0x3fe);
	vec_free(&regions.list);
}

static void regions_are_split_at_an_address_strictly_inside(void **unused)
{
	const struct region items[] = { { 1, 10, .age = 4 }, { 10, 20, .age = 0 }, { 30, 40, .last_nr_accesses = 6 } };
	const uint64_t outside[] = { 0, 1, 10, 20, 25, 30, 40, 50 };
	struct regions regions = { 0 };

	fill(&regions, items, 3);
	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_int_equal(regions_split_at(&regions, outside[i] * PAGE), 0);
	assert_int_equal(regions.list.nr, 3);
	assert_int_equal(regions_split_at(&regions, 39 * PAGE), 1);
	assert_int_equal(regions_split_at(&regions, 2 * PAGE), 1);
	assert_int_equal(regions.list.nr, 5);
	assert_int_equal(regions.list.items[1].start, 2 * PAGE);
	assert_int_equal(regions.list.items[1].age, 4);
	assert_int_equal(regions.list.items[3].end, 39 * PAGE);
	assert_int_equal(regions.list.items[4].last_nr_accesses, 6);
	vec_free(&regions.list);
}

static void watch(struct scripted_run *run, struct scripted *world, const struct tide_monitor_opts *opts)
{
	scripted_open(run, opts);
	assert_int_equal(scripted_watch(run, &scripted_sensor, world, NULL, 0), 0);
}

/* What the sampling after a sample checks: the regions into which it was split. */
static uint64_t nr_after_split(struct scripted_run *run, const struct scripted *world)
{
	uint64_t before = world->nr_answers;

	assert_true(scripted_step(run, 0) >= 0);
	return world->nr_answers - before;
}

static void the_engine_splits_in_two_in_three_or_not_above_half_the_maximum(void **unused)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts),
		                                .sampling_us = 1000,
		                                .aggregation_us = 20000,
		                                .max_nr_regions = 60,
		                                .flags = TIDE_MONITOR_UNGUIDED };
	struct scripted world = { 0 };
	struct scripted_run run;
	size_t last = 0;
	uint64_t after;
	unsigned seen[3] = { 0 };

	scripted_add(&world.mapped, GIB(1), GIB(1));
	scripted_add(&world.hot, GIB(1) + MIB(100), MIB(60)); /* its edges keep the number of regions changing */
	watch(&run, &world, &opts);
	for (unsigned i = 0; i < 200; i++) {
		size_t nr = scripted_sample(&run)->nr_regions;
		unsigned pieces = nr > 30 ? 1 : nr == last && nr < 20 ? 3 : 2;

		after = nr_after_split(&run, &world);
		assert_true(after <= nr * pieces);
		assert_true(after > nr * (pieces - 1)); /* less than all: a page or two cannot be split */
		assert_true(pieces != 1 || after == nr);
		seen[pieces - 1]++;
		last = nr;
	}
	assert_true(seen[1] > 0 && seen[2] > 0);
	scripted_close(&run);
	scripted_fini(&world);
}

/* 64 stripes of four hot and four idle MiB: far more borders than regions, and guided splitting sees them all. */
static void the_maximum_is_kept_and_the_minimum_is_not_fallen_far_below(void **unused)
{
	static const uint32_t bounds[][2] = { { 3, 3 }, { 3, 10 }, { 10, 10 }, { 10, 12 }, { 10, 25 }, { 20, 40 } };
	unsigned nr_above_half = 0;

	for (unsigned i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const struct tide_monitor_opts opts = {
			.size = sizeof(opts), .min_nr_regions = bounds[i][0], .max_nr_regions = bounds[i][1], .seed = i
		};
		struct scripted world = { 0 };
		struct scripted_run run;

		scripted_add(&world.mapped, GIB(1), MIB(512));
		for (unsigned k = 0; k < 64; k++)
			scripted_add(&world.hot, GIB(1) + k * MIB(8), MIB(4));
		watch(&run, &world, &opts);
		for (unsigned k = 0; k < 100; k++) {
			size_t nr = scripted_sample(&run)->nr_regions;
			uint64_t split = nr_after_split(&run, &world);

			assert_true(split <= bounds[i][1]);
			assert_true(nr >= bounds[i][0] / 2);
			nr_above_half += nr > bounds[i][1] / 2;
		}
		scripted_close(&run);
		scripted_fini(&world);
	}
	assert_true(nr_above_half > 0);
}

/* Each target begins with the minimum: together that is too much, and joining everything would be too little. */
static void targets_share_the_maximum(void **unused)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts), .min_nr_regions = 10, .max_nr_regions = 10 };
	struct scripted worlds[3] = { 0 };
	struct scripted_run run;

	scripted_open(&run, &opts);
	for (unsigned i = 0; i < 3; i++) {
		scripted_add(&worlds[i].mapped, GIB(1), MIB(100) + i * PAGE);
		assert_int_equal(scripted_watch(&run, &scripted_sensor, &worlds[i], NULL, 0), (int)i);
	}
	assert_in_range(scripted_sample(&run)->nr_regions, 5, 10);
	scripted_close(&run);
	for (unsigned i = 0; i < 3; i++)
		scripted_fini(&worlds[i]);
}

static void what_cannot_be_seen_stays_apart_from_what_is_idle(void **unused)
{
	struct scripted world = { .reason = TIDE_REASON_SHARED };
	struct scripted_run run;
	double blind_bytes = 0;

	scripted_add(&world.mapped, GIB(1), MIB(512));
	scripted_add(&world.blind, GIB(1) + MIB(77), MIB(100));
	watch(&run, &world, NULL);
	scripted_samples(&run, 60);
	for (unsigned i = 0; i < 10; i++) {
		scripted_sample(&run);
		for (size_t k = 0; k < run.sample->nr_regions; k++) {
			const struct tide_region *region = &run.sample->regions[k];

			assert_int_equal(region->nr_accesses, 0);
			blind_bytes += (double)tide_region_unobservable_bytes(region, run.sample->nr_checks) / 10;
			if (region->start >= GIB(1) + MIB(97) && region->end <= GIB(1) + MIB(157))
				assert_true(region->nr_unobservable > 15);
			if (region->end <= GIB(1) + MIB(57) || region->start >= GIB(1) + MIB(197))
				assert_true(region->nr_unobservable < 5);
		}
	}
	assert_true(blind_bytes > (double)MIB(90) && blind_bytes < (double)MIB(110));
	scripted_close(&run);
	scripted_fini(&world);
}

/* With one check an interval 0 and 1 are the whole difference there is. */
static void few_checks_an_interval_tell_hot_from_idle(void **unused)
{
	for (uint64_t checks = 1; checks <= 4; checks++) {
		const struct tide_monitor_opts opts = { .size = sizeof(opts),
			                                .sampling_us = 1000,
			                                .aggregation_us = checks * 1000 };
		struct scripted world = { 0 };
		struct scripted_run run;
		struct scripted_accuracy accuracy;

		scripted_add(&world.mapped, GIB(1), MIB(512));
		scripted_add(&world.hot, GIB(1) + MIB(128), MIB(256));
		watch(&run, &world, &opts);
		scripted_samples(&run, 50);
		accuracy = scripted_accuracy(&world, run.sample);
		assert_true(accuracy.recall >= 0.9);
		assert_true(accuracy.precision >= 0.9);
		scripted_close(&run);
		scripted_fini(&world);
	}
}

static void age_counts_aggregation_intervals(void **unused)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts), .min_nr_regions = 3 };
	struct scripted world = { 0 };
	struct scripted_run run;

	for (unsigned i = 1; i <= 3; i++)
		scripted_add(&world.mapped, GIB(i), PAGE);
	watch(&run, &world, &opts);
	assert_int_equal(scripted_samples(&run, 30)->regions[0].age, 30);
	scripted_add(&world.hot, GIB(1), PAGE);
	scripted_sample(&run);
	assert_int_equal(run.sample->regions[0].age, 0);
	assert_int_equal(run.sample->regions[1].age, 31);
	assert_int_equal(scripted_samples(&run, 5)->regions[0].age, 5);
	scripted_close(&run);
	scripted_fini(&world);
}

/* Of a steady region few checks are made: counts of two hot ones may differ, but hot is not taken for cold. */
static void steady_regions_are_merged_if_they_are_alike(void **unused)
{
	static const struct {
		uint32_t one, other;
		size_t nr;
	} cases[] = { { 14, 20, 1 }, { 13, 20, 2 }, { 0, 0, 1 }, { 0, 2, 1 }, { 0, 5, 2 }, { 5, 0, 2 } };
	const struct merge_rule rule = { .max_difference = 2, .max_unobservable_difference = 5, .max_bytes = MIB(8) };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct region one = { 1, 2, .nr_accesses = cases[i].one, .is_steady = true };
		struct region other = { 2, 3, .nr_accesses = cases[i].other, .is_steady = true };

		assert_int_equal(merged(one, other, &rule), cases[i].nr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_regions_are_merged_if_they_are_alike),
		cmocka_unit_test(regions_merge_when_they_touch_are_alike_and_not_too_big),
		cmocka_unit_test(counts_and_age_are_weighed_by_size_and_rounded),
		cmocka_unit_test(accessed_and_unobservable_are_never_more_than_all_checks),
		cmocka_unit_test(weights_do_not_overflow),
		cmocka_unit_test(age_grows_while_the_pattern_stays_and_begins_anew_when_it_changes),
		cmocka_unit_test(a_split_keeps_every_byte_and_the_pattern),
		cmocka_unit_test(regions_are_split_at_an_address_strictly_inside),
		cmocka_unit_test(the_engine_splits_in_two_in_three_or_not_above_half_the_maximum),
		cmocka_unit_test(the_maximum_is_kept_and_the_minimum_is_not_fallen_far_below),
		cmocka_unit_test(targets_share_the_maximum),
		cmocka_unit_test(what_cannot_be_seen_stays_apart_from_what_is_idle),
		cmocka_unit_test(few_checks_an_interval_tell_hot_from_idle),
		cmocka_unit_test(age_counts_aggregation_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
