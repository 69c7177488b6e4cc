/* SPDX-License-Identifier: MIT */
/* This file tests who a target is, who is refused, and how it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target-steps.h"

enum {
	NOBODY = 65534,
};

static void no_such_process(void **state)
{
	struct child *child = *state;
	char sentence[100];
	pid_t pid;

	child_start(child, serve, NULL);
	pid = child->pid;
	child_end(child);
	snprintf(sentence, sizeof(sentence), "no process %d: it may have exited; check the PID", pid);
	assert_refused(pid, TIDE_CAUSE_GONE, sentence);
	assert_refused(0, TIDE_CAUSE_USAGE, "positive");
	assert_refused(-7, TIDE_CAUSE_USAGE, "-7");
}

static int rename_and_serve(int in, int out, void *name)
{
	prctl(PR_SET_NAME, name);
	child_serve(in, out);
	return 0;
}

static void names_are_harmless(void **state)
{
	struct child *child = *state;
	struct tide_target *target;

	child_start(child, rename_and_serve, "a) R 1\n\x1b[1m\\x");
	target = open_target(child->pid);
	assert_string_equal(tide_target_name(target), "a) R 1??[1m\\x");
	assert_int_equal(tide_target_pid(target), child->pid);
	tide_target_close(target);
}

static void exit_is_seen_before_and_after_reaping(void **state)
{
	struct child *child = *state;
	const struct tide_layout *layout;
	struct tide_target *target;
	struct tide_error err = { 0 };
	struct pollfd pollfd = { .events = POLLIN };
	pid_t tid;

	child_start(child, serve, NULL);
	target = open_target(child->pid);
	assert_valid(target);
	pollfd.fd = tide_target_pidfd(target);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	layout = refresh(target);
	child_kill(child);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	for (int reaped = 0; reaped < 2; reaped++) {
		assert_gone(target, "exited");
		assert_int_equal(tide_target_refresh(target, &layout, &err), -ESRCH);
		assert_int_equal(err.cause, TIDE_CAUSE_GONE);
		assert_int_equal(target_live_thread(target, &tid, &err), -ESRCH);
		assert_true(tide_target_layout(target)->nr_mappings > 5);
		child_end(child);
	}
	tide_target_close(target);
}

static void a_zombie_is_gone(void **state)
{
	struct child *child = *state;

	child_start(child, serve, NULL);
	child_kill(child);
	assert_refused(child->pid, TIDE_CAUSE_GONE, "has exited");
}

static void a_kernel_thread_is_refused(void **state)
{
	char name[32] = "";
	FILE *file = fopen("/proc/2/comm", "re");

	if (file == NULL || fgets(name, sizeof(name), file) == NULL || strcmp(name, "kthreadd\n") != 0) {
		fprintf(stderr, "skipped: process 2 is not kthreadd (another PID namespace)\n");
		skip();
	}
	fclose(file);
	assert_refused(2, TIDE_CAUSE_USAGE, "process 2 (kthreadd) is a kernel thread: it has no memory of its own");
}

/* As another user; what the assertions of the test library print is enough, the exit code says the rest. */
static int look_as_nobody(int in, int out, void *pid)
{
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	int result;

	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 2;
	result = tide_target_open(&target, *(pid_t *)pid, &err);
	child_say(out);
	child_pause(in);
	if (result == -EACCES && err.cause == TIDE_CAUSE_DENIED &&
	    strstr(err.text, "run as root or as its user") != NULL)
		return 0;
	fprintf(stderr, "result %d, cause %s: %s\n", result, tide_cause_name(err.cause), err.text);
	return 1;
}

static void other_users_are_denied(void **state)
{
	struct child *child = *state;
	pid_t self = getpid();
	int status = 0;

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: needs root to become another user\n");
		skip();
	}
	child_start(child, look_as_nobody, &self);
	child_tell(child);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	child->pid = 0;
	close(child->go);
	close(child->ready);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(no_such_process),
		EACH_WAY(names_are_harmless),
		EACH_WAY(exit_is_seen_before_and_after_reaping),
		EACH_WAY(a_zombie_is_gone),
		EACH_WAY(a_kernel_thread_is_refused),
		EACH_WAY(other_users_are_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
