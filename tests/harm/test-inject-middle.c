/* SPDX-License-Identifier: MIT */
/* This file reaches into processes that die in the middle, and into those with threads that run no code of theirs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <elf.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "victim.h"

enum {
	NR_THREADS = 7, /* besides the main one */
	CANNOT = 1000,  /* have a ring here */
};

static void *wait_in_pause(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* All wait in calls, so the main thread is as good as any. */
static int serve_among_threads(int in, int out, void *unused)
{
	pthread_t thread;

	(void)unused;
	for (int i = 0; i < NR_THREADS; i++) {
		if (pthread_create(&thread, NULL, wait_in_pause, NULL) != 0)
			return 1;
	}
	child_serve(in, out);
	return 0;
}

/* The helper has a copy of this. */
static struct {
	struct sys_table table;
	pid_t pid;
	int nr; /* calls until the target is killed */
} assassin;

static long kill_then(int request, pid_t tid, void *addr, void *data)
{
	long result = sys_table_linux.ptrace(request, tid, addr, data);

	if (request == PTRACE_SYSCALL && --assassin.nr == 0)
		kill(assassin.pid, SIGKILL);
	return result;
}

/*
 * A main thread that dies says nothing until its threads are reaped, and they wait for their tracer: that it is dead
 * has to be looked for, or the helper would hold all of them until it gives up.
 */
static void a_process_that_is_killed_in_the_middle_is_gone(void **state)
{
	(void)state;
	/* On the way to both ends of each of the three calls. */
	for (int nr = 1; nr <= 6; nr++) {
		struct tide_error err = { 0 };
		struct inject_cost cost;
		struct victim victim;
		int result;

		victim_start(&victim, serve_among_threads, NULL);
		victim_wait_state(victim.child.pid, 'S');
		assassin.table = sys_table_linux;
		assassin.table.ptrace = kill_then;
		assassin.pid = victim.child.pid;
		assassin.nr = nr;
		sys_table = &assassin.table;
		result = victim_fetch(victim.target, &cost, &err);
		sys_table = &sys_table_linux;
		if (result >= 0 || err.cause != TIDE_CAUSE_GONE)
			fail_msg("killed in step %d: %d '%s'", nr, result, err.text);
		victim_end(&victim);
	}
}

/* Reading the registers back fails once, or shows something else; the helper has a copy of this. */
static struct {
	struct sys_table table;
	int nr_masks; /* set so far: first ours, then its own */
	bool lies;
	bool has_failed;
} mirror;

static long misread(int request, pid_t tid, void *addr, void *data)
{
	long result = sys_table_linux.ptrace(request, tid, addr, data);
	struct user_regs_struct *user = request == PTRACE_GETREGSET ? ((struct iovec *)data)->iov_base : NULL;

	mirror.nr_masks += request == PTRACE_SETSIGMASK;
	if (user == NULL || (uintptr_t)addr != NT_PRSTATUS || mirror.nr_masks < 2)
		return result;
	if (mirror.lies) {
		user->r15++;
	} else if (!mirror.has_failed) {
		mirror.has_failed = true;
		errno = EIO;
		return -1;
	}
	return result;
}

static int fetch_misread(struct victim *victim, bool lies, struct tide_error *err)
{
	struct inject_cost cost;
	int result;

	mirror.table = sys_table_linux;
	mirror.table.ptrace = misread;
	mirror.lies = lies;
	sys_table = &mirror.table;
	result = victim_fetch(victim->target, &cost, err);
	sys_table = &sys_table_linux;
	return result;
}

static void registers_are_looked_at_until_they_are_right(void **state)
{
	struct tide_error err = { 0 };
	struct victim victim;

	(void)state;
	victim_start(&victim, serve_among_threads, NULL);
	if (fetch_misread(&victim, false, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fetch_misread(&victim, true, &err), -EIO);
	assert_int_equal(err.cause, TIDE_CAUSE_SYSTEM);
	assert_non_null(strstr(err.text, "registers"));
	child_step(&victim.child);
	victim_end(&victim);
}

struct ends {
	int in;
	int out;
	int *ring;
};

static void *serve_from_thread(void *arg)
{
	const struct ends *ends = arg;
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(getpid());

	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != 'Z')
		usleep(500);
	close(dir);
	child_serve(ends->in, ends->out);
	return NULL;
}

/* The kernel's thread that polls a ring comes first of those that are alive. */
static int serve_behind_a_worker(int in, int out, void *arg)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL };
	static struct ends ends;
	pthread_t thread;

	ends = (struct ends){ in, out, arg };
	*ends.ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (*ends.ring < 0)
		*ends.ring = CANNOT;
	if (pthread_create(&thread, NULL, serve_from_thread, &ends) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 1;
}

static void the_kernels_own_threads_make_no_calls(void **state)
{
	int *ring = victim_shared(sizeof(*ring));
	struct inject_cost cost;
	struct tide_error err = { 0 };
	struct victim victim;

	(void)state;
	victim_start(&victim, serve_behind_a_worker, ring);
	if (*ring == CANNOT) {
		victim_end(&victim);
		fprintf(stderr, "no io_uring to be had here\n");
		skip();
	}
	for (int i = 0; i < 3; i++) {
		if (victim_fetch(victim.target, &cost, &err) < 0)
			fail_msg("%s", err.text);
		/* The worker is stopped too: it has the process's memory and descriptors. */
		assert_int_equal(cost.nr_threads, 2);
		child_step(&victim.child);
	}
	victim_end(&victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_is_killed_in_the_middle_is_gone),
		cmocka_unit_test(registers_are_looked_at_until_they_are_right),
		cmocka_unit_test(the_kernels_own_threads_make_no_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
