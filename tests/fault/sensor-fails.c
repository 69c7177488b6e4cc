/* SPDX-License-Identifier: MIT */
/* This file makes every system call of a sensor's life fail once. */
#include "sensor-fails.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail-nth.h"
#include "told.h"

void sensor_fails_each(sensor_life_fn *live, void *arg)
{
	static struct fixture fix;
	unsigned descriptors, nr_refused = 0, nth = 0;
	bool reached;
	char *before;

	target_start(&fix, AREA_PRIVATE, NULL);
	before = maps_text(&fix);
	descriptors = fail_nth_descriptors();
	do {
		struct tide_error err = { 0 };
		char *after;
		int result;

		nth++;
		fail_nth_arm(nth, nth % 2 ? EIO : ENOMEM);
		result = live(&fix, arg, &err);
		reached = fail_nth_disarm();
		if (!reached)
			assert_int_equal(result, 0);
		told_assert(nth, result, &err, descriptors);
		nr_refused += result < 0;
		run_errand(&fix, CHECK, 0, 0, 0);
		after = maps_text(&fix);
		assert_string_equal(before, after);
		free(after);
	} while (reached);
	printf("%u system calls failed, one at a time: %u were told\n", nth - 1, nr_refused);
	assert_true(nth > 60);
	assert_true(nr_refused > 20);
	free(before);
	target_end(&fix);
}
