/* SPDX-License-Identifier: MIT */
/* This file tests sensors that answer the last checks and prepare the next ones in one call. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted-sensor.h"

#define PAGE 4096u

static const struct tide_monitor_opts QUICK = {
	.size = sizeof(QUICK), .sampling_us = 1000, .aggregation_us = 20000, .update_us = 40000, .seed = 7
};

static int no_turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
                   struct tide_error *err)
{
	fail_msg("there is no aggregation interval to be inside of");
	return 0;
}

static void watch(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world)
{
	scripted_add(&world->mapped, GIB(1), MIB(256));
	scripted_add(&world->hot, GIB(1) + MIB(64), MIB(32));
	scripted_add(&world->blind, GIB(1) + MIB(192), MIB(8));
	scripted_open(run, &QUICK);
	assert_int_equal(scripted_watch(run, ops, world, NULL, 0), 0);
}

static void end(struct scripted_run *run, struct scripted *world)
{
	scripted_close(run);
	scripted_fini(world);
}

static void assert_same(const struct tide_region *a, const struct tide_region *b)
{
	assert_int_equal(a->start, b->start);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->nr_accesses, b->nr_accesses);
	assert_int_equal(a->nr_unobservable, b->nr_unobservable);
	assert_int_equal(a->age, b->age);
}

static void a_turn_is_a_check_and_a_prepare(void **unused)
{
	struct scripted worlds[2] = { { .reason = TIDE_REASON_LOCKED }, { .reason = TIDE_REASON_LOCKED } };
	struct scripted_run runs[2];

	watch(&runs[0], &scripted_sensor, &worlds[0]);
	watch(&runs[1], &scripted_sensor_that_turns, &worlds[1]);
	for (unsigned i = 0; i < 50; i++) {
		const struct tide_sample *calls = scripted_sample(&runs[0]);
		const struct tide_sample *turns = scripted_sample(&runs[1]);

		assert_int_equal(calls->nr_regions, turns->nr_regions);
		for (size_t k = 0; k < calls->nr_regions; k++)
			assert_same(&calls->regions[k], &turns->regions[k]);
		assert_memory_equal(calls->reasons, turns->reasons, sizeof(calls->reasons));
	}
	assert_int_equal(worlds[0].nr_answers, worlds[1].nr_answers);
	end(&runs[0], &worlds[0]);
	end(&runs[1], &worlds[1]);
}

/* Regions change at its end, and scouts are heard there: the next checks are drawn afterwards. */
static void no_turn_at_the_end_of_an_aggregation_interval(void **unused)
{
	struct tide_monitor_opts opts = QUICK;
	struct tide_sensor_ops ops = scripted_sensor;
	struct scripted world = { 0 };
	struct scripted_run run;

	ops.turn = no_turn;
	opts.sampling_us = opts.aggregation_us;
	scripted_add(&world.mapped, GIB(1), MIB(256));
	scripted_open(&run, &opts);
	assert_int_equal(scripted_watch(&run, &ops, &world, NULL, 0), 0);
	scripted_samples(&run, 10);
	assert_true(world.nr_answers > 0);
	end(&run, &world);
}

/* Call 3 of `op` fails, and each is called once a step: how many of the interval's checks are lost in each region? */
static uint32_t lost(enum scripted_op op)
{
	const struct tide_range page = { GIB(1), GIB(1) + PAGE };
	struct scripted world = { .fail_op = op, .fail_call = 3, .fail_cause = TIDE_CAUSE_SYSTEM };
	struct scripted_run run;
	unsigned nr_failed = 0;
	uint32_t nr;

	scripted_add(&world.mapped, page.start, PAGE);
	scripted_add(&world.hot, page.start, PAGE);
	scripted_open(&run, &QUICK);
	assert_int_equal(scripted_watch(&run, &scripted_sensor_that_turns, &world, &page, 1), 0);
	do
		nr_failed += scripted_step(&run, 0) < 0;
	while (run.sample == NULL);
	assert_int_equal(nr_failed, 1);
	assert_int_equal(run.sample->nr_regions, 1);
	nr = run.sample->regions[0].nr_unobservable;
	assert_int_equal(run.sample->regions[0].nr_accesses, 20 - nr);
	assert_int_equal(run.sample->reasons[TIDE_REASON_UNREAD], nr);
	end(&run, &world);
	return nr;
}

static void A8_checks_that_a_failed_turn_did_not_answer_or_prepare_are_unread(void **unused)
{
	assert_int_equal(lost(SCRIPTED_CHECK), 2);
	assert_int_equal(lost(SCRIPTED_PREPARE), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_is_a_check_and_a_prepare),
		cmocka_unit_test(no_turn_at_the_end_of_an_aggregation_interval),
		cmocka_unit_test(A8_checks_that_a_failed_turn_did_not_answer_or_prepare_are_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
