/* SPDX-License-Identifier: MIT */
/*
 * This file makes every system call of the writes sensor's life fail once, on a real target: nothing leaks, no page
 * that was written is called unwritten, and the target is left as it was found.
 */
#include "sensor-fails.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum {
	NR_CHECKS = 4,
	NR_ROUNDS = 2,
};

static int sample(struct fixture *fix, struct tide_error *err)
{
	struct tide_check checks[NR_CHECKS];
	const struct tide_range *ranges;
	size_t nr;
	int result = fix->ops->update(fix->sensor, &ranges, &nr, err);

	for (size_t i = 0; i < NR_CHECKS; i++)
		checks[i] = (struct tide_check){ .addr = fix->script->at + i * PAGE };
	if (result == 0)
		result = fix->ops->prepare_access_checks(fix->sensor, checks, NR_CHECKS, err);
	if (result < 0)
		return result;
	run_errand(fix, WRITE, 0, NR_CHECKS, 2);
	run_errand(fix, READ, 0, NR_CHECKS, 1);
	result = fix->ops->check_accesses(fix->sensor, checks, NR_CHECKS, err);
	for (size_t i = 0; result == 0 && i < NR_CHECKS; i++)
		if (checks[i].answer != TIDE_ANSWER_UNOBSERVABLE)
			assert_int_equal(checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
	return result;
}

static int live(struct fixture *fix, void *unused, struct tide_error *err)
{
	int result = sensor_try_open(fix, err);

	if (result < 0)
		return result;
	for (int round = 0; result == 0 && round < NR_ROUNDS; round++)
		result = sample(fix, err);
	sensor_close(fix);
	return result;
}

static void every_call_fails_once(void **unused)
{
	sensor_fails_each(live, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_call_fails_once, end_last_target),
	};
	int lacking = need_sensor("writes");

	return lacking != 0 ? lacking : cmocka_run_group_tests(tests, NULL, NULL);
}
