/* SPDX-License-Identifier: MIT */
/* This file tests a second sensor, which is asked for writes beside the one that is asked for accesses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "scripted-sensor.h"

#define BASE GIB(1)

static const struct tide_monitor_opts QUICK = {
	.size = sizeof(QUICK), .sampling_us = 1000, .aggregation_us = 20000, .update_us = 40000
};

/* 64 MiB: 16 MiB only read, 16 MiB only written, 16 MiB cold, 16 MiB both. */
struct worlds {
	struct scripted accesses;
	struct scripted writes;
};

static void open_worlds(struct scripted_run *run, struct worlds *worlds, const struct tide_sensor_ops *ops)
{
	memset(worlds, 0, sizeof(*worlds));
	scripted_add(&worlds->accesses.mapped, BASE, MIB(64));
	scripted_add(&worlds->writes.mapped, BASE, MIB(64));
	scripted_add(&worlds->accesses.hot, BASE, MIB(32));
	scripted_add(&worlds->accesses.hot, BASE + MIB(48), MIB(16));
	scripted_add(&worlds->writes.hot, BASE + MIB(16), MIB(16));
	scripted_add(&worlds->writes.hot, BASE + MIB(48), MIB(16));
	worlds->accesses.old_at_start = worlds->writes.old_at_start = true;
	scripted_open(run, &QUICK);
	assert_int_equal(scripted_watch_with_writes(run, ops, &worlds->accesses, &worlds->writes, NULL, 0), 0);
}

static void close_worlds(struct scripted_run *run, struct worlds *worlds)
{
	scripted_close(run);
	assert_int_equal(worlds->accesses.calls[SCRIPTED_CLEANUP], 1);
	assert_int_equal(worlds->writes.calls[SCRIPTED_CLEANUP], 1);
	scripted_fini(&worlds->accesses);
	scripted_fini(&worlds->writes);
}

/* What the region in the middle of quarter `quarter` counts. */
static void expect(const struct tide_sample *sample, unsigned quarter, bool accessed, bool written)
{
	const struct tide_region *region = scripted_region_at(sample, BASE + MIB(16 * quarter + 8));

	assert_non_null(region);
	assert_int_equal(region->nr_accesses, accessed ? sample->nr_checks : 0);
	assert_int_equal(region->nr_writes, written ? sample->nr_checks : 0);
	assert_int_equal(region->nr_writes_unobservable, 0);
}

static void B1_writes_are_counted_beside_accesses(void **state)
{
	const struct tide_sensor_ops *const sensors[] = { &scripted_sensor, &scripted_sensor_that_turns };

	for (size_t i = 0; i < 2; i++) {
		const struct tide_sample *sample;
		struct scripted_run run;
		struct worlds worlds;

		open_worlds(&run, &worlds, sensors[i]);
		sample = scripted_samples(&run, 60);
		expect(sample, 0, true, false);
		expect(sample, 1, true, true);
		expect(sample, 2, false, false);
		expect(sample, 3, true, true);
		/* Both were asked for the same pages, as often. */
		assert_int_equal(worlds.writes.nr_answers, worlds.writes.nr_cleared - worlds.writes.nr_last_addrs);
		assert_true(worlds.writes.nr_answers > 1000);
		close_worlds(&run, &worlds);
	}
}

/* Where all is read, only the writes say where to split. */
static void B1_regions_end_where_writes_do(void **state)
{
	const struct tide_sample *sample;
	struct scripted_run run;
	struct worlds worlds;
	uint64_t wrong = 0;

	open_worlds(&run, &worlds, &scripted_sensor_without_scan);
	sample = scripted_samples(&run, 100);
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		for (uint64_t at = region->start; at < region->end; at += KIB(64)) {
			bool is_written = (at - BASE) / MIB(16) % 2 == 1;

			wrong += is_written != (region->nr_writes >= sample->nr_checks / 2) ? KIB(64) : 0;
		}
	}
	assert_true(wrong < MIB(3));
	close_worlds(&run, &worlds);
}

static void what_cannot_be_told_of_writes_is_no_matter_of_accesses(void **state)
{
	const struct tide_sample *sample;
	const struct tide_region *region;
	struct scripted_run run;
	struct worlds worlds;

	open_worlds(&run, &worlds, &scripted_sensor);
	scripted_add(&worlds.writes.blind, BASE, MIB(16));
	worlds.writes.reason = TIDE_REASON_HUGE;
	sample = scripted_samples(&run, 60);
	region = scripted_region_at(sample, BASE + MIB(8));
	assert_int_equal(region->nr_accesses, sample->nr_checks);
	assert_int_equal(region->nr_unobservable, 0);
	assert_int_equal(region->nr_writes, 0);
	assert_int_equal(region->nr_writes_unobservable, sample->nr_checks);
	assert_int_equal(sample->reasons[TIDE_REASON_HUGE], 0); /* reasons are those of accesses */
	expect(sample, 1, true, true);
	close_worlds(&run, &worlds);
}

/* What the failed call was asked is not called unwritten, and the accesses keep their answers. */
static void a_sensor_for_writes_that_fails_leaves_the_other_its_answers(void **state)
{
	const enum scripted_op ops[] = { SCRIPTED_PREPARE, SCRIPTED_CHECK };

	for (size_t i = 0; i < 2; i++) {
		const struct tide_sample *sample = NULL;
		struct scripted_run run;
		struct worlds worlds;
		unsigned nr_errors = 0;

		open_worlds(&run, &worlds, &scripted_sensor);
		worlds.writes.fail_op = ops[i];
		worlds.writes.fail_call = 3;
		worlds.writes.fail_cause = TIDE_CAUSE_SYSTEM;
		while (sample == NULL) {
			nr_errors += scripted_step(&run, 0) < 0;
			sample = run.sample;
		}
		assert_int_equal(nr_errors, 1);
		for (size_t k = 0; k < sample->nr_regions; k++) {
			assert_int_equal(sample->regions[k].nr_unobservable, 0);
			assert_in_range(sample->regions[k].nr_writes_unobservable, 1, 2);
		}
		close_worlds(&run, &worlds);
	}
}

static void a_target_that_the_sensor_for_writes_finds_gone_is_gone(void **state)
{
	struct scripted_run run;
	struct worlds worlds;
	int result = 0;

	open_worlds(&run, &worlds, &scripted_sensor);
	worlds.writes.fail_op = SCRIPTED_CHECK;
	worlds.writes.fail_call = 5;
	worlds.writes.fail_cause = TIDE_CAUSE_GONE;
	for (int i = 0; i < 10 && result >= 0; i++)
		result = scripted_step(&run, 0);
	assert_true(result < 0);
	assert_int_equal(run.err.cause, TIDE_CAUSE_GONE);
	close_worlds(&run, &worlds);
}

static void both_sensors_follow_the_mappings_of_given_ranges(void **state)
{
	const struct tide_range range = { BASE, BASE + MIB(16) };
	struct scripted worlds[2] = { 0 };
	struct scripted_run run;
	uint64_t before[2];

	for (size_t i = 0; i < 2; i++)
		scripted_add(&worlds[i].mapped, BASE, MIB(64));
	scripted_open(&run, &QUICK);
	assert_int_equal(scripted_watch_with_writes(&run, &scripted_sensor, &worlds[0], &worlds[1], &range, 1), 0);
	for (size_t i = 0; i < 2; i++) {
		before[i] = worlds[i].calls[SCRIPTED_UPDATE];
		assert_int_equal(before[i], 1);
	}
	scripted_samples(&run, 5);
	for (size_t i = 0; i < 2; i++)
		assert_in_range(worlds[i].calls[SCRIPTED_UPDATE] - before[i], 2, 3);
	assert_int_equal(scripted_bytes(run.sample), MIB(16));
	scripted_close(&run);
	scripted_fini(&worlds[0]);
	scripted_fini(&worlds[1]);
}

static void a_sensor_that_fails_at_the_start_leaves_nothing(void **state)
{
	struct scripted worlds[2] = { 0 };
	struct scripted_run run;

	for (size_t i = 0; i < 2; i++)
		scripted_add(&worlds[i].mapped, BASE, MIB(64));
	worlds[1].fail_op = SCRIPTED_UPDATE;
	worlds[1].fail_call = 1;
	worlds[1].fail_cause = TIDE_CAUSE_SYSTEM;
	scripted_open(&run, &QUICK);
	assert_true(scripted_watch_with_writes(&run, &scripted_sensor, &worlds[0], &worlds[1], NULL, 0) < 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(worlds[i].calls[SCRIPTED_CLEANUP], 1);
		scripted_fini(&worlds[i]);
	}
	scripted_close(&run);
}

/* Writes alone: what it calls accessed is written, and is counted for both. */
static void B1_a_sensor_for_writes_alone_counts_them(void **state)
{
	const struct tide_sample *sample;
	const struct tide_region *region;
	struct scripted world = { .old_at_start = true };
	struct scripted_run run;

	scripted_add(&world.mapped, BASE, MIB(64));
	scripted_add(&world.hot, BASE + MIB(16), MIB(16));
	scripted_add(&world.blind, BASE + MIB(48), MIB(16));
	world.reason = TIDE_REASON_HUGE;
	scripted_open(&run, &QUICK);
	assert_int_equal(scripted_watch(&run, &scripted_sensor_for_writes, &world, NULL, 0), 0);
	sample = scripted_samples(&run, 60);
	region = scripted_region_at(sample, BASE + MIB(24));
	assert_int_equal(region->nr_writes, sample->nr_checks);
	assert_int_equal(region->nr_accesses, sample->nr_checks);
	region = scripted_region_at(sample, BASE + MIB(56));
	assert_int_equal(region->nr_writes_unobservable, sample->nr_checks);
	assert_int_equal(region->nr_unobservable, sample->nr_checks);
	scripted_close(&run);
	scripted_fini(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B1_writes_are_counted_beside_accesses),
		cmocka_unit_test(B1_regions_end_where_writes_do),
		cmocka_unit_test(what_cannot_be_told_of_writes_is_no_matter_of_accesses),
		cmocka_unit_test(a_sensor_for_writes_that_fails_leaves_the_other_its_answers),
		cmocka_unit_test(a_target_that_the_sensor_for_writes_finds_gone_is_gone),
		cmocka_unit_test(both_sensors_follow_the_mappings_of_given_ranges),
		cmocka_unit_test(a_sensor_that_fails_at_the_start_leaves_nothing),
		cmocka_unit_test(B1_a_sensor_for_writes_alone_counts_them),
	};

	return cmocka_run_group_tests_name("monitor-writes", tests, NULL, NULL);
}
