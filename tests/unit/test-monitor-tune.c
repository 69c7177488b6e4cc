/* SPDX-License-Identifier: MIT */
/* This file tests auto-tuned intervals on memory that is used at a known rate. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "monitor/tune.h"
#include "scripted-sensor.h"

#define NR_SEEDS 12u
#define GOAL     0.04

/* Memory of which every page is used once in `period_ms`; the ratio that a sampling interval sees follows from it. */
struct rig {
	struct scripted world;
	struct scripted_run run;
};

static struct tide_monitor_opts tuning(uint64_t seed)
{
	return (struct tide_monitor_opts){ .size = sizeof(struct tide_monitor_opts),
		                           .flags = TIDE_MONITOR_AUTO_TUNE,
		                           .seed = seed };
}

/* `unused`: where another GiB is mapped that nobody uses; 0: nowhere. */
static void rig_open_with(struct rig *rig, const struct tide_monitor_opts *opts, uint64_t period_ms, uint64_t unused)
{
	*rig = (struct rig){ .world = { .now_ns = &rig->run.now_ns, .warm_ns = period_ms * 1000000 } };
	scripted_add(&rig->world.mapped, GIB(100), GIB(1));
	scripted_add(&rig->world.warm, GIB(100), GIB(1));
	if (unused != 0)
		scripted_add(&rig->world.mapped, unused, GIB(1));
	scripted_open(&rig->run, opts);
	assert_int_equal(scripted_watch(&rig->run, &scripted_sensor, &rig->world, NULL, 0), 0);
}

static void rig_open(struct rig *rig, const struct tide_monitor_opts *opts, uint64_t period_ms)
{
	rig_open_with(rig, opts, period_ms, 0);
}

static void rig_close(struct rig *rig)
{
	scripted_close(&rig->run);
	scripted_fini(&rig->world);
}

static struct tide_intervals intervals(const struct rig *rig)
{
	struct tide_intervals now;

	tide_monitor_intervals(rig->run.monitor, &now);
	return now;
}

/* Access events seen of those possible, in the next `nr` samples. */
static double ratio(struct rig *rig, unsigned nr)
{
	double seen = 0;
	double possible = 0;

	while (nr-- > 0) {
		const struct tide_sample *sample = scripted_sample(&rig->run);

		for (size_t i = 0; i < sample->nr_regions; i++) {
			const struct tide_region *region = &sample->regions[i];
			double bytes = (double)(region->end - region->start);

			seen += bytes * region->nr_accesses;
			possible += bytes * (sample->nr_checks - region->nr_unobservable);
		}
	}
	return seen / possible;
}

static void assert_near_the_goal(double got)
{
	if (got < GOAL * 0.75 || got > GOAL * 1.25)
		fail_msg("%.2f %% of access events are seen, the goal is %.2f %%", got * 100, GOAL * 100);
}

/* From 5 ms on: 50 ms, 200 ms and 2 s are wanted. Then it stays there: no step of 60 leads away for good. */
static void tuning_comes_to_the_goal_and_stays(void **unused)
{
	static const uint64_t periods_ms[] = { 1250, 5000, 50000 };

	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct tide_monitor_opts opts = tuning(seed);
		uint64_t period_ms = periods_ms[seed % 3];
		uint64_t least = UINT64_MAX;
		uint64_t most = 0;
		unsigned nr_turns = 0;
		struct rig rig;
		int64_t last = 0;

		rig_open(&rig, &opts, period_ms);
		scripted_samples(&rig.run, 90);
		assert_near_the_goal(ratio(&rig, 30));
		for (unsigned i = 0; i < 60; i++) {
			uint64_t before = intervals(&rig).sampling_us;
			uint64_t now;
			int64_t change;

			scripted_samples(&rig.run, 3);
			now = intervals(&rig).sampling_us;
			change = (int64_t)(now - before);
			nr_turns += change != 0 && last != 0 && (change > 0) != (last > 0);
			last = change != 0 ? change : last;
			least = now < least ? now : least;
			most = now > most ? now : most;
		}
		/* Chance moves it by an eighth of what chance does to the ratio. */
		assert_true(most * 5 < least * 8);
		assert_true(nr_turns < 30);
		assert_near_the_goal(ratio(&rig, 30));
		rig_close(&rig);
	}
}

/* Every step from `from` on changes the interval by a factor between a half and two; returns how many steps it took. */
static unsigned settle(struct rig *rig, uint64_t wanted_us)
{
	for (unsigned nr = 1; nr <= 40; nr++) {
		uint64_t before = intervals(rig).sampling_us;
		uint64_t now;

		scripted_samples(&rig->run, 3);
		now = intervals(rig).sampling_us;
		assert_true(now <= before * 2);
		assert_true(now >= before / 2);
		if (now * 4 >= wanted_us * 3 && now * 4 <= wanted_us * 5)
			return nr;
	}
	fail_msg("%llu us are wanted, and are %llu us", (unsigned long long)wanted_us,
	         (unsigned long long)intervals(rig).sampling_us);
	return 0;
}

static void a_change_of_the_workload_is_followed_in_steps_of_two(void **unused)
{
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct tide_monitor_opts opts = tuning(seed);
		struct rig rig;

		rig_open(&rig, &opts, 5000);
		assert_true(settle(&rig, 200000) >= 6); /* 5 ms doubled 5.3 times */
		scripted_samples(&rig.run, 60);
		rig.world.warm_ns = 500 * 1000000u;
		assert_true(settle(&rig, 20000) >= 3);
		scripted_samples(&rig.run, 60);
		rig.world.warm_ns = 10000 * 1000000ull;
		settle(&rig, 400000);
		scripted_samples(&rig.run, 30);
		assert_near_the_goal(ratio(&rig, 30));
		rig_close(&rig);
	}
}

static void bounds_are_where_it_ends(void **unused)
{
	struct tide_monitor_opts opts = tuning(1);
	struct rig rig;

	opts.min_sampling_us = 3000;
	opts.max_sampling_us = 70000;
	opts.update_us = 1000000;
	rig_open(&rig, &opts, 1000000);
	for (unsigned i = 0; i < 60; i++) {
		scripted_sample(&rig.run);
		assert_int_equal(rig.run.sample->nr_checks, 20);
		assert_true(intervals(&rig).sampling_us <= 70000);
	}
	assert_int_equal(intervals(&rig).sampling_us, 70000);
	assert_int_equal(intervals(&rig).aggregation_us, 1400000);
	/* Never shorter than one aggregation interval. */
	assert_int_equal(intervals(&rig).update_us, 1400000);
	rig.world.calls[SCRIPTED_UPDATE] = 0;
	scripted_samples(&rig.run, 5);
	assert_int_equal(rig.world.calls[SCRIPTED_UPDATE], 5);
	scripted_add(&rig.world.hot, GIB(100), GIB(1));
	scripted_samples(&rig.run, 60);
	assert_int_equal(intervals(&rig).sampling_us, 3000);
	assert_int_equal(intervals(&rig).update_us, 1000000);
	rig.world.calls[SCRIPTED_UPDATE] = 0;
	scripted_samples(&rig.run, 64);
	assert_int_equal(rig.world.calls[SCRIPTED_UPDATE], 64 / 16);
	rig_close(&rig);
}

/* Unobservable memory is neither black nor white: with three quarters of it the interval comes to where it was. */
static void what_cannot_be_seen_does_not_count(void **unused)
{
	struct tide_monitor_opts opts = tuning(3);
	struct rig rig;

	rig_open(&rig, &opts, 5000);
	rig.world.reason = TIDE_REASON_LOCKED;
	scripted_add(&rig.world.blind, GIB(100), MIB(768));
	settle(&rig, 200000);
	scripted_samples(&rig.run, 30);
	assert_near_the_goal(ratio(&rig, 30));
	assert_true(intervals(&rig).sampling_us < 300000);
	rig_close(&rig);

	/* All of it: nothing is known, and nothing is changed. */
	rig_open(&rig, &opts, 5000);
	rig.world.reason = TIDE_REASON_LOCKED;
	scripted_add(&rig.world.blind, GIB(100), GIB(1));
	scripted_samples(&rig.run, 30);
	assert_int_equal(intervals(&rig).sampling_us, 5000);
	rig_close(&rig);
}

/* Memory that was never used is as old as the time that has passed, in units of the 100 ms that were asked for. */
static void ages_are_in_units_of_what_was_asked_for(void **unused)
{
	struct tide_monitor_opts opts = tuning(5);
	struct rig rig;
	uint64_t start_ns;

	rig_open_with(&rig, &opts, 5000, GIB(200)); /* nothing there is used */
	start_ns = rig.run.now_ns;
	for (unsigned i = 0; i < 40; i++) {
		const struct tide_sample *sample = scripted_sample(&rig.run);
		const struct tide_region *region = scripted_region_at(sample, GIB(200) + MIB(512));
		double units = (double)(sample->end_ns - start_ns) / 1e8;

		assert_true(region->age + 1.0 >= units);
		assert_true(region->age <= units + 1.0);
	}
	assert_true(intervals(&rig).aggregation_us > 2000000);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuning_comes_to_the_goal_and_stays),
		cmocka_unit_test(a_change_of_the_workload_is_followed_in_steps_of_two),
		cmocka_unit_test(bounds_are_where_it_ends),
		cmocka_unit_test(what_cannot_be_seen_does_not_count),
		cmocka_unit_test(ages_are_in_units_of_what_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
