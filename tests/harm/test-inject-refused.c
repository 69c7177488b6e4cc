/* SPDX-License-Identifier: MIT */
/* This file reaches into processes that are filtered, traced, dead, stopped, elsewhere, or not to be had now. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "target/target.h"
#include "victim.h"

/* Only what child_serve(), a signal handler's return and an exit need; the rest is `otherwise`. */
static void filter(uint32_t otherwise)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, otherwise),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog all = { sizeof(program) / sizeof(program[0]), program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0)
		_exit(1);
}

static int serve_filtered(int in, int out, void *arg)
{
	victim_stop_rseq();
	filter(*(uint32_t *)arg);
	child_serve(in, out);
	return 0;
}

static void filters_neither_kill_nor_refuse(void **state)
{
	static uint32_t actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_TRAP };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct tide_error err = { 0 };
		struct inject_cost cost;
		struct victim victim;
		char *before;

		victim_start(&victim, serve_filtered, &actions[i]);
		victim_wait_state(victim.child.pid, 'S');
		before = victim_look(victim.child.pid, true);
		if (victim_fetch(victim.target, &cost, &err) < 0)
			fail_msg("%s", err.text);
		/* Without its tracer the thread would be at the filter's mercy while the calls last. */
		assert_true(cost.window_ns > 0 && cost.window_ns < cost.stopped_ns);
		victim_wait_state(victim.child.pid, 'S');
		victim_compare(before, victim_look(victim.child.pid, true), "after a fetch");
		free(before);
		child_step(&victim.child);
		victim_end(&victim);
	}
}

static int fetch_as_user(void *arg)
{
	struct victim *victim = arg;
	struct tide_error err = { 0 };
	struct inject_cost cost;

	if (setresuid(65534, 65534, 65534) != 0)
		return 100;
	return victim_fetch(victim->target, &cost, &err) < 0 ? (int)err.cause : 101;
}

static int in_a_fork(int (*fn)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int serve(int in, int out, void *unused)
{
	(void)unused;
	victim_stop_rseq();
	child_serve(in, out);
	return 0;
}

static void another_users_process_is_denied(void **state)
{
	struct victim victim;

	(void)state;
	if (geteuid() != 0)
		skip();
	victim_start(&victim, serve, NULL);
	assert_int_equal(in_a_fork(fetch_as_user, &victim), TIDE_CAUSE_DENIED);
	child_step(&victim.child);
	victim_end(&victim);
}

static int fetch_from_inside_a_filter(void *arg)
{
	struct victim *victim = arg;
	struct tide_error err = { 0 };
	struct inject_cost cost;

	filter(SECCOMP_RET_ALLOW);
	if (victim_fetch(victim->target, &cost, &err) == 0)
		return 101;
	return strstr(err.text, "seccomp") != NULL ? (int)err.cause : 102;
}

static void a_filter_that_may_not_be_suspended_is_denied(void **state)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	struct victim victim;
	char *before;

	(void)state;
	victim_start(&victim, serve_filtered, &action);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	/* Who is filtered may not suspend. */
	assert_int_equal(in_a_fork(fetch_from_inside_a_filter, &victim), TIDE_CAUSE_DENIED);
	victim_wait_state(victim.child.pid, 'S');
	victim_compare(before, victim_look(victim.child.pid, true), "after the refusal");
	free(before);
	child_step(&victim.child);
	victim_end(&victim);
}

/* Says a byte through `out`, and waits for one through `in`, as a child of vfork(). */
static int serve_in_vfork(int in, int out, void *arg)
{
	(void)arg;
	while (in >= 0) {
		if (vfork() == 0) {
			child_say(out);
			child_pause(in);
			_exit(0);
		}
	}
	return 0;
}

static void a_vfork_in_progress_is_busy(void **state)
{
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;

	(void)state;
	victim_start(&victim, serve_in_vfork, NULL);
	victim_wait_state(victim.child.pid, 'D');
	assert_int_equal(victim_fetch(victim.target, &cost, &err), -EBUSY);
	assert_int_equal(err.cause, TIDE_CAUSE_BUSY);
	assert_non_null(strstr(err.text, "vfork"));
	/* The vfork ends, and the next begins. */
	child_step(&victim.child);
	child_step(&victim.child);
	/* Its child is orphaned by the end of the test, and ends with the pipe. */
	victim_end(&victim);
}

struct sharing {
	pid_t other;
	unsigned long count;
	char stack[65536];
};

static int count_up(void *arg)
{
	struct sharing *sharing = arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		__atomic_add_fetch(&sharing->count, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int serve_with_sharer(int in, int out, void *arg)
{
	struct sharing *sharing = arg;

	sharing->other = clone(count_up, sharing->stack + sizeof(sharing->stack), CLONE_VM | SIGCHLD, sharing);
	child_serve(in, out);
	return 0;
}

static int serve_with_file_sharer(int in, int out, void *arg)
{
	struct sharing *sharing = arg;

	sharing->other = clone(count_up, sharing->stack + sizeof(sharing->stack), CLONE_FILES | SIGCHLD, sharing);
	child_serve(in, out);
	return 0;
}

static void tasks_that_share_are_stopped(void **state)
{
	child_fn *const fns[] = { serve_with_sharer, serve_with_file_sharer };
	struct sharing *sharing = victim_shared(sizeof(*sharing));

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tide_error err = { 0 };
		struct inject_cost cost;
		struct victim victim;
		unsigned long count;

		victim_start(&victim, fns[i], sharing);
		if (victim_fetch(victim.target, &cost, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(cost.nr_threads, 2);
		count = sharing->count;
		while (__atomic_load_n(&sharing->count, __ATOMIC_SEQ_CST) == count)
			usleep(500);
		child_step(&victim.child);
		kill(sharing->other, SIGKILL);
		victim_end(&victim);
	}
}

static int trace(int in, int out, void *arg)
{
	pid_t pid = *(pid_t *)arg;

	prctl(PR_SET_NAME, "a-debugger");
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return 1;
	child_serve(in, out);
	return 0;
}

static void another_tracer_is_named(void **state)
{
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;
	struct child tracer;
	char number[16];

	(void)state;
	victim_start(&victim, serve, NULL);
	child_start(&tracer, trace, &victim.child.pid);
	assert_int_equal(victim_fetch(victim.target, &cost, &err), -EBUSY);
	assert_int_equal(err.cause, TIDE_CAUSE_BUSY);
	snprintf(number, sizeof(number), " %d ", tracer.pid);
	assert_non_null(strstr(err.text, number));
	assert_non_null(strstr(err.text, "(a-debugger)"));
	child_step(&victim.child);
	child_end(&tracer);
	victim_fetch_well(victim.target);
	victim_end(&victim);
}

static int serve_diverted(int in, int out, void *unused)
{
	static char selector;

	(void)unused;
	/* All of its own code may make calls: it lives as before. */
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 1, LONG_MAX, &selector) != 0)
		return 1;
	child_serve(in, out);
	return 0;
}

static void what_calls_would_miss_is_unsupported(void **state)
{
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;

	(void)state;
	victim_start(&victim, serve_diverted, NULL);
	assert_int_equal(victim_fetch(victim.target, &cost, &err), -EOPNOTSUPP);
	assert_int_equal(err.cause, TIDE_CAUSE_UNSUPPORTED);
	assert_non_null(strstr(err.text, "dispatch"));
	child_step(&victim.child);
	victim_end(&victim);
	victim_start(&victim, serve, NULL);
	victim.target->is_32bit = true;
	assert_int_equal(victim_fetch(victim.target, &cost, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "32-bit"));
	victim_end(&victim);
}

static void a_zombie_is_gone(void **state)
{
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;

	(void)state;
	victim_start(&victim, serve, NULL);
	child_kill(&victim.child);
	assert_true(victim_fetch(victim.target, &cost, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	victim_end(&victim);
}

static void a_stopped_process_stays_stopped(void **state)
{
	struct victim victim;
	char *before;
	int status;

	(void)state;
	victim_start(&victim, serve, NULL);
	victim_wait_state(victim.child.pid, 'S');
	before = victim_look(victim.child.pid, true);
	kill(victim.child.pid, SIGSTOP);
	assert_int_equal(waitpid(victim.child.pid, &status, WUNTRACED), victim.child.pid);
	for (int i = 0; i < 5; i++) {
		victim_fetch_well(victim.target);
		victim_wait_state(victim.child.pid, 'T');
	}
	kill(victim.child.pid, SIGCONT);
	victim_wait_state(victim.child.pid, 'S');
	victim_compare(before, victim_look(victim.child.pid, true), "after it was continued");
	free(before);
	child_step(&victim.child);
	victim_end(&victim);
}

struct nested {
	pid_t pid;
};

static int serve_in_namespace(int in, int out, void *arg)
{
	pid_t pid;

	(void)arg;
	if (unshare(CLONE_NEWPID) != 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_serve(in, out);
	}
	((struct nested *)arg)->pid = pid;
	waitpid(pid, NULL, 0);
	return 0;
}

static void another_pid_namespace_is_no_matter(void **state)
{
	struct nested *nested = victim_shared(sizeof(*nested));
	struct inject_call call = { .nr = SYS_getpid };
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct child child;

	(void)state;
	if (geteuid() != 0)
		skip();
	child_start(&child, serve_in_namespace, nested);
	while (__atomic_load_n(&nested->pid, __ATOMIC_SEQ_CST) == 0)
		usleep(500);
	assert_int_equal(tide_target_open(&target, nested->pid, &err), 0);
	if (inject_run(target, &call, 1, &cost, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(call.result, 1);
	victim_fetch_well(target);
	child_step(&child);
	kill(nested->pid, SIGKILL);
	tide_target_close(target);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_neither_kill_nor_refuse),
		cmocka_unit_test(another_users_process_is_denied),
		cmocka_unit_test(a_filter_that_may_not_be_suspended_is_denied),
		cmocka_unit_test(a_vfork_in_progress_is_busy),
		cmocka_unit_test(tasks_that_share_are_stopped),
		cmocka_unit_test(another_tracer_is_named),
		cmocka_unit_test(what_calls_would_miss_is_unsupported),
		cmocka_unit_test(a_zombie_is_gone),
		cmocka_unit_test(a_stopped_process_stays_stopped),
		cmocka_unit_test(another_pid_namespace_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
