/* SPDX-License-Identifier: MIT */
/* This file makes every system call of a session fail once, on a real target: nothing leaks, the target is not harmed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tidemark/session.h>

#include "../kernel/child.h"
#include "../kernel/need.h"
#include "fail-nth.h"
#include "told.h"

/* With sanitizers, loading the walker alone takes some ten times as long: one call in seven. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 7u
#else
#define STRIDE 1u
#endif

static int count_sample(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                        struct tide_error *err)
{
	unsigned *nr = arg;

	(void)targets;
	(void)err;
	assert_true(sample->nr_regions > 0);
	(*nr)++;
	return 0;
}

static const struct tide_monitor_opts sampling = {
	.size = sizeof(sampling),
	.sampling_us = 500,
	.aggregation_us = 1000,
	.update_us = 2000,
};

/* The first pass is cold, the others forget by refs: two in the time that each session gets here. */
static const struct tide_monitor_opts exact = {
	.size = sizeof(exact),
	.aggregation_us = 4000,
	.flags = TIDE_MONITOR_EXACT,
	.way = TIDE_WAY_REFS,
};

/* A short but whole session. Negative: the call that was made to fail was needed. */
static int watch(const char *sensor, pid_t pid, const struct tide_monitor_opts *monitor, unsigned *nr_samples,
                 struct tide_error *err)
{
	struct tide_session_opts opts = {
		.size = sizeof(opts), .monitor = *monitor, .sensor = sensor, .duration_us = 8000
	};
	struct tide_session *session = NULL;
	int result = tide_session_open(&session, &opts, err);

	if (result >= 0)
		result = tide_session_add_sink(session, count_sample, nr_samples, err);
	if (result >= 0)
		result = tide_session_add_pid(session, pid, NULL, 0, err);
	if (result >= 0)
		result = tide_session_run(session, -1, err);
	tide_session_close(session);
	return result;
}

static void each_call_fails_once(const char *sensor, const struct tide_monitor_opts *monitor)
{
	struct child child;
	struct tide_error err = { 0 };
	unsigned descriptors;
	unsigned nr_refused = 0;
	unsigned nr_idle = 0;
	unsigned nth = 0;
	bool reached;

	child_start(&child, child_keep_memory, NULL);
	descriptors = fail_nth_descriptors();
	do {
		unsigned nr_samples = 0;
		int result;

		nth += STRIDE;
		memset(&err, 0, sizeof(err));
		fail_nth_arm(nth, nth % 2 ? EIO : ENOMEM);
		result = watch(sensor, child.pid, monitor, &nr_samples, &err);
		reached = fail_nth_disarm();
		/* A session that lost one sampling interval to the failure goes on; a short one may end without a
		 * sample. So may one to which the machine gave no time: then the whole of it is tried again. */
		if (!reached) {
			assert_true(result >= 0);
			assert_true(nr_samples > 0 || ++nr_idle < 50);
			reached = nr_samples == 0;
		}
		told_assert(nth, result, &err, descriptors);
		nr_refused += result < 0;
		child_step(&child); /* ends the test when the child's memory is not what it was */
	} while (reached);
	printf("%u system calls failed, one at a time: %u ended the session\n", (nth - 1) / STRIDE, nr_refused);
	assert_true(nth > 60);
	assert_true(nr_refused > 20 / STRIDE);
	child_end(&child);
}

static void every_call_fails_once(void **unused)
{
	each_call_fails_once("walk", &sampling);
}

static void every_call_of_exact_mode_fails_once(void **unused)
{
	each_call_fails_once("walk", &exact);
}

static void every_call_of_the_unprivileged_sensor_fails_once(void **unused)
{
	(void)unused;
	each_call_fails_once("refs", &sampling);
}

/* "refs": only what needs no privileges. */
int main(int argc, char **argv)
{
	const struct CMUnitTest privileged[] = {
		cmocka_unit_test(every_call_fails_once),
		cmocka_unit_test(every_call_of_exact_mode_fails_once),
	};
	const struct CMUnitTest unprivileged[] = {
		cmocka_unit_test(every_call_of_the_unprivileged_sensor_fails_once),
	};
	int skipped;

	if (argc > 1 && strcmp(argv[1], "refs") == 0)
		return cmocka_run_group_tests_name("fault-session-refs", unprivileged, NULL, NULL);
	skipped = need_walk();
	return skipped != 0 ? skipped : cmocka_run_group_tests_name("fault-session", privileged, NULL, NULL);
}
