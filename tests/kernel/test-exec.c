/* SPDX-License-Identifier: MIT */
/* This file tests that an exec is noticed: with and without ASLR, and while the old memory lives on. */
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
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "target-steps.h"

/* A child executes this same program again and again, here at each step; see main(). */
static void execute_again(int in, int out)
{
	char in_text[12];
	char out_text[12];

	/* It holds both ends of its pipes and would not see the test go. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	child_say(out);
	child_pause(in);
	snprintf(in_text, sizeof(in_text), "%d", in);
	snprintf(out_text, sizeof(out_text), "%d", out);
	execl("/proc/self/exe", "again", in_text, out_text, (char *)NULL);
	_exit(1);
}

static int again_once_more(int in, int out, void *arg)
{
	const bool *fixed = arg;
	char in_text[12];
	char out_text[12];

	/* First into a state that a second exec can repeat exactly: the same program, arguments, and randomness. */
	if (*fixed)
		personality(ADDR_NO_RANDOMIZE);
	snprintf(in_text, sizeof(in_text), "%d", dup(in));
	snprintf(out_text, sizeof(out_text), "%d", dup(out));
	execl("/proc/self/exe", "again", in_text, out_text, (char *)NULL);
	return 1;
}

static void exec_of_the_same_program(struct child *child, bool fixed)
{
	struct tide_error err = { 0 };
	const struct tide_layout *layout;
	struct tide_target *target;
	pid_t tid;

	child_start(child, again_once_more, &fixed);
	target = open_target(child->pid);
	layout = refresh(target);
	assert_valid(target);
	child_step(child);
	assert_gone(target, "executed another program");
	assert_int_equal(tide_target_refresh(target, &layout, &err), -ESRCH);
	assert_non_null(strstr(err.text, "executed"));
	/* The process itself lives, and can be opened as what it is now. */
	assert_int_equal(target_live_thread(target, &tid, &err), 0);
	tide_target_close(target);
	target = open_target(child->pid);
	assert_valid(target);
	tide_target_close(target);
}

static void exec_is_noticed(void **state)
{
	exec_of_the_same_program(*state, false);
}

static void exec_without_aslr_is_noticed(void **state)
{
	exec_of_the_same_program(*state, true);
}

struct ends {
	int in;
	int out;
};

static int vfork_child(int in, int out, void *arg)
{
	const struct ends *ends = arg;
	/* vfork(2) by hand: the wrapper's rules leave no room for waiting. The child's parent sleeps until it executes.
	 */
	pid_t pid = vfork();

	(void)in;
	if (pid == 0)
		execute_again(ends->in, ends->out);
	child_say(out);
	child_pause(in);
	return 0;
}

static pid_t only_child_of(pid_t pid)
{
	char path[64];
	int nr = 0;
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (file != NULL) {
		nr = fscanf(file, "%d", &found);
		fclose(file);
	}
	return nr == 1 ? found : 0;
}

static void exec_after_vfork_is_noticed(void **state)
{
	struct child *child = *state;
	struct tide_target *target;
	struct ends ends;
	int to[2];
	int from[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(to) | pipe(from), 0);
	ends = (struct ends){ to[0], from[1] };
	*child = (struct child){ .pid = fork(), .go = to[1], .ready = from[0] };
	if (child->pid == 0)
		_exit(vfork_child(to[0], from[1], &ends));
	assert_int_equal(read(from[0], &byte, 1), 1);
	pid = only_child_of(child->pid);
	if (pid == 0) {
		fprintf(stderr, "skipped: this kernel does not list children\n");
		skip();
	}
	target = open_target(pid);
	assert_valid(target);
	/* Both say something now: the one that has executed, and its parent, which uses the old memory again. */
	child_step(child);
	assert_int_equal(read(from[0], &byte, 1), 1);
	assert_gone(target, "executed another program");
	tide_target_close(target);
	close(to[0]);
	close(from[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(exec_is_noticed),
		EACH_WAY(exec_without_aslr_is_noticed),
		EACH_WAY(exec_after_vfork_is_noticed),
	};

	if (argc == 3 && strcmp(argv[0], "again") == 0)
		execute_again(atoi(argv[1]), atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
