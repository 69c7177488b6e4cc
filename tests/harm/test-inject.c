/* SPDX-License-Identifier: MIT */
/* This file makes calls inside processes of its own, and looks whether anything in them has changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault/fail-nth.h"
#include "kernel/uffd.h"
#include "victim.h"

static int serve(int in, int out, void *unused)
{
	sigset_t some;

	(void)unused;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGHUP, SIG_IGN);
	victim_stop_rseq();
	child_serve(in, out);
	return 0;
}

static void nothing_seen_from_outside_changes(void **state)
{
	struct victim victim;
	unsigned descriptors;
	char *before;

	(void)state;
	victim_start(&victim, serve, NULL);
	descriptors = fail_nth_descriptors();
	for (int i = 0; i < 20; i++) {
		victim_wait_state(victim.child.pid, 'S');
		before = victim_look(victim.child.pid, true);
		victim_fetch_well(victim.target);
		victim_wait_state(victim.child.pid, 'S');
		victim_compare(before, victim_look(victim.child.pid, true), "after a fetch");
		free(before);
		child_step(&victim.child);
	}
	assert_int_equal(fail_nth_descriptors(), descriptors);
	victim_end(&victim);
}

static void registers_vectors_flags_and_red_zone_stay(void **state)
{
	int *told = victim_shared(sizeof(*told));
	struct victim victim;

	(void)state;
	if (!__builtin_cpu_supports("avx"))
		skip();
	victim_start(&victim, victim_spin, told);
	for (int i = 0; i < 50; i++) {
		victim_fetch_well(victim.target);
		if (i % 5 == 4)
			victim_spin_check(&victim, told);
	}
	victim_end(&victim);
}

/* Without a frame, the registers are put back by us alone. */
static void the_same_without_self_restoring(void **state)
{
	int *told = victim_shared(sizeof(*told));
	struct tide_error err = { 0 };
	struct inject_cost cost = { 0 };
	struct victim victim;

	(void)state;
	if (!__builtin_cpu_supports("avx"))
		skip();
	setenv("TIDEMARK_FAULT", "no-self-restore", 1);
	victim_start(&victim, victim_spin, told);
	for (int i = 0; i < 10; i++) {
		if (victim_fetch(victim.target, &cost, &err) < 0)
			fail_msg("%s", err.text);
		assert_false(cost.self_restoring);
		assert_true(cost.window_ns > 0 && cost.window_ns <= cost.stopped_ns);
		victim_spin_check(&victim, told);
	}
	unsetenv("TIDEMARK_FAULT");
	victim_end(&victim);
	victim_start(&victim, serve, NULL);
	if (victim_fetch(victim.target, &cost, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(cost.self_restoring);
	assert_int_equal(cost.window_ns, 0);
	assert_true(cost.leak_ns > 0 && cost.leak_ns < cost.stopped_ns);
	assert_int_equal(cost.nr_threads, 1);
	victim_end(&victim);
}

static void a_failing_call_ends_the_sequence(void **state)
{
	struct inject_call calls[] = {
		{ .nr = SYS_userfaultfd, .args = { O_CLOEXEC | UFFD_USER_ONLY }, .fetch = true },
		{ .nr = SYS_madvise, .args = { 1, 4096, 0 } },
		{ .nr = SYS_getpid },
	};
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;
	unsigned descriptors;
	char *before;

	(void)state;
	victim_start(&victim, serve, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	descriptors = fail_nth_descriptors();
	assert_int_equal(inject_run(victim.target, calls, 3, &cost, &err), -EINVAL);
	assert_true(calls[0].result >= 0);
	assert_int_equal(calls[0].fd, -1);
	assert_int_equal(calls[1].result, -EINVAL);
	assert_int_equal(calls[2].result, -ECANCELED);
	assert_non_null(strstr(err.text, "system call 28 "));
	assert_int_equal(fail_nth_descriptors(), descriptors);
	victim_wait_state(victim.child.pid, 'S');
	victim_compare(before, victim_look(victim.child.pid, true), "after a failing call");
	free(before);
	victim_end(&victim);
}

static int serve_at_the_limit(int in, int out, void *unused)
{
	const struct rlimit limit = { 64, 64 };

	(void)unused;
	setrlimit(RLIMIT_NOFILE, &limit);
	victim_stop_rseq();
	while (dup(in) >= 0)
		;
	child_serve(in, out);
	return 0;
}

static void no_descriptor_left_there_is_a_limit(void **state)
{
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;
	char *before;

	(void)state;
	victim_start(&victim, serve_at_the_limit, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	assert_int_equal(victim_fetch(victim.target, &cost, &err), -EMFILE);
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	assert_non_null(strstr(err.text, "RLIMIT_NOFILE"));
	victim_wait_state(victim.child.pid, 'S');
	victim_compare(before, victim_look(victim.child.pid, true), "after the refusal");
	free(before);
	victim_end(&victim);
}

static void a_process_does_not_reach_into_itself(void **state)
{
	struct inject_call call = { .nr = SYS_getpid };
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	struct inject_cost cost;

	(void)state;
	assert_int_equal(tide_target_open(&target, getpid(), &err), 0);
	assert_int_equal(inject_run(target, &call, 1, &cost, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_int_equal(inject_run(target, &call, 0, &cost, &err), -EINVAL);
	tide_target_close(target);
}

static int serve_with_userfaultfd(int in, int out, void *unused)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_ONLY);

	(void)unused;
	if (fd < 0 || uffd_api(fd, 0) != 0)
		return 1;
	victim_stop_rseq();
	child_serve(in, out);
	return 0;
}

/* Its own is another descriptor; whether the ranges are free is seen at registration. */
static void a_process_with_a_userfaultfd_keeps_it(void **state)
{
	struct victim victim;
	char *before;

	(void)state;
	victim_start(&victim, serve_with_userfaultfd, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	victim_fetch_well(victim.target);
	victim_wait_state(victim.child.pid, 'S');
	victim_compare(before, victim_look(victim.child.pid, true), "after a fetch");
	free(before);
	victim_end(&victim);
}

/* Calls that another thread of the calling program waits for its children with see nothing of the helper. */
static void the_helper_is_nobodys_child(void **state)
{
	struct victim victim;

	(void)state;
	victim_start(&victim, serve, NULL);
	for (int i = 0; i < 5; i++) {
		victim_fetch_well(victim.target);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
	}
	victim_end(&victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_seen_from_outside_changes),
		cmocka_unit_test(registers_vectors_flags_and_red_zone_stay),
		cmocka_unit_test(the_same_without_self_restoring),
		cmocka_unit_test(a_failing_call_ends_the_sequence),
		cmocka_unit_test(no_descriptor_left_there_is_a_limit),
		cmocka_unit_test(a_process_does_not_reach_into_itself),
		cmocka_unit_test(a_process_with_a_userfaultfd_keeps_it),
		cmocka_unit_test(the_helper_is_nobodys_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
