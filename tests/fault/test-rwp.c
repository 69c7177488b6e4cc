/* SPDX-License-Identifier: MIT */
/*
 * This file makes every system call of the rwp sensor's life fail once, on a real target: nothing leaks, no page that
 * was accessed is called idle, and the target is left as it was found.
 */
#include "sensor-fails.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum {
	NR_CHECKS = 4,
};

struct life {
	struct fixture *fix;
	struct tide_check checks[NR_CHECKS];
	size_t nr_present, nr_young; /* of the last scan */
	size_t nr_stuck;
};

static int count_block(void *arg, const struct tide_block *block)
{
	struct life *life = arg;

	life->nr_present += block->nr_present;
	life->nr_young += block->reason == TIDE_REASON_NONE ? block->nr_young : block->nr_present;
	return 0;
}

static int count_stuck(void *arg, uint64_t start, uint64_t end, enum tide_reason reason)
{
	struct life *life = arg;

	assert_true(start < end && reason != TIDE_REASON_NONE);
	life->nr_stuck++;
	return 0;
}

/* One pass over the area: what is young or cannot be seen is counted, and forgotten. */
static int scan_area(struct life *life, struct tide_error *err)
{
	struct fixture *fix = life->fix;
	struct tide_pass plan = { .interval_us = 1000000, .max_stall_us = 100000 };
	uint64_t at = fix->script->at;
	int result = fix->ops->plan(fix->sensor, &plan, err);

	life->nr_present = life->nr_young = 0;
	while (result == 0 && at < fix->script->at + AREA)
		result = fix->ops->scan(fix->sensor, at, fix->script->at + AREA, 100000, count_block, life, &at, err);
	if (result == 0)
		result = fix->ops->forget(fix->sensor,
		                          &(struct tide_young_run){ .start = fix->script->at,
		                                                    .end = fix->script->at + AREA,
		                                                    .entry_shift = 12 },
		                          1, count_stuck, life, err);
	return result;
}

static int sample(struct life *life, struct tide_error *err)
{
	struct fixture *fix = life->fix;
	const struct tide_range *ranges;
	size_t nr;
	int result = fix->ops->update(fix->sensor, &ranges, &nr, err);

	for (size_t i = 0; i < NR_CHECKS; i++)
		life->checks[i] = (struct tide_check){ .addr = fix->script->at + i * PAGE };
	if (result == 0)
		result = fix->ops->prepare_access_checks(fix->sensor, life->checks, NR_CHECKS, err);
	if (result < 0)
		return result;
	run_errand(fix, TOUCH, 0, NR_CHECKS, 2);
	result = fix->ops->check_accesses(fix->sensor, life->checks, NR_CHECKS, err);
	for (size_t i = 0; result == 0 && i < NR_CHECKS; i++)
		if (life->checks[i].answer != TIDE_ANSWER_UNOBSERVABLE)
			assert_int_equal(life->checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
	return result;
}

static int live(struct fixture *fix, void *arg, struct tide_error *err)
{
	struct life *life = arg;
	int result = sensor_try_open(fix, err);

	if (result < 0)
		return result;
	life->fix = fix;
	life->nr_stuck = 0;
	result = sample(life, err);
	if (result == 0)
		result = scan_area(life, err);
	if (result == 0)
		run_errand(fix, TOUCH, 0, NR, 2);
	if (result == 0)
		result = scan_area(life, err);
	if (result == 0)
		assert_true(life->nr_present == NR && life->nr_young >= NR / 2);
	sensor_close(fix);
	return result;
}

static void every_call_fails_once(void **unused)
{
	static struct life life;

	(void)unused;
	sensor_fails_each(live, &life);
	/* Of the last life, in which nothing failed. */
	assert_int_equal(life.nr_stuck, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails_once),
	};
	int lacking = need_sensor("rwp");

	return lacking != 0 ? lacking : cmocka_run_group_tests(tests, NULL, NULL);
}
