/* SPDX-License-Identifier: MIT */
/* This file tests how pages are sampled and how answers are counted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "scripted-sensor.h"

#define PAGE 4096u

static const struct tide_monitor_opts SHORT = { .size = sizeof(SHORT),
	                                        .sampling_us = 1000,
	                                        .aggregation_us = 4000,
	                                        .update_us = 4000,
	                                        .min_nr_regions = 3,
	                                        .flags = TIDE_MONITOR_UNGUIDED };

/* Three regions of a page each: they can neither be split nor merged. */
static void watch_three_pages(struct scripted_run *run, struct scripted *world, const struct tide_monitor_opts *opts)
{
	scripted_add(&world->mapped, MIB(1), PAGE);
	scripted_add(&world->mapped, MIB(2), PAGE);
	scripted_add(&world->mapped, MIB(3), PAGE);
	scripted_open(run, opts);
	assert_int_equal(scripted_watch(run, &scripted_sensor, world, NULL, 0), 0);
}

static void end(struct scripted_run *run, struct scripted *world)
{
	scripted_close(run);
	scripted_fini(world);
}

static void A1_one_page_of_each_region_is_cleared_then_looked_at(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;

	watch_three_pages(&run, &world, &SHORT);
	for (unsigned i = 1; i < 20; i++) {
		assert_true(scripted_step(&run, 0) >= 0);
		assert_int_equal(world.calls[SCRIPTED_PREPARE], i);
		assert_int_equal(world.calls[SCRIPTED_CHECK], i - 1);
		assert_int_equal(world.nr_cleared, 3 * i);
		assert_int_equal(world.nr_answers, 3 * (i - 1));
		assert_int_equal(world.nr_last_addrs, 3);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(world.last_addrs[k], MIB(k + 1));
	}
	assert_int_equal(world.calls[SCRIPTED_SCAN], 0);
	end(&run, &world);
}

/* Three regions that are never split, apart from each other: each page is sampled about as often as any other. */
static void A1_pages_are_drawn_evenly(void **unused)
{
	const struct tide_range ranges[] = { { MIB(1), MIB(1) + 64 * PAGE },
		                             { MIB(2), MIB(2) + 64 * PAGE },
		                             { MIB(3), MIB(3) + 64 * PAGE } };
	struct tide_monitor_opts opts = SHORT;
	struct scripted world = { 0 };
	struct scripted_run run;
	unsigned nr[3][64] = { 0 };

	opts.max_nr_regions = 3;
	scripted_open(&run, &opts);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, ranges, 3), 0);
	for (unsigned i = 0; i < 6400; i++) {
		assert_true(scripted_step(&run, 0) >= 0);
		assert_int_equal(world.nr_last_addrs, 3);
		for (size_t k = 0; k < 3; k++)
			nr[k][(world.last_addrs[k] - MIB(k + 1)) / PAGE]++;
	}
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < 64; i++) {
			assert_true(nr[k][i] > 50);
			assert_true(nr[k][i] < 200);
		}
	}
	end(&run, &world);
}

static void A1_accesses_are_counted_once_a_check(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_add(&world.hot, MIB(2), PAGE);
	watch_three_pages(&run, &world, &SHORT);
	for (unsigned i = 0; i < 5; i++) {
		scripted_sample(&run);
		assert_int_equal(run.sample->nr_checks, 4);
		assert_int_equal(run.sample->nr_regions, 3);
		assert_int_equal(run.sample->regions[0].nr_accesses, 0);
		assert_int_equal(run.sample->regions[1].nr_accesses, 4);
		assert_int_equal(run.sample->regions[2].nr_accesses, 0);
	}
	world.hot.nr = 0; /* From one check on: half an interval's. */
	scripted_step(&run, 0);
	scripted_step(&run, 0);
	scripted_add(&world.hot, MIB(2), PAGE);
	scripted_sample(&run);
	assert_int_equal(run.sample->regions[1].nr_accesses, 2);
	end(&run, &world);
}

/* Answers the first sample of each huge page only; later ones of the same page would say "idle, no page". */
static int answer_once(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	int result = scripted_sensor.check_accesses(state, checks, nr, err);

	for (size_t i = nr; i-- > 1;) {
		if (checks[i].page_end - checks[i].page_start <= PAGE ||
		    checks[i].addr / MIB(2) != checks[i - 1].addr / MIB(2))
			continue;
		checks[i].answer = TIDE_ANSWER_IDLE;
		checks[i].reason = TIDE_REASON_NONE;
		checks[i].page_start = checks[i].page_end = 0;
	}
	return result;
}

static void A4_samples_of_one_huge_page_have_one_answer(void **unused)
{
	struct tide_sensor_ops ops = scripted_sensor;
	struct scripted world = { .reason = TIDE_REASON_LOCKED };
	struct scripted_run run;
	struct tide_range ranges[24]; /* eight to a huge page: hot, idle, blind */

	for (unsigned i = 0; i < 24; i++)
		ranges[i] = (struct tide_range){ MIB(8) + i * KIB(256), MIB(8) + i * KIB(256) + PAGE };
	ops.check_accesses = answer_once;
	scripted_add(&world.mapped, MIB(8), MIB(6));
	world.huge = world.mapped;
	scripted_add(&world.hot, MIB(8), PAGE);
	scripted_add(&world.blind, MIB(12), PAGE);
	scripted_open(&run, &SHORT);
	assert_int_equal(scripted_watch(&run, &ops, &world, ranges, 24), 0);
	scripted_samples(&run, 3);
	for (unsigned i = 0; i < 24; i++) {
		assert_int_equal(run.sample->regions[i].nr_accesses, i < 8 ? 4 : 0);
		assert_int_equal(run.sample->regions[i].nr_unobservable, i < 16 ? 0 : 4);
	}
	assert_int_equal(run.sample->reasons[TIDE_REASON_LOCKED], 8 * 4);
	end(&run, &world);
}

static void A4_base_pages_share_nothing(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;
	const struct tide_range ranges[] = { { MIB(1), MIB(1) + PAGE },
		                             { MIB(1) + PAGE, MIB(1) + 2 * PAGE },
		                             { MIB(1) + 2 * PAGE, MIB(1) + 3 * PAGE } };

	scripted_add(&world.mapped, MIB(1), MIB(1));
	scripted_add(&world.hot, MIB(1), PAGE);
	scripted_open(&run, &SHORT);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, ranges, 3), 0);
	scripted_sample(&run);
	assert_int_equal(run.sample->regions[0].nr_accesses, 4);
	assert_int_equal(run.sample->regions[1].nr_accesses, 0);
	assert_int_equal(run.sample->regions[2].nr_accesses, 0);
	end(&run, &world);
}

static void A8_unobservable_is_neither_accessed_nor_idle_and_says_why(void **unused)
{
	struct scripted world = { .reason = TIDE_REASON_GUEST };
	struct scripted_run run;

	scripted_add(&world.hot, MIB(1), MIB(4));
	scripted_add(&world.blind, MIB(2), PAGE);
	watch_three_pages(&run, &world, &SHORT);
	for (unsigned i = 0; i < 3; i++) {
		scripted_sample(&run);
		assert_int_equal(run.sample->regions[0].nr_accesses, 4);
		assert_int_equal(run.sample->regions[0].nr_unobservable, 0);
		assert_int_equal(run.sample->regions[1].nr_accesses, 0);
		assert_int_equal(run.sample->regions[1].nr_unobservable, 4);
		for (unsigned reason = 0; reason < TIDE_NR_REASONS; reason++)
			assert_int_equal(run.sample->reasons[reason], reason == TIDE_REASON_GUEST ? 4 : 0);
	}
	end(&run, &world);
}

static void A8_a_reason_nobody_knows_counts_as_unread(void **unused)
{
	struct scripted world = { .reason = (enum tide_reason)200 };
	struct scripted_run run;

	scripted_add(&world.blind, MIB(2), PAGE);
	watch_three_pages(&run, &world, &SHORT);
	assert_int_equal(scripted_sample(&run)->reasons[TIDE_REASON_UNREAD], 4);
	end(&run, &world);
}

static void A8_unobservable_bytes_are_the_share_of_unanswered_checks(void **unused)
{
	const struct tide_region region = { .start = TIB(1), .end = TIB(1) + GIB(1), .nr_unobservable = 5 };

	assert_int_equal(tide_region_unobservable_bytes(&region, 20), MIB(256));
	assert_int_equal(tide_region_unobservable_bytes(&region, 5), GIB(1));
	assert_int_equal(tide_region_unobservable_bytes(&region, 0), 0);
}

static void late_steps_make_intervals_longer_and_lose_or_invent_no_check(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;
	uint64_t start_ns = 0;

	scripted_add(&world.hot, MIB(1), PAGE);
	watch_three_pages(&run, &world, &SHORT);
	for (unsigned i = 0; i < 41; i++) {
		const uint64_t late_ns = i % 3 * 777777777u;

		if (i == 0)
			start_ns = run.next_ns;
		assert_int_equal(scripted_step(&run, i > 0 ? late_ns : 0), i > 0 && i % 4 == 0);
		assert_int_equal(world.calls[SCRIPTED_CHECK], i);
		assert_int_equal(run.next_ns, run.now_ns + 1000000);
		if (run.sample == NULL)
			continue;
		assert_int_equal(run.sample->nr_checks, 4);
		assert_int_equal(run.sample->regions[0].nr_accesses, 4);
		assert_int_equal(run.sample->start_ns, start_ns);
		assert_int_equal(run.sample->end_ns, run.now_ns);
		start_ns = run.now_ns;
	}
	end(&run, &world);
}

static void early_steps_do_nothing(void **unused)
{
	struct scripted world = { 0 };
	struct scripted_run run;
	uint64_t due_ns;

	watch_three_pages(&run, &world, &SHORT);
	for (unsigned i = 0; i < 10; i++) {
		const struct tide_sample *sample = (const struct tide_sample *)&run;
		uint64_t next_ns = 0;
		uint64_t nr;

		assert_true(scripted_step(&run, 0) >= 0);
		due_ns = run.next_ns;
		nr = world.nr_answers;
		assert_int_equal(tide_monitor_step(run.monitor, due_ns - 1, &next_ns, &sample, NULL), 0);
		assert_int_equal(next_ns, due_ns);
		assert_null(sample);
		assert_int_equal(world.nr_answers, nr);
	}
	end(&run, &world);
}

static void an_interval_holds_whole_sampling_intervals_at_least_one(void **unused)
{
	const uint64_t cases[][3] = { { 5000, 100000, 20 }, { 7000, 30000, 4 }, { 9000, 9000, 1 }, { 9000, 17999, 1 } };

	for (unsigned i = 0; i < 4; i++) {
		const struct tide_monitor_opts opts = { .size = sizeof(opts),
			                                .sampling_us = cases[i][0],
			                                .aggregation_us = cases[i][1] };
		struct scripted world = { 0 };
		struct scripted_run run;

		scripted_add(&world.hot, MIB(1), PAGE);
		watch_three_pages(&run, &world, &opts);
		for (unsigned k = 0; k < 15; k++) {
			scripted_sample(&run);
			assert_int_equal(run.sample->nr_checks, cases[i][2]);
			assert_int_equal(run.sample->end_ns - run.sample->start_ns, cases[i][2] * cases[i][0] * 1000);
			assert_int_equal(run.sample->regions[0].nr_accesses, cases[i][2]);
			assert_int_equal(world.calls[SCRIPTED_RESET], k + 1);
		}
		end(&run, &world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_one_page_of_each_region_is_cleared_then_looked_at),
		cmocka_unit_test(A1_pages_are_drawn_evenly),
		cmocka_unit_test(A1_accesses_are_counted_once_a_check),
		cmocka_unit_test(A4_samples_of_one_huge_page_have_one_answer),
		cmocka_unit_test(A4_base_pages_share_nothing),
		cmocka_unit_test(A8_unobservable_is_neither_accessed_nor_idle_and_says_why),
		cmocka_unit_test(A8_a_reason_nobody_knows_counts_as_unread),
		cmocka_unit_test(A8_unobservable_bytes_are_the_share_of_unanswered_checks),
		cmocka_unit_test(late_steps_make_intervals_longer_and_lose_or_invent_no_check),
		cmocka_unit_test(early_steps_do_nothing),
		cmocka_unit_test(an_interval_holds_whole_sampling_intervals_at_least_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
