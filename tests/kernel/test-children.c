/* SPDX-License-Identifier: MIT */
/* This file tests, on real forks and execs, that a session follows what its target starts, and gives back what it took.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/session.h>

#include "child.h"
#include "need.h"

#define BYTES (8u << 20)

/* What a target does when it is told to: each step is the next letter of its script. */
struct plan {
	const char *script;
	pid_t *pids;               /* shared: of those that it forked, in order */
	struct tide_range *memory; /* shared, or NULL: where its memory is */
};

static void rest_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* A process that waits to be told by the signal to execute something. */
static void execute_when_told(void)
{
	sigset_t set;
	int signal;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &signal);
	execlp("sleep", "sleep", "600", (char *)NULL);
	_exit(1);
}

static void fork_into(pid_t *slot, char what)
{
	pid_t pid = fork();

	if (pid != 0) {
		*slot = pid;
		return;
	}
	if (what == 'g') { /* a grandchild, and rest */
		fork_into(slot + 1, 'f');
		rest_for_ever();
	}
	if (what == 'x')
		execute_when_told();
	rest_for_ever();
}

static int follow(int in, int out, void *arg)
{
	const struct plan *plan = arg;
	unsigned char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t *slot = plan->pids;

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, BYTES);
	if (plan->memory != NULL)
		*plan->memory = (struct tide_range){ .start = (uintptr_t)memory, .end = (uintptr_t)memory + BYTES };
	for (const char *step = plan->script; *step != 0; step++) {
		if (*step == 'k') {
			while (slot > plan->pids) {
				kill(*--slot, SIGKILL);
				waitpid(*slot, NULL, 0);
			}
		} else if (*step != '-') {
			fork_into(slot, *step);
			slot += *step == 'g' ? 2 : 1;
		}
		child_say(out);
		child_pause(in);
	}
	return 0;
}

struct seen {
	uint32_t nr_targets;
	uint64_t nr_samples;
	uint64_t nr_shared;
	uint64_t nr_regions_of[64];
};

static int take(void *arg, const struct tide_sample *sample, struct tide_target *const *targets, struct tide_error *err)
{
	struct seen *seen = arg;

	(void)targets;
	(void)err;
	assert_true(sample->nr_targets >= seen->nr_targets);
	seen->nr_targets = sample->nr_targets;
	seen->nr_samples++;
	seen->nr_shared += sample->reasons[TIDE_REASON_SHARED];
	for (size_t i = 0; i < sample->nr_regions; i++)
		if (sample->regions[i].target < 64)
			seen->nr_regions_of[sample->regions[i].target]++;
	return 0;
}

/* `memory` NULL: all of it, and of its children. */
static struct tide_session *open_session(pid_t pid, const struct tide_range *memory, struct seen *seen)
{
	struct tide_session_opts opts = {
		.size = sizeof(opts),
		.monitor = { .size = sizeof(opts.monitor),
		             .sampling_us = 1000,
		             .aggregation_us = 5000,
		             .update_us = 10000 },
		.flags = memory == NULL ? TIDE_SESSION_CHILDREN : 0,
	};
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	if (tide_session_open(&session, &opts, &err) < 0 || tide_session_add_sink(session, take, seen, &err) < 0 ||
	    tide_session_add_pid(session, pid, memory, memory != NULL, &err) < 0)
		fail_msg("%s", err.text);
	return session;
}

static int step(struct tide_session *session, struct tide_error *err)
{
	struct pollfd ready = { .fd = tide_session_fd(session), .events = POLLIN };

	assert_true(poll(&ready, 1, 60000) == 1);
	return tide_session_step(session, err);
}

/* The last target with that number, or -1. */
static int find(const struct tide_session *session, pid_t pid)
{
	int found = -1;

	for (size_t i = 0; tide_session_target(session, i) != NULL; i++)
		if (tide_target_pid(tide_session_target(session, i)) == pid)
			found = (int)i;
	return found;
}

/* Steps until `pid` is a target after index `after`, and a sample has had regions of it; its index. */
static int await(struct tide_session *session, struct seen *seen, pid_t pid, int after)
{
	struct tide_error err = { 0 };

	for (unsigned i = 0; i < 20000; i++) {
		int index = find(session, pid);

		if (index > after && seen->nr_regions_of[index] > 0)
			return index;
		if (step(session, &err) != 1)
			fail_msg("the session ended: %s", err.text);
	}
	fail_msg("process %d is not found", (int)pid);
	return -1;
}

static void stay(struct tide_session *session, unsigned nr_steps)
{
	struct tide_error err = { 0 };

	while (nr_steps-- > 0)
		if (step(session, &err) != 1)
			fail_msg("the session ended: %s", err.text);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (readdir(dir) != NULL)
		nr++;
	closedir(dir);
	return nr;
}

static pid_t *shared_pids(void)
{
	pid_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pids, MAP_FAILED);
	return pids;
}

static void children_are_found_before_and_after_the_start(void **unused)
{
	struct plan plan = { .script = "fg-", .pids = shared_pids() };
	struct seen seen = { 0 };
	struct tide_session *session;
	struct child child;

	(void)unused;
	child_start(&child, follow, &plan);
	session = open_session(child.pid, NULL, &seen);
	assert_int_equal(await(session, &seen, plan.pids[0], -1), 1);
	child_step(&child); /* a child with a child */
	await(session, &seen, plan.pids[1], -1);
	await(session, &seen, plan.pids[2], -1);
	assert_null(tide_session_target(session, 4));
	assert_int_equal(find(session, getpid()), -1);
	assert_int_equal(tide_session_unwatched(session, NULL), 0);
	tide_session_close(session);
	child_end(&child);
	munmap(plan.pids, 4096);
}

/*
 * What both map after the fork can be made old by neither: that is said, and not that it is idle. Only memory of the
 * target's own is watched: of the rest it shares much with the test program from the first.
 */
static void A8_memory_shared_after_a_fork_is_unobservable(void **unused)
{
	pid_t *pids = shared_pids();
	struct tide_range *memory = (struct tide_range *)(pids + 64);
	struct plan plan = { .script = "-f-", .pids = pids, .memory = memory };
	struct seen seen = { 0 };
	struct tide_session *session;
	struct child child;

	(void)unused;
	child_start(&child, follow, &plan);
	session = open_session(child.pid, memory, &seen);
	stay(session, 200);
	assert_true(seen.nr_samples > 0);
	assert_int_equal(seen.nr_shared, 0);
	child_step(&child);
	stay(session, 200);
	assert_true(seen.nr_shared > 0);
	tide_session_close(session);
	child_end(&child);
	munmap(pids, 4096);
}

static void A6_a_child_that_executes_something_is_followed(void **unused)
{
	struct plan plan = { .script = "x-", .pids = shared_pids() };
	struct seen seen = { 0 };
	struct tide_session *session;
	int before;
	int after;
	struct child child;

	(void)unused;
	child_start(&child, follow, &plan);
	session = open_session(child.pid, NULL, &seen);
	before = await(session, &seen, plan.pids[0], -1);
	kill(plan.pids[0], SIGUSR1);
	after = await(session, &seen, plan.pids[0], before);
	assert_string_equal(tide_target_name(tide_session_target(session, (size_t)after)), "sleep");
	assert_string_not_equal(tide_target_name(tide_session_target(session, (size_t)before)), "sleep");
	tide_session_close(session);
	child_end(&child);
	munmap(plan.pids, 4096);
}

/* The one that was asked for goes, its child stays; then the child executes something, and goes. */
static void A6_the_end_is_that_of_the_last_one(void **unused)
{
	struct plan plan = { .script = "x-", .pids = shared_pids() };
	struct seen seen = { 0 };
	struct tide_session *session;
	struct tide_error err = { 0 };
	int result;
	int index;
	struct child child;

	(void)unused;
	/* Its parent's death would be its own. */
	child_start(&child, follow, &plan);
	session = open_session(child.pid, NULL, &seen);
	index = await(session, &seen, plan.pids[0], -1);
	kill(plan.pids[0], SIGUSR1);
	index = await(session, &seen, plan.pids[0], index);
	kill(plan.pids[0], SIGSTOP);
	stay(session, 50);
	kill(plan.pids[0], SIGKILL);
	stay(session, 50); /* a zombie */
	child_end(&child);
	do
		result = step(session, &err);
	while (result == 1);
	assert_true(result < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_true(index > 1);
	tide_session_close(session);
	munmap(plan.pids, 4096);
}

/* Four at a time; in the end all descriptors are those of the first target, and every one was found. */
static void those_that_come_and_go_leave_nothing_behind(void **unused)
{
	struct plan plan = { .script = "-ffffkffffkffffk-", .pids = shared_pids() };
	struct seen seen = { 0 };
	struct tide_session *session;
	int nr_fds = count_fds();
	int nr_open;
	struct child child;

	(void)unused;
	child_start(&child, follow, &plan);
	session = open_session(child.pid, NULL, &seen);
	stay(session, 20);
	nr_open = count_fds();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 4; i++) {
			child_step(&child);
			await(session, &seen, plan.pids[i], -1);
		}
		child_step(&child);
		stay(session, 50);
		assert_int_equal(count_fds(), nr_open);
	}
	assert_non_null(tide_session_target(session, 12));
	assert_null(tide_session_target(session, 13));
	tide_session_close(session);
	child_end(&child);
	assert_int_equal(count_fds(), nr_fds);
	munmap(plan.pids, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_are_found_before_and_after_the_start),
		cmocka_unit_test(A8_memory_shared_after_a_fork_is_unobservable),
		cmocka_unit_test(A6_a_child_that_executes_something_is_followed),
		cmocka_unit_test(A6_the_end_is_that_of_the_last_one),
		cmocka_unit_test(those_that_come_and_go_leave_nothing_behind),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
