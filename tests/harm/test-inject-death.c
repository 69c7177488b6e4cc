/* SPDX-License-Identifier: MIT */
/*
 * This file kills the helper, and its parent, before each of their system calls in turn, and makes each fail: the
 * target goes on as if nothing had been. What may stay is what the design says may stay: one descriptor.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "../fault/fail-nth.h"
#include "victim.h"

/* What came of a sweep. */
struct sweep {
	unsigned nr_deaths;
	unsigned nr_left;    /* times a descriptor stayed */
	unsigned first_left; /* the call */
	unsigned nr_interrupted;
};

/* What the calls make, and what a descriptor is passed by; all of them close themselves at the next exec. */
static bool may_stay(const char *line)
{
	static const char *const kinds[] = { "anon_inode:[userfaultfd]", "socket:[", "/dev/null" };
	size_t length = strcspn(line, "\n");

	for (size_t i = 0; i < 3; i++)
		if (strncmp(line, "fd ", 3) == 0 && memmem(line, length, kinds[i], strlen(kinds[i])) != NULL)
			return true;
	return false;
}

static bool has_line(const char *text, const char *line)
{
	size_t length = strcspn(line, "\n") + 1;

	for (; *text != 0; text += strcspn(text, "\n") + 1)
		if (strncmp(text, line, length) == 0)
			return true;
	return false;
}

/* Descriptors are the only things that may be left behind. True when there are some, and nothing else. */
static bool only_descriptors_are_new(const char *before, char *after)
{
	unsigned nr = 0;

	for (char *line = after; *line != 0;) {
		char *next = line + strcspn(line, "\n") + 1;

		if (may_stay(line) && !has_line(before, line)) {
			memmove(line, next, strlen(next) + 1);
			nr++;
		} else {
			line = next;
		}
	}
	return nr > 0 && nr <= 4 && strcmp(before, after) == 0;
}

static int serve(int in, int out, void *unused)
{
	sigset_t some;

	(void)unused;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	sigprocmask(SIG_BLOCK, &some, NULL);
	victim_stop_rseq();
	child_serve(in, out);
	return 0;
}

static void helper_dies_once(unsigned nth, struct sweep *sweep, bool *died)
{
	struct inject_cost cost;
	struct tide_error err = { 0 };
	struct victim victim;
	char *before;
	char *after;
	bool left;
	int result;

	victim_start(&victim, serve, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	fail_nth_kill_helper(nth);
	result = victim_fetch(victim.target, &cost, &err);
	*died = fail_nth_disarm();
	sweep->nr_deaths += *died;
	assert_true(result == 0 || *died);
	victim_wait_state(victim.child.pid, 'S');
	after = victim_look(victim.child.pid, true);
	left = strcmp(before, after) != 0 && only_descriptors_are_new(before, after);
	if (!left)
		victim_compare(before, strdup(after), fail_nth_name());
	if (left) {
		sweep->first_left = sweep->nr_left == 0 ? nth : sweep->first_left;
		sweep->nr_left++;
	}
	free(after);
	free(before);
	/* It hears us, and answers. */
	child_step(&victim.child);
	victim_end(&victim);
}

static void the_helper_may_die_at_any_call(void **state)
{
	struct sweep sweep = { 0 };
	bool died = true;

	(void)state;
	for (unsigned nth = 1; died; nth++)
		helper_dies_once(nth, &sweep, &died);
	print_message("%u deaths, %u left a descriptor, from %u on\n", sweep.nr_deaths, sweep.nr_left,
	              sweep.first_left);
	assert_true(sweep.nr_deaths > 50);
	/*
	 * From the order to make a call to the order to close what it results in, and neither before nor after: how
	 * many calls there are differs from run to run.
	 */
	assert_true(sweep.nr_left > 0 && sweep.first_left > 20 && sweep.nr_deaths - sweep.nr_left > 20);
}

static void die_while_it_spins(child_fn *fn)
{
	int *told = victim_shared(sizeof(*told));
	struct inject_cost cost;
	struct tide_error err = { 0 };
	struct victim victim;
	unsigned nr_left = 0;
	bool died = true;

	victim_start(&victim, fn, told);
	for (unsigned nth = 1; died; nth++) {
		int result;

		fail_nth_kill_helper(nth);
		result = victim_fetch(victim.target, &cost, &err);
		died = fail_nth_disarm();
		assert_true(result == 0 || died);
		victim_spin_check(&victim, told);
		nr_left = nth;
	}
	assert_true(nr_left > 50);
	victim_end(&victim);
}

static void a_spinning_target_keeps_its_registers_when_the_helper_dies(void **state)
{
	(void)state;
	if (!__builtin_cpu_supports("avx"))
		skip();
	die_while_it_spins(victim_spin);
}

struct coroutine {
	ucontext_t context;
	ucontext_t back;
	int in;
	int out;
	void *arg;
	char stack[65536];
};

static struct coroutine coroutine;

static void spin_in_coroutine(void)
{
	victim_spin(coroutine.in, coroutine.out, coroutine.arg);
}

static int spin_on_own_stack(int in, int out, void *arg)
{
	coroutine.in = in;
	coroutine.out = out;
	coroutine.arg = arg;
	getcontext(&coroutine.context);
	coroutine.context.uc_stack.ss_sp = coroutine.stack;
	coroutine.context.uc_stack.ss_size = sizeof(coroutine.stack);
	coroutine.context.uc_link = &coroutine.back;
	makecontext(&coroutine.context, spin_in_coroutine, 0);
	swapcontext(&coroutine.back, &coroutine.context);
	return 1;
}

/* Nobody stands on the main stack: where it is free is not known, only where it was never used. */
static void the_same_on_a_stack_of_its_own(void **state)
{
	int *told = victim_shared(sizeof(*told));
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;

	(void)state;
	if (!__builtin_cpu_supports("avx"))
		skip();
	victim_start(&victim, spin_on_own_stack, told);
	if (victim_fetch(victim.target, &cost, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(cost.self_restoring);
	victim_end(&victim);
	die_while_it_spins(spin_on_own_stack);
}

/* Waits in one call; 0 as it must. */
typedef int wait_fn(int in);

static int in_epoll(int in)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	int result;

	epoll_ctl(epfd, EPOLL_CTL_ADD, in, &event);
	result = epoll_wait(epfd, &event, 1, -1);
	close(epfd);
	return result == 1 ? 0 : errno;
}

static int in_nanosleep(int in)
{
	struct timespec time = { .tv_nsec = 30000000 };

	(void)in;
	return nanosleep(&time, NULL) == 0 ? 0 : errno;
}

/* The caller reads. */
static int in_read(int in)
{
	return in >= 0 ? 0 : EBADF;
}

struct waiter {
	wait_fn *fn;
	int result;
};

static int wait_again_and_again(int in, int out, void *arg)
{
	struct waiter *waiter = arg;

	do {
		child_say(out);
		waiter->result = waiter->fn(in);
		child_pause(in);
	} while (waiter->fn != NULL);
	return 0;
}

static void die_while_it_waits(wait_fn *fn, struct sweep *sweep)
{
	struct waiter *waiter = victim_shared(sizeof(*waiter));
	struct inject_cost cost;
	struct tide_error err = { 0 };
	struct victim victim;
	bool died = true;

	waiter->fn = fn;
	victim_start(&victim, wait_again_and_again, waiter);
	for (unsigned nth = 1; died; nth++) {
		victim_wait_state(victim.child.pid, 'S');
		fail_nth_kill_helper(nth);
		(void)victim_fetch(victim.target, &cost, &err);
		died = fail_nth_disarm();
		sweep->nr_deaths += died;
		child_step(&victim.child);
		if (waiter->result == EINTR)
			sweep->nr_interrupted++;
		else if (waiter->result != 0)
			fail_msg("%s: %s", fail_nth_name(), strerror(waiter->result));
	}
	victim_end(&victim);
}

static void waiting_calls_go_on_when_the_helper_dies(void **state)
{
	struct sweep sweep = { 0 };

	(void)state;
	die_while_it_waits(in_nanosleep, &sweep);
	die_while_it_waits(in_read, &sweep);
	assert_int_equal(sweep.nr_interrupted, 0);
	die_while_it_waits(in_epoll, &sweep);
	print_message("%u deaths, %u times epoll_wait said EINTR\n", sweep.nr_deaths, sweep.nr_interrupted);
	/* From the order to stop to the order to repeat. */
	assert_true(sweep.nr_interrupted * 8 <= sweep.nr_deaths);
}

static void every_call_may_fail_once(void **state)
{
	static const int errors[] = { EIO, EINTR, ENOMEM };
	struct inject_cost cost;
	struct victim victim;
	char *before;

	(void)state;
	victim_start(&victim, serve, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		unsigned descriptors = fail_nth_descriptors();
		bool failed = true;

		for (unsigned nth = 1; failed; nth++) {
			struct tide_error err = { 0 };
			int result;

			fail_nth_arm(nth, errors[i]);
			result = victim_fetch(victim.target, &cost, &err);
			failed = fail_nth_disarm();
			if (result < 0 && (err.code != result || err.text[0] == 0 || err.cause == TIDE_CAUSE_GONE ||
			                   !failed || errors[i] == EINTR))
				fail_msg("%s (%u): %d '%s'", fail_nth_name(), nth, result, err.text);
			victim_wait_state(victim.child.pid, 'S');
			victim_compare(before, victim_look(victim.child.pid, true), fail_nth_name());
			if (fail_nth_descriptors() != descriptors)
				fail_msg("a descriptor leaks when %s (%u) fails", fail_nth_name(), nth);
			assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), 0);
		}
	}
	free(before);
	child_step(&victim.child);
	victim_end(&victim);
}

/* In a process of its own, that is killed before its call `nth`. Whether there was one. */
static bool parent_dies(struct victim *victim, unsigned nth)
{
	pid_t children[64];
	unsigned before = child_list(getpid(), children, 64);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct inject_cost cost;
		struct tide_error err;

		fail_nth_kill_self(nth);
		(void)victim_fetch(victim->target, &cost, &err);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* What it started is ours now, and its end is the end of the run. */
	if (!child_reap_to(before))
		fail_msg("after a death before call %u somebody does not end", nth);
	return WIFSIGNALED(status);
}

static void the_parent_may_die_at_any_call(void **state)
{
	struct victim victim;
	unsigned nr = 0;
	char *before;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	victim_start(&victim, serve, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	for (unsigned nth = 1; parent_dies(&victim, nth); nth++) {
		victim_wait_state(victim.child.pid, 'S');
		victim_compare(before, victim_look(victim.child.pid, true), "after the death of the parent");
		nr++;
	}
	assert_true(nr > 10);
	free(before);
	child_step(&victim.child);
	victim_end(&victim);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_helper_may_die_at_any_call),
		cmocka_unit_test(a_spinning_target_keeps_its_registers_when_the_helper_dies),
		cmocka_unit_test(the_same_on_a_stack_of_its_own),
		cmocka_unit_test(waiting_calls_go_on_when_the_helper_dies),
		cmocka_unit_test(every_call_may_fail_once),
		cmocka_unit_test(the_parent_may_die_at_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
