/* SPDX-License-Identifier: MIT */
/* This file tests sessions in virtual time: what a step does, when a session ends, and that no failure leaves anything
 * open. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake-world.h"

#define MS 1000000ull

static int begin(void **state)
{
	fake_begin();
	return 0;
}

static int end(void **state)
{
	fake_end();
	return 0;
}

struct seen {
	int nr;
	char order[64];
	int result;
	struct tide_target *target;
};

static int first_sink(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                      struct tide_error *err)
{
	struct seen *seen = arg;

	strcat(seen->order, "1");
	seen->nr++;
	seen->target = targets[0];
	if (seen->result < 0)
		err->cause = TIDE_CAUSE_LIMIT;
	return seen->result;
}

static int second_sink(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                       struct tide_error *err)
{
	strcat(((struct seen *)arg)->order, "2");
	return 0;
}

static struct tide_session *open_session(uint64_t duration_us, int nr_targets, struct seen *seen)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .duration_us = duration_us };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	assert_int_equal(tide_session_open(&session, &opts, &err), 0);
	for (int i = 0; i < nr_targets; i++)
		assert_int_equal(tide_session_add_pid(session, 100 + i, NULL, 0, &err), i);
	if (seen != NULL) {
		assert_int_equal(tide_session_add_sink(session, first_sink, seen, &err), 0);
		assert_int_equal(tide_session_add_sink(session, second_sink, seen, &err), 0);
	}
	return session;
}

static void samples_go_to_every_sink_in_order(void **state)
{
	struct seen seen = { 0 };
	struct tide_session *session = open_session(0, 1, &seen);
	struct tide_error err = { 0 };

	fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = 5 * MS };
	fake.steps[1] = (struct fake_step){ .result = 1, .next_ns = 105 * MS, .end_ns = 100 * MS };
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(fake.armed_ns, 5 * MS);
	assert_int_equal(seen.nr, 0);
	fake.now_ns = 100 * MS;
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_string_equal(seen.order, "12");
	assert_ptr_equal(seen.target, tide_session_target(session, 0));
	assert_null(tide_session_target(session, 1));
	tide_session_close(session);
}

static void a_step_that_is_dear_is_followed_by_rest(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct tide_error err = { 0 };

	/* A quarter of the time at most: 1 ms of work in 5 ms is little, 30 ms of work ask for 120 ms. */
	fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = 5 * MS, .spent_ns = MS };
	fake.steps[1] = (struct fake_step){ .result = 0, .next_ns = 10 * MS, .spent_ns = 30 * MS };
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(fake.armed_ns, 5 * MS);
	fake.now_ns = 5 * MS;
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(fake.armed_ns, 125 * MS);
	tide_session_close(session);
}

static void a_sink_that_fails_ends_the_session(void **state)
{
	struct seen seen = { .result = -ENOSPC };
	struct tide_session *session = open_session(0, 1, &seen);
	struct tide_error err = { 0 };

	fake.steps[0] = (struct fake_step){ .result = 1, .next_ns = 5 * MS };
	assert_int_equal(tide_session_step(session, &err), -ENOSPC);
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	assert_string_equal(seen.order, "1");
	tide_session_close(session);
}

static void run_ends_with_the_sample_nearest_to_the_duration(void **state)
{
	struct seen seen = { 0 };
	struct tide_session *session = open_session(300000, 1, &seen);
	struct tide_error err = { 0 };

	/* Each interval ends a little early or late; the third ends 2 ms before the 300 ms are over and is the last. */
	fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = 101 * MS };
	fake.steps[1] = (struct fake_step){ .result = 1, .next_ns = 199 * MS, .end_ns = 101 * MS };
	fake.steps[2] = (struct fake_step){ .result = 1, .next_ns = 298 * MS, .end_ns = 199 * MS };
	fake.steps[3] = (struct fake_step){ .result = 1, .next_ns = 400 * MS, .end_ns = 298 * MS };
	assert_int_equal(tide_session_run(session, -1, &err), 0);
	assert_int_equal(seen.nr, 3);
	assert_int_equal(fake.nr_steps, 4);
	tide_session_close(session);
}

static void run_ends_without_samples_too(void **state)
{
	struct tide_session *session = open_session(300000, 1, NULL);
	struct tide_error err = { 0 };

	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] = (struct fake_step){ .result = 0, .next_ns = (i + 1) * 900 * MS };
	assert_int_equal(tide_session_run(session, -1, &err), 0);
	/* Woken when the duration and half an interval are over, not when the monitor next wants to be. */
	assert_int_equal(fake.now_ns, 350 * MS + 1000);
	assert_int_equal(fake.nr_steps, 2);
	tide_session_close(session);
}

static void a_duration_shorter_than_an_interval_is_refused(void **state)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .duration_us = 1000, .monitor.aggregation_us = 200000 };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	assert_int_equal(tide_session_open(&session, &opts, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(err.text, "duration of 1 ms"));
	assert_non_null(strstr(err.text, "200 ms"));
	/* The interval that follows from a long sampling interval counts as well. */
	opts = (struct tide_session_opts){ .size = sizeof(opts),
		                           .duration_us = 500000,
		                           .monitor.sampling_us = 1000000 };
	assert_int_equal(tide_session_open(&session, &opts, &err), -EINVAL);
	assert_non_null(strstr(err.text, "1000 ms"));
}

static void assert_intervals(const struct tide_session_opts *opts, uint64_t sampling_us, uint64_t aggregation_us,
                             uint64_t update_us)
{
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	assert_int_equal(tide_session_open(&session, opts, &err), 0);
	assert_int_equal(fake.opts.sampling_us, sampling_us);
	assert_int_equal(fake.opts.aggregation_us, aggregation_us);
	assert_int_equal(fake.opts.update_us, update_us);
	tide_session_close(session);
}

static void intervals_that_are_not_given_suit_the_sensor(void **state)
{
	struct tide_session_opts opts = { .size = sizeof(opts) };

	(void)state;
	assert_intervals(&opts, 5000, 100000, 1000000);
	fake.sensor_flags = TIDE_SENSOR_WHOLE;
	assert_intervals(&opts, 1000000, 1000000, 1000000);
	/* What is given stays. */
	opts.monitor.aggregation_us = 3000000;
	assert_intervals(&opts, 3000000, 3000000, 3000000);
	opts.monitor.aggregation_us = 0;
	opts.monitor.sampling_us = 5000;
	assert_intervals(&opts, 5000, 1000000, 1000000);
	opts.monitor.aggregation_us = 20000;
	opts.monitor.update_us = 60000;
	assert_intervals(&opts, 5000, 20000, 60000);
	/* So does the shortest duration that gives a result. */
	opts = (struct tide_session_opts){ .size = sizeof(opts), .duration_us = 1000000 };
	assert_intervals(&opts, 1000000, 1000000, 1000000);
}

static void the_sensor_is_told_how_long_it_may_stall(void **state)
{
	struct tide_session_opts opts = { .size = sizeof(opts) };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		opts.monitor.max_stall_us = i == 0 ? 0 : 7000;
		assert_int_equal(tide_session_open(&session, &opts, &err), 0);
		assert_int_equal(tide_session_add_pid(session, 100, NULL, 0, &err), 0);
		assert_int_equal(fake.max_stall_us, i == 0 ? 100000 : 7000);
		tide_session_close(session);
	}
}

static void stop_fd_is_a_clean_end_even_before_the_first_step(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct tide_error err = { 0 };
	int stop = eventfd(1, EFD_CLOEXEC);

	assert_int_equal(tide_session_run(session, stop, &err), 0);
	assert_int_equal(fake.nr_steps, 0);
	/* It was the run's, not the session's. */
	assert_int_equal(tide_session_run(session, stop, &err), 0);
	assert_int_equal(fake.nr_steps, 0);
	close(stop);
	tide_session_close(session);
}

static void a_step_of_a_run_waits_once_and_arms_the_timer_once(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct tide_error err = { 0 };
	int nr_calls = fake.nr_calls;

	for (size_t i = 0; i < 8; i++)
		fake.steps[i] = (struct fake_step){ .result = 0, .next_ns = (i + 1) * 5 * MS };
	fake.steps[8] = (struct fake_step){ .result = -ESRCH };
	assert_int_equal(tide_session_run(session, -1, &err), -ESRCH);
	assert_int_equal(fake.nr_steps, 9);
	assert_int_equal(fake.nr_calls - nr_calls, 9 + 8);
	tide_session_close(session);
}

static void the_last_exit_ends_it_at_once(void **state)
{
	struct seen seen = { 0 };
	struct tide_session *session = open_session(0, 2, &seen);
	struct tide_error err = { 0 };

	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] =
		        (struct fake_step){ .result = 1, .next_ns = (i + 1) * 100 * MS, .end_ns = i * 100 * MS };
	fake_exit(0);
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(seen.nr, 2);
	fake_exit(1);
	assert_int_equal(tide_session_step(session, &err), -ESRCH);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_string_equal(err.text, "process 101 exited");
	assert_int_equal(fake.nr_steps, 2);
	tide_session_close(session);
}

static void an_exited_target_does_not_keep_the_loop_busy(void **state)
{
	struct tide_session *session = open_session(1000000, 2, NULL);
	struct tide_error err = { 0 };

	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] =
		        (struct fake_step){ .result = 1, .next_ns = (i + 1) * 100 * MS, .end_ns = i * 100 * MS };
	fake_exit(0);
	assert_int_equal(tide_session_run(session, -1, &err), 0);
	assert_int_equal(fake.nr_steps, 11);
	tide_session_close(session);
}

static void a_sensor_that_fails_now_and_then_ends_nothing(void **state)
{
	struct seen seen = { 0 };
	struct tide_session *session = open_session(0, 1, &seen);
	struct tide_error err = { 0 };

	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] = (struct fake_step){ .result = -EIO, .sample = i == 2, .next_ns = (i + 1) * 5 * MS };
	fake.steps[15].result = 0;
	for (int i = 0; i < 200; i++)
		assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(seen.nr, 13);
	tide_session_close(session);
}

static void a_sensor_that_does_not_come_back_ends_it(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct tide_error err = { 0 };

	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] = (struct fake_step){ .result = -EIO, .next_ns = 5 * MS };
	assert_int_equal(tide_session_run(session, -1, &err), -EIO);
	assert_string_equal(err.text, "the sensor failed");
	assert_int_equal(fake.nr_steps, 100);
	tide_session_close(session);
}

static void gone_comes_after_the_last_sample(void **state)
{
	struct seen seen = { 0 };
	struct tide_session *session = open_session(0, 1, &seen);
	struct tide_error err = { 0 };

	fake.steps[0] = (struct fake_step){ .result = -ESRCH, .sample = true };
	assert_int_equal(tide_session_step(session, &err), -ESRCH);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_int_equal(seen.nr, 1);
	tide_session_close(session);
}

static void cost_counts_from_the_first_step(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct tide_session_cost cost;
	struct tide_error err = { 0 };

	fake.now_ns += 7 * MS;
	fake.cpu_ns = 3 * MS;
	tide_session_cost(session, &cost);
	assert_int_equal(cost.wall_ns, 0);
	assert_int_equal(cost.cpu_ns, 0);
	fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = 5 * MS };
	fake.steps[1] = (struct fake_step){ .result = 1, .next_ns = 9 * MS };
	assert_int_equal(tide_session_step(session, &err), 1);
	fake.now_ns += 10 * MS;
	fake.cpu_ns += 2 * MS;
	assert_int_equal(tide_session_step(session, &err), 1);
	tide_session_cost(session, &cost);
	assert_int_equal(cost.wall_ns, 10 * MS);
	assert_int_equal(cost.cpu_ns, 2 * MS);
	assert_int_equal(cost.first_sample_ns, 17 * MS);
	assert_int_equal(cost.sensor.nr_read, 2);
	tide_session_close(session);
}

static void the_session_fd_is_readable_before_the_first_step(void **state)
{
	struct tide_session *session = open_session(0, 1, NULL);
	struct pollfd poll_fd = { .fd = tide_session_fd(session), .events = POLLIN };
	struct tide_error err = { 0 };
	const char *why = NULL;

	assert_int_equal(poll(&poll_fd, 1, 1000), 1);
	fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = UINT64_MAX / 4 };
	assert_int_equal(tide_session_step(session, &err), 1);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_string_equal(tide_session_sensor(session, &why)->name, "scripted");
	assert_string_equal(why, "the only one there is");
	tide_session_close(session);
}

static void assert_nothing_left(int nr_fds)
{
	assert_int_equal(fake.nr_targets, 0);
	assert_int_equal(fake.nr_states, 0);
	assert_int_equal(fake.nr_monitors, 0);
	assert_int_equal(fake_count_fds(), nr_fds);
}

static void a_refusal_leaves_nothing_open(void **state)
{
	int *const refusals[] = { &fake.choose_result, &fake.open_result };
	int *const late_refusals[] = { &fake.target_result, &fake.init_result, &fake.bound_result, &fake.add_result };
	struct tide_session_opts opts = { .size = sizeof(opts) };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };
	int nr_fds = fake_count_fds();

	for (size_t i = 0; i < 2; i++) {
		fake_begin();
		*refusals[i] = -EPERM;
		assert_int_equal(tide_session_open(&session, &opts, &err), -EPERM);
		assert_nothing_left(nr_fds);
	}
	for (size_t i = 0; i < 4; i++) {
		fake_begin();
		session = open_session(0, 0, NULL);
		*late_refusals[i] = -EPERM;
		assert_int_equal(tide_session_add_pid(session, 100, NULL, 0, &err), -EPERM);
		assert_int_equal(fake.nr_targets, 0);
		assert_int_equal(fake.nr_states, 0);
		/* The session is as good as before: the next target is welcome. */
		*late_refusals[i] = 0;
		assert_int_equal(tide_session_add_pid(session, 101, NULL, 0, &err), 0);
		tide_session_close(session);
		assert_nothing_left(nr_fds);
	}
}

static int open_with(struct tide_session **out, uint32_t flags, uint32_t monitor_flags, struct tide_error *err)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .flags = flags };

	opts.monitor.flags = monitor_flags;
	return tide_session_open(out, &opts, err);
}

static void B1_writes_are_asked_for_beside_accesses(void **state)
{
	struct tide_session *session;
	struct tide_error err = { 0 };

	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, 0, &err), 0);
	assert_string_equal(tide_session_sensor(session, NULL)->name, "scripted");
	assert_string_equal(tide_session_writes(session)->name, "scripted-writes");
	assert_int_equal(tide_session_add_pid(session, 100, NULL, 0, &err), 0);
	assert_int_equal(fake.nr_with_writes, 1);
	tide_session_close(session);
	assert_int_equal(open_with(&session, 0, 0, &err), 0);
	assert_null(tide_session_writes(session));
	assert_int_equal(tide_session_add_pid(session, 100, NULL, 0, &err), 0);
	assert_int_equal(fake.nr_with_writes, 1);
	tide_session_close(session);
	/* A sensor that tells nothing but writes needs no other beside it. */
	fake.sensor_flags = TIDE_SENSOR_TELLS_WRITES | TIDE_SENSOR_TAKES_UFFD;
	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, 0, &err), 0);
	assert_null(tide_session_writes(session));
	tide_session_close(session);
}

static void writes_that_cannot_be_told_are_refused(void **state)
{
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };
	int nr_fds = fake_count_fds();

	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, TIDE_MONITOR_EXACT, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	fake.sensor_flags = TIDE_SENSOR_WHOLE;
	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, 0, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "run as root"));
	fake.sensor_flags = 0;
	fake.choose_writes_result = -EOPNOTSUPP;
	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, 0, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "cannot be told here"));
	fake.choose_writes_result = 0;
	assert_int_equal(open_with(&session, TIDE_SESSION_WRITES, 0, &err), 0);
	fake.init_writes_result = -EBUSY;
	assert_int_equal(tide_session_add_pid(session, 100, NULL, 0, &err), -EBUSY);
	assert_int_equal(fake.nr_states, 0);
	/* The next target has the index that this one did not get. */
	fake.init_writes_result = 0;
	assert_int_equal(tide_session_add_pid(session, 101, NULL, 0, &err), 0);
	tide_session_close(session);
	assert_nothing_left(nr_fds);
}

/* One whole life of a session; the result of the call that failed first, or 0. */
static int live(struct tide_error *err)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .duration_us = 200000 };
	struct tide_session *session = NULL;
	struct seen seen = { 0 };
	int stop = eventfd(0, EFD_CLOEXEC);
	int result = tide_session_open(&session, &opts, err);

	if (result == 0)
		result = tide_session_add_pid(session, 100, NULL, 0, err);
	if (result >= 0)
		result = tide_session_add_pid(session, 101, NULL, 0, err);
	if (result >= 0)
		result = tide_session_add_sink(session, first_sink, &seen, err);
	if (result >= 0)
		result = tide_session_run(session, stop, err);
	close(stop);
	tide_session_close(session);
	return result;
}

static void every_failing_call_is_told_and_leaves_nothing_open(void **state)
{
	struct tide_error err = { 0 };
	int nr_fds = fake_count_fds();
	int nr_failures = 0;

	for (int call = 1; call < 100; call++) {
		fake_begin();
		fake.fail_call = call;
		fake.steps[0] = (struct fake_step){ .result = 0, .next_ns = 100 * MS };
		fake.steps[1] = (struct fake_step){ .result = 1, .next_ns = 200 * MS, .end_ns = 100 * MS };
		fake.steps[2] = (struct fake_step){ .result = 1, .next_ns = 300 * MS, .end_ns = 200 * MS };
		err = (struct tide_error){ 0 };
		if (live(&err) == 0) {
			assert_nothing_left(nr_fds);
			assert_true(fake.nr_calls < call);
			assert_true(nr_failures >= 12);
			return;
		}
		assert_int_equal(err.code, -EMFILE);
		assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
		assert_nothing_left(nr_fds);
		nr_failures++;
	}
	fail_msg("no run went through");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(samples_go_to_every_sink_in_order),
		TEST(a_step_that_is_dear_is_followed_by_rest),
		TEST(a_sink_that_fails_ends_the_session),
		TEST(run_ends_with_the_sample_nearest_to_the_duration),
		TEST(run_ends_without_samples_too),
		TEST(a_duration_shorter_than_an_interval_is_refused),
		TEST(intervals_that_are_not_given_suit_the_sensor),
		TEST(the_sensor_is_told_how_long_it_may_stall),
		TEST(stop_fd_is_a_clean_end_even_before_the_first_step),
		TEST(a_step_of_a_run_waits_once_and_arms_the_timer_once),
		TEST(the_last_exit_ends_it_at_once),
		TEST(an_exited_target_does_not_keep_the_loop_busy),
		TEST(a_sensor_that_fails_now_and_then_ends_nothing),
		TEST(a_sensor_that_does_not_come_back_ends_it),
		TEST(gone_comes_after_the_last_sample),
		TEST(cost_counts_from_the_first_step),
		TEST(the_session_fd_is_readable_before_the_first_step),
		TEST(a_refusal_leaves_nothing_open),
		TEST(B1_writes_are_asked_for_beside_accesses),
		TEST(writes_that_cannot_be_told_are_refused),
		TEST(every_failing_call_is_told_and_leaves_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
