/* SPDX-License-Identifier: MIT */
/* This file tests guided splitting: a few used megabytes in a huge space are found, at a bounded cost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "monitor/guide.h"
#include "scripted-sensor.h"

#define MAX_ENTRIES (2u << 20) /* of a pass, as guide.c promises */
#define MAX_SCOUTS  4096u

static void watch(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world,
                  const struct tide_monitor_opts *opts)
{
	scripted_open(run, opts);
	assert_int_equal(scripted_watch(run, ops, world, NULL, 0), 0);
}

static void end(struct scripted_run *run, struct scripted *world)
{
	scripted_close(run);
	scripted_fini(world);
}

/* Samples until what is hot is found, `max` at most; how many that took, or `max` + 1. */
static unsigned samples_until_found(struct scripted_run *run, const struct scripted *world, unsigned max)
{
	for (unsigned i = 1; i <= max; i++) {
		struct scripted_accuracy accuracy = scripted_accuracy(world, scripted_sample(run));

		if (accuracy.recall >= 0.9 && accuracy.precision >= 0.9)
			return i;
	}
	return max + 1;
}

static void four_megabytes_in_4_gib_are_found_by_the_first_pass(void **unused)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		const struct tide_monitor_opts opts = { .size = sizeof(opts), .seed = seed };
		struct scripted world = { 0 };
		struct scripted_run run;
		unsigned nr_good = 0;

		scripted_add(&world.mapped, GIB(64), GIB(4));
		scripted_add(&world.hot, GIB(64) + MIB(1234) + seed * MIB(222), MIB(4));
		watch(&run, &scripted_sensor, &world, &opts);
		assert_true(samples_until_found(&run, &world, 6) <= 6);
		for (unsigned i = 0; i < 50; i++)
			nr_good += scripted_accuracy(&world, scripted_sample(&run)).recall >= 0.9;
		assert_true(nr_good >= 45);
		end(&run, &world);
	}
}

/* The same without a look at the page tables, to know that it is the look that finds it. */
static void unguided_or_without_scan_never_scans_and_does_not_find_it(void **unused)
{
	const struct tide_monitor_opts unguided = { .size = sizeof(unguided), .flags = TIDE_MONITOR_UNGUIDED };
	unsigned nr_found = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct scripted world = { 0 };
		struct scripted_run run;

		scripted_add(&world.mapped, GIB(64), GIB(16));
		scripted_add(&world.hot, GIB(64) + MIB(1234), MIB(4));
		if (i == 0)
			watch(&run, &scripted_sensor, &world, &unguided);
		else
			watch(&run, &scripted_sensor_without_scan, &world, NULL);
		nr_found += samples_until_found(&run, &world, 100) <= 100;
		assert_int_equal(world.calls[SCRIPTED_SCAN], 0);
		end(&run, &world);
	}
	assert_int_equal(nr_found, 0);
}

/* 128 GiB populated in a TiB: 16 passes' worth of base pages. Each keeps to its bounds. */
static void four_megabytes_in_a_sparse_tib_are_found_in_one_round_of_passes(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;
	uint64_t scanned = 0;
	uint64_t passes = 0;
	unsigned found;

	scripted_add(&world.mapped, TIB(16), TIB(1));
	for (unsigned i = 0; i < 32; i++)
		scripted_add(&world.populated, TIB(16) + i * GIB(32) + MIB(3), GIB(4));
	scripted_add(&world.hot, TIB(16) + 27 * GIB(32) + MIB(300), MIB(4));
	watch(&run, &scripted_sensor, &world, NULL);
	found = samples_until_found(&run, &world, 60);
	assert_true(found <= 17 * 3);
	for (unsigned i = 0; i < 30; i++) {
		scripted_sample(&run);
		assert_true(world.nr_scanned - scanned <= (world.calls[SCRIPTED_SCAN] - passes) * MAX_ENTRIES ||
		            i == 0);
		scanned = world.nr_scanned;
		passes = world.calls[SCRIPTED_SCAN];
	}
	assert_true(world.scan_max <= MAX_ENTRIES);
	assert_true(world.scan_max > MAX_ENTRIES / 2);
	end(&run, &world);
}

/*
 * Half a TiB of huge pages, all young: a pass cannot keep them all, so later ones must go on where it stopped; also
 * when what fills a pass is used, and stays young.
 */
static void a_hot_huge_page_is_found_however_many_there_are(void **unused)
{
	for (unsigned i = 0; i < 4; i++) {
		const uint64_t hot = TIB(16) + (i < 3 ? i : 1) * GIB(250) + GIB(7);
		struct scripted world = { 0 };
		struct scripted_run run;
		unsigned nr = 0;

		scripted_add(&world.mapped, TIB(16), GIB(512));
		world.huge = world.mapped;
		scripted_add(&world.hot, hot, MIB(8));
		if (i == 3)
			scripted_add(&world.hot, TIB(16), GIB(40));
		watch(&run, &scripted_sensor, &world, NULL);
		while (scripted_region_at(scripted_sample(&run), hot + MIB(4))->nr_accesses < 10)
			nr++;
		assert_true(nr <= 23 * 3); /* one round of passes */
		if (i < 3)
			assert_true(samples_until_found(&run, &world, 10) <= 10);
		end(&run, &world);
	}
}

/* Also when what is monitored lies in pieces, each scanned by a call of its own. */
static void a_pass_reads_and_clears_a_bounded_number_of_pages(void **unused)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts), .sampling_us = 1000, .aggregation_us = 1000 };
	struct scripted world = { 0 };
	struct scripted_run run;
	unsigned nr_passes = 0;

	for (unsigned i = 1; i <= 3; i++)
		scripted_add(&world.mapped, i * GIB(100), GIB(5));
	watch(&run, &scripted_sensor, &world, &opts);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t cleared = world.nr_cleared;
		uint64_t scanned = world.nr_scanned;

		scripted_step(&run, 0);
		cleared = world.nr_cleared - cleared;
		scanned = world.nr_scanned - scanned;
		assert_true(scanned <= MAX_ENTRIES);
		assert_true(cleared <= (scanned > 0 ? MAX_SCOUTS : 0) + 1000);
		nr_passes += scanned > 0;
	}
	assert_in_range(nr_passes, 4 + 15, 4 + 18); /* four soon, then one in eleven intervals */
	end(&run, &world);
}

/* One target's guide alone, for what it does to given regions. */
struct alone {
	struct scripted world;
	struct guide guide;
	struct regions regions;
	struct rng rng;
};

static void begin_alone(struct alone *alone, uint64_t start, uint64_t bytes)
{
	const struct tide_range range = { start, start + bytes };

	memset(alone, 0, sizeof(*alone));
	alone->world.nr_in_use = 1;
	scripted_add(&alone->world.mapped, start, bytes);
	assert_int_equal(regions_init(&alone->regions, &range, 1, 10), 0);
	rng_init(&alone->rng, 5);
}

/* As many intervals as two passes take: scouts are sent, and judged. */
static void pass_alone(struct alone *alone, size_t room)
{
	struct scripted *world = &alone->world;
	struct tide_error err = { 0 };

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(
		        guide_step(&alone->guide, &alone->regions, room, &scripted_sensor, &world, &alone->rng, &err),
		        0);
	assert_int_equal(world->calls[SCRIPTED_CHECK], 1);
}

static void end_alone(struct alone *alone)
{
	guide_fini(&alone->guide);
	vec_free(&alone->regions.list);
	alone->world.nr_in_use = 0;
	scripted_fini(&alone->world);
}

/* Passes of the next `nr` intervals. */
static uint32_t count_passes(struct alone *alone, unsigned nr)
{
	struct scripted *world = &alone->world;
	uint32_t before = alone->guide.nr_passes;
	struct tide_error err = { 0 };

	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(
		        guide_step(&alone->guide, &alone->regions, 100, &scripted_sensor, &world, &alone->rng, &err),
		        0);
	return alone->guide.nr_passes - before;
}

/* What the target is found to have mapped from now on. */
static void remap_alone(struct alone *alone, uint64_t start, uint64_t bytes)
{
	const struct tide_range range = { start, start + bytes };

	alone->world.mapped.nr = 0;
	scripted_add(&alone->world.mapped, start, bytes);
	assert_int_equal(regions_update(&alone->regions, &range, 1), 0);
}

/* 64 GiB are eight passes; with them over, there is nothing new until much more is mapped. */
static void passes_are_quick_while_a_first_round_is_under_way(void **unused)
{
	struct alone alone;

	begin_alone(&alone, GIB(100), GIB(64));
	assert_int_equal(count_passes(&alone, 8 * 3), 8);
	assert_int_equal(count_passes(&alone, 110), 10);
	remap_alone(&alone, GIB(100), GIB(100));
	assert_int_equal(count_passes(&alone, 110), 10);
	end_alone(&alone);
}

/*
 * 128 GiB more while the second round over 32 is under way: it goes over what is ahead of it; for what is behind there
 * is one more. What goes and comes again is nothing new.
 */
static void passes_are_quick_again_when_much_more_is_mapped(void **unused)
{
	static const uint64_t starts[] = { GIB(300), GIB(300) - GIB(128) };
	static const unsigned nr_quick[] = { 1 + 16, 1 + 20 };

	for (unsigned i = 0; i < 2; i++) {
		struct alone alone;

		begin_alone(&alone, GIB(300), GIB(32));
		assert_int_equal(count_passes(&alone, 4 * 3 + 12), 4 + 2);
		remap_alone(&alone, starts[i], GIB(160));
		assert_int_equal(count_passes(&alone, 11), 1); /* it was due anyway */
		assert_int_equal(count_passes(&alone, nr_quick[i] * 3), nr_quick[i]);
		assert_int_equal(count_passes(&alone, 110), 10);
		remap_alone(&alone, GIB(300), GIB(32));
		assert_int_equal(count_passes(&alone, 110), 10);
		remap_alone(&alone, starts[i], GIB(160));
		assert_int_equal(count_passes(&alone, 110), 10);
		end_alone(&alone);
	}
}

/* 512 GiB of huge pages: what a pass keeps is bounded. */
static void a_pass_keeps_a_bounded_number_of_blocks(void **unused)
{
	struct alone alone;

	begin_alone(&alone, GIB(1), GIB(512));
	alone.world.huge = alone.world.mapped;
	pass_alone(&alone, 100);
	assert_true(alone.guide.blocks.nr <= 3 * MAX_SCOUTS);
	assert_true(alone.guide.scouts.nr <= MAX_SCOUTS);
	assert_true(alone.guide.scouts.nr > MAX_SCOUTS / 2);
	end_alone(&alone);
}

static bool is_boundary(const struct regions *regions, uint64_t addr)
{
	for (size_t i = 0; i < regions->list.nr; i++)
		if (regions->list.items[i].start == addr)
			return true;
	return false;
}

static void regions_are_split_where_use_begins_and_ends(void **unused)
{
	struct alone alone;

	begin_alone(&alone, GIB(1), GIB(1));
	scripted_add(&alone.world.hot, GIB(1) + MIB(10), MIB(30));
	scripted_add(&alone.world.hot, GIB(1) + MIB(500), MIB(2));
	pass_alone(&alone, 100);
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(10)));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(40)));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(500)));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(502)));
	assert_int_equal(alone.regions.list.nr, 14);
	end_alone(&alone);
}

/* Scouts under way in [start, end). */
static size_t count_scouts(const struct guide *guide, uint64_t start, uint64_t end)
{
	size_t nr = 0;

	for (size_t i = 0; i < guide->scouts.nr; i++)
		nr += guide->scouts.items[i].addr >= start && guide->scouts.items[i].addr < end;
	return nr;
}

/* ... but now and then, and what is known is a run of use all the same. */
static void no_scouts_go_where_counts_say_that_all_is_used(void **unused)
{
	struct alone alone;
	struct scripted *world = &alone.world;
	struct tide_error err = { 0 };
	struct region *known;
	struct tide_range inside;
	size_t nr_passes_into_it = 0;

	begin_alone(&alone, GIB(1), GIB(1));
	known = &alone.regions.list.items[4];
	known->is_steady = true;
	known->last_nr_accesses = 20;
	alone.regions.list.items[6].is_steady = true; /* steadily unused */
	inside = (struct tide_range){ (known->start + MIB(2)) / MIB(2) * MIB(2), known->end / MIB(2) * MIB(2) };
	scripted_add(&world->hot, inside.start, inside.end - inside.start);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(
		        guide_step(&alone.guide, &alone.regions, 100, &scripted_sensor, &world, &alone.rng, &err), 0);
		if (i % 3 != 0)
			continue;
		assert_true(count_scouts(&alone.guide, inside.start - MIB(2), inside.start) > 0);
		assert_true(count_scouts(&alone.guide, inside.end, inside.end + MIB(2)) > 0);
		assert_true(count_scouts(&alone.guide, GIB(1) + MIB(650), GIB(1) + MIB(690)) > 0);
		nr_passes_into_it += count_scouts(&alone.guide, inside.start, inside.end) > 0;
	}
	assert_int_equal(alone.guide.nr_passes, 4);
	assert_int_equal(nr_passes_into_it, 1);
	assert_true(is_boundary(&alone.regions, inside.start));
	assert_true(is_boundary(&alone.regions, inside.end));
	assert_int_equal(alone.regions.list.nr, 12);
	end_alone(&alone);
}

/* Nothing is populated between the two: no block says where the one ends. */
static void used_memory_apart_makes_two_runs(void **unused)
{
	struct alone alone;

	begin_alone(&alone, GIB(1), GIB(1));
	scripted_add(&alone.world.populated, GIB(1) + MIB(50), MIB(4));
	scripted_add(&alone.world.populated, GIB(1) + MIB(90), MIB(4));
	alone.world.hot = alone.world.populated;
	pass_alone(&alone, 100);
	assert_int_equal(alone.regions.list.nr, 14);
	end_alone(&alone);
}

static void a_space_used_alike_is_not_split(void **unused)
{
	for (unsigned i = 0; i < 4; i++) {
		struct alone alone;

		begin_alone(&alone, GIB(1), GIB(1));
		alone.world.old_at_start = i == 2;
		if (i == 0)
			alone.world.hot = alone.world.mapped;
		if (i == 3)
			alone.world.huge = alone.world.hot = alone.world.mapped;
		if (i == 2) {
			struct scripted *world = &alone.world;
			struct tide_error err = { 0 };

			for (unsigned k = 0; k < 30; k++)
				assert_int_equal(guide_step(&alone.guide, &alone.regions, 100, &scripted_sensor, &world,
				                            &alone.rng, &err),
				                 0);
			assert_int_equal(world->nr_cleared, 0); /* nothing young: no scouts */
		} else {
			pass_alone(&alone, 100);
		}
		assert_int_equal(alone.regions.list.nr, 10);
		end_alone(&alone);
	}
}

/* Small mappings side by side share a table, which then comes once for each of them. */
static void mappings_that_share_a_table_do_not_break_a_run(void **unused)
{
	struct alone alone;

	begin_alone(&alone, GIB(1), MIB(32));
	for (unsigned i = 0; i < 30; i++)
		scripted_add(&alone.world.populated, GIB(1) + i * MIB(1), MIB(1));
	scripted_add(&alone.world.hot, GIB(1) + MIB(5), MIB(14));
	pass_alone(&alone, 100);
	for (size_t i = 1; i < alone.regions.list.nr; i++)
		assert_true(alone.regions.list.items[i].start != GIB(1) + MIB(8) &&
		            alone.regions.list.items[i].start != GIB(1) + MIB(10));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(4)));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(20)));
	end_alone(&alone);
}

static void there_are_never_more_splits_than_room(void **unused)
{
	for (size_t room = 0; room < 12; room++) {
		struct alone alone;

		begin_alone(&alone, GIB(1), GIB(1));
		for (unsigned i = 0; i < 20; i++)
			scripted_add(&alone.world.hot, GIB(1) + MIB(2) + i * MIB(40), MIB(4));
		pass_alone(&alone, room);
		assert_true(alone.regions.list.nr <= 10 + room);
		assert_true(alone.regions.list.nr >= 10 + room - 1 || room == 0);
		end_alone(&alone);
	}
}

/* Which runs get the room is drawn: over seeds every one is split once. */
static void room_is_not_always_the_same_runs(void **unused)
{
	unsigned seen = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct alone alone;

		begin_alone(&alone, GIB(1), GIB(1));
		rng_init(&alone.rng, seed);
		for (unsigned i = 0; i < 8; i++)
			scripted_add(&alone.world.hot, GIB(1) + MIB(2) + i * MIB(112), MIB(4));
		pass_alone(&alone, 2);
		for (unsigned i = 0; i < 8; i++)
			seen |= is_boundary(&alone.regions, GIB(1) + MIB(2) + i * MIB(112)) << i;
		end_alone(&alone);
	}
	assert_int_equal(seen, 0xff);
}

static void unobservable_scouts_are_neutral(void **unused)
{
	struct alone alone;

	begin_alone(&alone, 0, GIB(1));
	scripted_add(&alone.world.blind, 0, MIB(20)); /* nothing used near it */
	scripted_add(&alone.world.blind, MIB(300), MIB(20));
	pass_alone(&alone, 100);
	assert_int_equal(alone.regions.list.nr, 10);
	end_alone(&alone);
	begin_alone(&alone, GIB(1), GIB(1));
	scripted_add(&alone.world.blind, GIB(1) + MIB(310), MIB(4)); /* in the midst of what is used, and beside it */
	scripted_add(&alone.world.blind, GIB(1) + MIB(304), MIB(4));
	scripted_add(&alone.world.hot, GIB(1) + MIB(308), MIB(8));
	pass_alone(&alone, 100);
	assert_int_equal(alone.regions.list.nr, 12);
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(304)));
	assert_true(is_boundary(&alone.regions, GIB(1) + MIB(316)));
	end_alone(&alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_megabytes_in_4_gib_are_found_by_the_first_pass),
		cmocka_unit_test(unguided_or_without_scan_never_scans_and_does_not_find_it),
		cmocka_unit_test(four_megabytes_in_a_sparse_tib_are_found_in_one_round_of_passes),
		cmocka_unit_test(a_hot_huge_page_is_found_however_many_there_are),
		cmocka_unit_test(a_pass_reads_and_clears_a_bounded_number_of_pages),
		cmocka_unit_test(passes_are_quick_while_a_first_round_is_under_way),
		cmocka_unit_test(passes_are_quick_again_when_much_more_is_mapped),
		cmocka_unit_test(a_pass_keeps_a_bounded_number_of_blocks),
		cmocka_unit_test(regions_are_split_where_use_begins_and_ends),
		cmocka_unit_test(no_scouts_go_where_counts_say_that_all_is_used),
		cmocka_unit_test(used_memory_apart_makes_two_runs),
		cmocka_unit_test(a_space_used_alike_is_not_split),
		cmocka_unit_test(mappings_that_share_a_table_do_not_break_a_run),
		cmocka_unit_test(there_are_never_more_splits_than_room),
		cmocka_unit_test(room_is_not_always_the_same_runs),
		cmocka_unit_test(unobservable_scouts_are_neutral),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
