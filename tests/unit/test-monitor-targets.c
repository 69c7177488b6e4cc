/* SPDX-License-Identifier: MIT */
/* This file tests several targets, targets that go away, and sensors that fail. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "scripted-sensor.h"

static const enum scripted_op OPS[] = { SCRIPTED_UPDATE, SCRIPTED_PREPARE, SCRIPTED_CHECK, SCRIPTED_SCAN,
	                                SCRIPTED_VALID };
#define NR_OPS (sizeof(OPS) / sizeof(OPS[0]))

static const struct tide_monitor_opts QUICK = {
	.size = sizeof(QUICK), .sampling_us = 1000, .aggregation_us = 5000, .update_us = 10000
};

/* `nr` targets of 64 MiB, each with a quarter of it hot, at addresses of its own. */
static void open_worlds(struct scripted_run *run, struct scripted *worlds, size_t nr,
                        const struct tide_monitor_opts *opts)
{
	scripted_open(run, opts);
	for (size_t i = 0; i < nr; i++) {
		worlds[i] = (struct scripted){ 0 };
		scripted_add(&worlds[i].mapped, GIB(i + 1), MIB(64));
		scripted_add(&worlds[i].hot, GIB(i + 1) + MIB(16), MIB(16));
		assert_int_equal(scripted_watch(run, &scripted_sensor, &worlds[i], NULL, 0), (int)i);
	}
}

static void close_worlds(struct scripted_run *run, struct scripted *worlds, size_t nr)
{
	scripted_close(run);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(worlds[i].calls[SCRIPTED_CLEANUP], 1);
		scripted_fini(&worlds[i]);
	}
}

static uint64_t bytes_of(const struct tide_sample *sample, uint32_t target)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < sample->nr_regions; i++)
		if (sample->regions[i].target == target)
			bytes += sample->regions[i].end - sample->regions[i].start;
	return bytes;
}

/* No target's counts are another's. */
static void assert_hot(const struct tide_sample *sample, uint32_t target)
{
	const struct tide_region *hot = scripted_region_at(sample, GIB(target + 1) + MIB(24));
	const struct tide_region *idle = scripted_region_at(sample, GIB(target + 1) + MIB(56));

	assert_non_null(hot);
	assert_non_null(idle);
	assert_int_equal(hot->target, target);
	assert_int_equal(hot->nr_accesses, sample->nr_checks);
	assert_int_equal(idle->nr_accesses, 0);
}

/* A check for each sampling interval, and one more for the scouts of each scan; the last of both may be under way. */
static void assert_all_turns(const struct scripted *world, uint64_t nr_intervals)
{
	uint64_t nr_passes = world->calls[SCRIPTED_SCAN];

	assert_in_range(world->calls[SCRIPTED_CHECK], nr_intervals + nr_passes - 1, nr_intervals + nr_passes);
	assert_in_range(world->calls[SCRIPTED_PREPARE], nr_intervals + nr_passes, nr_intervals + nr_passes + 1);
}

static void targets_are_told_apart(void **unused)
{
	struct scripted worlds[3];
	struct scripted_run run;

	open_worlds(&run, worlds, 3, &QUICK);
	scripted_samples(&run, 40);
	assert_int_equal(run.sample->nr_targets, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(bytes_of(run.sample, i), MIB(64));
		assert_hot(run.sample, i);
	}
	close_worlds(&run, worlds, 3);
}

static void cost_is_the_sum_and_the_hold_the_longest(void **unused)
{
	struct scripted worlds[2];
	struct scripted_run run;
	struct tide_sensor_cost cost;

	open_worlds(&run, worlds, 2, &QUICK);
	worlds[0].mapped.items[0].end += MIB(64);
	scripted_samples(&run, 40);
	tide_monitor_cost(run.monitor, &cost);
	assert_int_equal(cost.nr_read, worlds[0].nr_answers + worlds[1].nr_answers);
	assert_int_equal(cost.nr_scanned, worlds[0].nr_scanned + worlds[1].nr_scanned);
	assert_int_equal(cost.nr_cleared, worlds[0].nr_cleared + worlds[1].nr_cleared);
	assert_true(worlds[0].scan_max > worlds[1].scan_max);
	assert_int_equal(cost.longest_hold_ns, worlds[0].scan_max);
	close_worlds(&run, worlds, 2);
}

/* It comes after `nr_steps` of the interval's five: what it was not checked for is not called idle. */
static void A6_a_target_that_comes_late_is_watched_like_the_others(void **unused)
{
	for (unsigned nr_steps = 0; nr_steps < 5; nr_steps++) {
		struct scripted worlds[2];
		struct scripted late = { 0 };
		struct scripted_run run;
		const struct tide_region *region;

		open_worlds(&run, worlds, 2, &QUICK);
		scripted_samples(&run, 3);
		for (unsigned i = 0; i < nr_steps; i++)
			assert_int_equal(scripted_step(&run, 0), 0);
		scripted_add(&late.mapped, GIB(3), MIB(64));
		scripted_add(&late.hot, GIB(3), MIB(64));
		assert_int_equal(scripted_watch(&run, &scripted_sensor, &late, NULL, 0), 2);
		scripted_sample(&run);
		assert_int_equal(run.sample->nr_targets, 3);
		assert_int_equal(bytes_of(run.sample, 2), MIB(64));
		region = scripted_region_at(run.sample, GIB(3));
		assert_int_equal(region->nr_accesses, nr_steps < 4 ? run.sample->nr_checks : 0);
		assert_int_equal(region->nr_unobservable, nr_steps < 4 ? 0 : run.sample->nr_checks);
		scripted_samples(&run, 20);
		region = scripted_region_at(run.sample, GIB(3));
		assert_int_equal(region->nr_accesses, run.sample->nr_checks);
		assert_hot(run.sample, 0);
		assert_hot(run.sample, 1);
		close_worlds(&run, worlds, 2);
		scripted_fini(&late);
	}
}

/* Its sensor ends its work at once, its cost stays, its number is not given again. */
static void A6_a_target_that_is_watched_no_more_is_as_one_that_went_away(void **unused)
{
	struct tide_sensor_cost before;
	struct tide_sensor_cost after;
	struct scripted worlds[3];
	struct scripted_run run;

	open_worlds(&run, worlds, 3, &QUICK);
	scripted_samples(&run, 3);
	assert_int_equal(scripted_step(&run, 0), 0);
	tide_monitor_cost(run.monitor, &before);
	tide_monitor_end_target(run.monitor, 1);
	tide_monitor_end_target(run.monitor, 1);
	tide_monitor_cost(run.monitor, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(worlds[1].calls[SCRIPTED_CLEANUP], 1);
	scripted_samples(&run, 20);
	assert_int_equal(run.sample->nr_targets, 3);
	assert_int_equal(bytes_of(run.sample, 1), 0);
	assert_hot(run.sample, 0);
	assert_hot(run.sample, 2);
	tide_monitor_end_target(run.monitor, 0);
	tide_monitor_end_target(run.monitor, 2);
	assert_int_equal(scripted_step(&run, 0), -ESRCH);
	assert_int_equal(run.err.cause, TIDE_CAUSE_GONE);
	close_worlds(&run, worlds, 3);
}

/* In the third call of each of the sensor's operations. */
static void A6_one_target_goes_away_and_the_others_go_on(void **unused)
{
	for (size_t op = 0; op < NR_OPS; op++) {
		for (uint32_t gone = 0; gone < 3; gone++) {
			struct scripted worlds[3];
			struct scripted_run run;

			open_worlds(&run, worlds, 3, &QUICK);
			worlds[gone].fail_op = OPS[op];
			worlds[gone].fail_call = 3;
			worlds[gone].fail_cause = TIDE_CAUSE_GONE;
			scripted_samples(&run, 50);
			assert_true(worlds[gone].is_gone);
			assert_int_equal(run.sample->nr_targets, 3);
			for (uint32_t i = 0; i < 3; i++) {
				assert_int_equal(bytes_of(run.sample, i), i == gone ? 0 : MIB(64));
				if (i == gone)
					continue;
				assert_hot(run.sample, i);
				assert_all_turns(&worlds[i], 50 * 5);
			}
			close_worlds(&run, worlds, 3);
		}
	}
}

static void A6_the_last_one_gone_ends_it_with_its_sentence(void **unused)
{
	for (size_t op = 0; op < NR_OPS; op++) {
		struct scripted worlds[2];
		struct scripted_run run;
		int result;

		open_worlds(&run, worlds, 2, &QUICK);
		for (size_t i = 0; i < 2; i++) {
			worlds[i].fail_op = OPS[op];
			worlds[i].fail_call = 2 + i;
			worlds[i].fail_cause = TIDE_CAUSE_GONE;
		}
		do
			result = scripted_step(&run, 0);
		while (result >= 0);
		assert_int_equal(result, -ESRCH);
		assert_int_equal(run.err.cause, TIDE_CAUSE_GONE);
		assert_string_equal(run.err.text, "the script says so, call 3");
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(scripted_step(&run, 0), -ESRCH);
			assert_int_equal(run.err.cause, TIDE_CAUSE_GONE);
			assert_string_equal(run.err.text, "the script says so, call 3");
			assert_null(run.sample);
		}
		close_worlds(&run, worlds, 2);
	}
}

/* The interval was complete before the update found the target gone: its sample is good. */
static void A6_the_sample_before_the_end_is_not_lost(void **unused)
{
	struct scripted world;
	struct scripted_run run;

	open_worlds(&run, &world, 1, &QUICK);
	world.fail_op = SCRIPTED_VALID;
	world.fail_call = 1;
	world.fail_cause = TIDE_CAUSE_GONE;
	scripted_sample(&run);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(scripted_step(&run, 0), 0);
	assert_int_equal(scripted_step(&run, 0), -ESRCH);
	assert_non_null(run.sample);
	assert_int_equal(scripted_bytes(run.sample), MIB(64));
	close_worlds(&run, &world, 1);
}

static void A6_a_target_without_memory_is_refused_and_cleaned_up(void **unused)
{
	struct scripted worlds[2] = { 0 };
	struct scripted_run run;

	scripted_open(&run, NULL);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &worlds[0], NULL, 0), -ESRCH);
	assert_int_equal(run.err.cause, TIDE_CAUSE_GONE);
	assert_non_null(strstr(run.err.text, "no memory mapped"));
	assert_int_equal(worlds[0].calls[SCRIPTED_CLEANUP], 1);
	worlds[1].fail_op = SCRIPTED_UPDATE;
	worlds[1].fail_call = 1;
	worlds[1].fail_cause = TIDE_CAUSE_SYSTEM;
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &worlds[1], NULL, 0), -EIO);
	assert_int_equal(run.err.cause, TIDE_CAUSE_SYSTEM);
	assert_int_equal(scripted_step(&run, 0), -ESRCH);
	assert_string_equal(run.err.text, "there is no target to watch");
	close_worlds(&run, worlds, 2);
}

/* What an error object held before has no part in it: here an old "gone" before a sensor's failure. */
static void a_failure_is_not_taken_for_the_end_of_a_target(void **unused)
{
	struct tide_error err = { .code = -ESRCH, .cause = TIDE_CAUSE_GONE, .text = "long ago" };
	const struct tide_sample *sample;
	struct scripted world;
	struct scripted_run run;

	open_worlds(&run, &world, 1, &QUICK);
	assert_int_equal(scripted_step(&run, 0), 0);
	world.fail_op = SCRIPTED_CHECK;
	world.fail_call = 1;
	world.fail_cause = TIDE_CAUSE_SYSTEM;
	assert_int_equal(tide_monitor_step(run.monitor, run.next_ns, &run.next_ns, &sample, &err), -EIO);
	assert_int_equal(err.cause, TIDE_CAUSE_SYSTEM);
	assert_string_equal(err.text, "the script says so, call 1");
	world.fail_call = 2;
	assert_int_equal(tide_monitor_step(run.monitor, run.next_ns, &run.next_ns, &sample, NULL), -EIO);
	assert_int_equal(bytes_of(scripted_sample(&run), 0), MIB(64));
	close_worlds(&run, &world, 1);
}

/* Every call of every operation fails once: the error comes up, nobody misses a turn, all is well afterwards. */
static void a_sensors_failure_passes_up_and_monitoring_goes_on(void **unused)
{
	for (size_t op = 0; op < NR_OPS; op++) {
		for (uint64_t nth = OPS[op] == SCRIPTED_UPDATE ? 2 : 1; nth < 12; nth++) {
			struct scripted worlds[3];
			struct scripted_run run;
			unsigned nr_samples = 0;
			unsigned nr_failures = 0;

			open_worlds(&run, worlds, 3, &QUICK);
			worlds[1].fail_op = OPS[op];
			worlds[1].fail_call = nth;
			worlds[1].fail_cause = TIDE_CAUSE_SYSTEM;
			for (unsigned i = 0; i < 120 * 5 + 1; i++) {
				nr_failures += scripted_step(&run, 0) < 0;
				if (run.sample == NULL)
					continue;
				nr_samples++;
				assert_int_equal(run.sample->nr_checks, 5);
				for (uint32_t k = 0; k < 3; k++)
					assert_int_equal(bytes_of(run.sample, k), MIB(64));
			}
			assert_int_equal(nr_failures, worlds[1].calls[OPS[op]] >= nth);
			assert_true(nr_failures == 1 || OPS[op] == SCRIPTED_SCAN);
			assert_int_equal(nr_samples, 120);
			for (uint32_t k = 0; k < 3; k++)
				assert_hot(run.sample, k);
			assert_all_turns(&worlds[0], 600);
			close_worlds(&run, worlds, 3);
		}
	}
}

/* A check that could not be made is no check that found nothing. */
static void a_check_that_failed_counts_as_unobservable(void **unused)
{
	const enum scripted_op ops[] = { SCRIPTED_PREPARE, SCRIPTED_CHECK };

	for (unsigned i = 0; i < 2; i++) {
		struct tide_monitor_opts opts = QUICK;
		struct scripted worlds[2];
		struct scripted_run run;

		opts.flags = TIDE_MONITOR_UNGUIDED;
		open_worlds(&run, worlds, 2, &opts);
		scripted_add(&worlds[1].hot, GIB(2), MIB(64));
		worlds[1].fail_op = ops[i];
		worlds[1].fail_call = 3;
		worlds[1].fail_cause = TIDE_CAUSE_SYSTEM;
		for (unsigned k = 0; k < 6; k++)
			assert_int_equal(scripted_step(&run, 0), k == 5 ? 1 : k == 2 + i ? -EIO : 0);
		for (size_t k = 0; k < run.sample->nr_regions; k++) {
			const struct tide_region *region = &run.sample->regions[k];

			assert_int_equal(region->nr_unobservable, region->target);
			if (region->target == 1)
				assert_int_equal(region->nr_accesses, 4);
		}
		assert_true(run.sample->reasons[TIDE_REASON_UNREAD] > 0);
		close_worlds(&run, worlds, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_told_apart),
		cmocka_unit_test(cost_is_the_sum_and_the_hold_the_longest),
		cmocka_unit_test(A6_a_target_that_comes_late_is_watched_like_the_others),
		cmocka_unit_test(A6_a_target_that_is_watched_no_more_is_as_one_that_went_away),
		cmocka_unit_test(A6_one_target_goes_away_and_the_others_go_on),
		cmocka_unit_test(A6_the_last_one_gone_ends_it_with_its_sentence),
		cmocka_unit_test(A6_the_sample_before_the_end_is_not_lost),
		cmocka_unit_test(A6_a_target_without_memory_is_refused_and_cleaned_up),
		cmocka_unit_test(a_failure_is_not_taken_for_the_end_of_a_target),
		cmocka_unit_test(a_sensors_failure_passes_up_and_monitoring_goes_on),
		cmocka_unit_test(a_check_that_failed_counts_as_unobservable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
