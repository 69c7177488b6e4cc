/* SPDX-License-Identifier: MIT */
/* This file makes every system call of a target's life fail once: nothing may leak, no living process be called gone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kernel/child.h"
#include "fail-nth.h"
#include "target/target.h"

/* What a scenario is told of a failure: it must be a sentence with the code that was returned. */
static int sound(int result, const struct tide_error *err)
{
	if (err->code == result && err->text[0] != 0 && err->cause != TIDE_CAUSE_NONE)
		return result;
	fail_msg("%s failed: returned %d, error %d '%s'", fail_nth_name(), result, err->code, err->text);
	return result;
}

/*
 * Puts a descriptor in the place of the one the target has, as it would be after its thread has ended. What is asked of
 * the table here is not counted: it is the test's own.
 */
static void age(struct tide_target *target, int stale)
{
	close(target->maps);
	target->maps = dup(stale);
	assert_true(target->maps >= 0);
}

/*
 * The target lives and executes nothing all the while. Negative: the call that was made to fail was needed.
 * `stale` is -1, or for age().
 */
static int life(pid_t pid, int stale)
{
	const struct tide_layout *layout = NULL;
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	pid_t tid;
	int result = tide_target_open(&target, pid, &err);

	if (result < 0) {
		assert_null(target);
		return sound(result, &err);
	}
	for (int i = 0; i < 2 && result >= 0; i++) {
		if (stale >= 0)
			age(target, stale);
		result = tide_target_refresh(target, &layout, &err);
		if (result >= 0) {
			assert_true(layout->nr_mappings > 5);
			assert_int_equal(layout->generation, 1);
			result = tide_target_valid(target, &err);
			assert_int_not_equal(result, 0);
		}
	}
	if (result >= 0)
		result = target_live_thread(target, &tid, &err);
	tide_target_close(target);
	return result < 0 ? sound(result, &err) : 0;
}

/* How often a failure with `error` was survived, and how often not. */
struct tally {
	unsigned nr_survived;
	unsigned nr_refused;
};

static struct tally fail_each_call(pid_t pid, int stale, int error)
{
	struct tally tally = { 0 };
	unsigned descriptors = fail_nth_descriptors();

	for (unsigned nth = 1;; nth++) {
		int result;

		fail_nth_arm(nth, error);
		result = life(pid, stale);
		if (!fail_nth_disarm()) {
			assert_int_equal(result, 0);
			return tally;
		}
		if (fail_nth_descriptors() != descriptors)
			fail_msg("a descriptor leaks when %s (call %u) fails with %s", fail_nth_name(), nth,
			         strerror(error));
		if (result == -ESRCH)
			fail_msg("the target is called gone when %s (call %u) fails with %s", fail_nth_name(), nth,
			         strerror(error));
		tally.nr_survived += result == 0;
		tally.nr_refused += result < 0;
	}
}

static void each_error(pid_t pid, int stale)
{
	static const int fatal[] = { ENOMEM, EIO, EACCES };
	struct tally tally = fail_each_call(pid, stale, EINTR);
	unsigned nr_calls = tally.nr_survived;

	/* A call that a signal cut short is made again. */
	assert_int_equal(tally.nr_refused, 0);
	assert_true(nr_calls > 20);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		tally = fail_each_call(pid, stale, fatal[i]);
		assert_true(tally.nr_refused > 10);
		/* Closing, the probe and the 32-bit question can be done without. */
		assert_true(tally.nr_survived > 5);
	}
}

static int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

static void a_process(void **unused)
{
	struct child child;

	(void)unused;
	child_start(&child, serve, NULL);
	each_error(child.pid, -1);
	setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
	each_error(child.pid, -1);
	unsetenv("TIDEMARK_FAULT");
	child_end(&child);
}

struct ends {
	int in;
	int out;
};

static void *serve_from_thread(void *arg)
{
	const struct ends *ends = arg;
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(getpid());

	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != 'Z')
		usleep(1000);
	child_serve(ends->in, ends->out);
	return NULL;
}

static int serve_without_main_thread(int in, int out, void *unused)
{
	static struct ends ends;
	pthread_t thread;

	(void)unused;
	ends = (struct ends){ in, out };
	if (pthread_create(&thread, NULL, serve_from_thread, &ends) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 1;
}

static void a_process_without_main_thread(void **unused)
{
	struct child child;

	(void)unused;
	child_start(&child, serve_without_main_thread, NULL);
	each_error(child.pid, -1);
	setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
	each_error(child.pid, -1);
	unsetenv("TIDEMARK_FAULT");
	child_end(&child);
}

static void *end_when_told(void *in)
{
	child_pause(*(int *)in);
	return NULL;
}

static int lose_a_thread(int in, int out, void *unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, end_when_told, &in) != 0)
		return 1;
	child_say(out);
	pthread_join(thread, NULL);
	child_serve(in, out);
	return 0;
}

static int other_than(void *pid, pid_t tid)
{
	return tid != *(pid_t *)pid ? tid : 0;
}

/* The text cannot be read any more through a thread that has gone: the target looks for another. */
static void a_process_that_loses_a_thread(void **unused)
{
	struct procfs_stat stat;
	struct child child;
	char path[64];
	int stale;
	int dir;
	int tid;

	(void)unused;
	child_start(&child, lose_a_thread, NULL);
	dir = procfs_open(child.pid);
	tid = procfs_each_thread(dir, other_than, &child.pid);
	assert_true(tid > 0);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", child.pid, tid);
	stale = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(stale >= 0);
	child_step(&child);
	while (procfs_read_stat(dir, tid, &stat) != -ESRCH)
		usleep(1000);
	assert_int_equal(pread(stale, path, 1, 0), -1);
	setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
	each_error(child.pid, stale);
	unsetenv("TIDEMARK_FAULT");
	each_error(child.pid, stale);
	close(stale);
	close(dir);
	child_end(&child);
}

static void a_thousand_lives_leave_nothing(void **unused)
{
	struct child child;
	unsigned descriptors;
	size_t bytes;

	(void)unused;
	child_start(&child, serve, NULL);
	assert_int_equal(life(child.pid, -1), 0);
	descriptors = fail_nth_descriptors();
	bytes = mallinfo2().uordblks;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(life(child.pid, -1), 0);
	assert_int_equal(fail_nth_descriptors(), descriptors);
	assert_int_equal(mallinfo2().uordblks, bytes);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process),
		cmocka_unit_test(a_process_without_main_thread),
		cmocka_unit_test(a_process_that_loses_a_thread),
		cmocka_unit_test(a_thousand_lives_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
