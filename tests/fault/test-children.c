/* SPDX-License-Identifier: MIT */
/* This file makes system calls fail while a running session finds a child and adds it: every third one, as each pass
 * loads the sensor's programs twice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <tidemark/session.h>

#include "../kernel/child.h"
#include "../kernel/need.h"
#include "fail-nth.h"

/* One that keeps its memory, and has a child of its own. */
static int keep_memory_and_a_child(int in, int out, void *unused)
{
	pid_t pid = fork();

	if (pid < 0)
		return 1;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return child_keep_memory(in, out, unused);
}

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

/*
 * From its first step on, a session that finds a child, opens it and watches both; at most 40 steps. Call `nth` fails.
 * Sets `*is_told` when the child is watched, or is said not to be.
 */
static int watch_child(pid_t pid, unsigned nth, bool *is_told, struct tide_error *err)
{
	struct tide_session_opts opts = {
		.size = sizeof(opts),
		.monitor = { .size = sizeof(opts.monitor),
		             .sampling_us = 500,
		             .aggregation_us = 1000,
		             .update_us = 2000 },
		.flags = TIDE_SESSION_CHILDREN,
	};
	struct tide_session *session = NULL;
	struct pollfd ready = { .events = POLLIN };
	unsigned nr_samples = 0;
	int result = tide_session_open(&session, &opts, err);

	if (result < 0 || tide_session_add_sink(session, count_sample, &nr_samples, err) < 0 ||
	    tide_session_add_pid(session, pid, NULL, 0, err) < 0)
		fail_msg("%s", err->text);
	ready.fd = tide_session_fd(session);
	fail_nth_arm(nth, nth % 2 ? EIO : ENOMEM);
	for (unsigned i = 0; i < 40; i++) {
		assert_true(poll(&ready, 1, 60000) == 1);
		result = tide_session_step(session, err);
		*is_told = tide_session_target(session, 1) != NULL || tide_session_unwatched(session, NULL) > 0;
		if (result != 1 || (*is_told && nr_samples >= 1))
			break;
	}
	tide_session_close(session);
	return result;
}

#define STRIDE 3u

/* A target that comes while the session runs. */
static void A6_calls_fail_while_a_child_is_added(void **unused)
{
	struct child child;
	struct tide_error err = { 0 };
	unsigned descriptors;
	unsigned nr_refused = 0;
	unsigned nth = 1;
	unsigned nr = 0;
	bool is_told;
	bool reached;

	(void)unused;
	child_start(&child, keep_memory_and_a_child, NULL);
	descriptors = fail_nth_descriptors();
	do {
		int result;

		memset(&err, 0, sizeof(err));
		is_told = false;
		result = watch_child(child.pid, nth, &is_told, &err);
		reached = fail_nth_disarm();
		if (result < 0 && (err.code != result || err.cause == TIDE_CAUSE_NONE || err.cause == TIDE_CAUSE_GONE))
			fail_msg("%s fails: %d, but the error says %d '%s'", fail_nth_name(), result, err.code,
			         err.text);
		if (result >= 0 && !is_told)
			fail_msg("%s (call %u) fails, and a child is overlooked", fail_nth_name(), nth);
		if (fail_nth_descriptors() != descriptors)
			fail_msg("a descriptor leaks when %s (call %u) fails", fail_nth_name(), nth);
		nr_refused += result < 0;
		child_step(&child);
		nth += STRIDE;
		nr++;
	} while (reached);
	printf("%u system calls failed, one at a time: %u ended the session\n", nr - 1, nr_refused);
	assert_true(nth > 100);
	/* What fails for one target is no end for the others. */
	assert_true(nr_refused < 20);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A6_calls_fail_while_a_child_is_added),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
