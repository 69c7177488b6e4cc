/* SPDX-License-Identifier: MIT */
/* This file kills the watching process before each of its system calls: the process that it watched must not notice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault/fail-nth.h"
#include "../kernel/need.h"
#include "../kernel/watch-steps.h"

enum {
	AREA = 4 << 20,
	EVERY = 8, /* so many deaths are followed by a whole new watch once */
};

static const char *backend; /* NULL: the best */

static void open_area(struct watched *self)
{
	struct tide_range range = { (uint64_t)(uintptr_t)self->area, (uint64_t)(uintptr_t)self->area + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .backend = backend };

	watched_open(self, &opts);
}

static void give_up(const struct watched *self)
{
	fprintf(stderr, "the watch: %s\n", self->err.text);
	_exit(3);
}

/* All that a watch does. Runs in a process of its own. */
static void live(struct watched *self)
{
	unsigned char *copied = malloc(AREA);
	uint64_t start = (uint64_t)(uintptr_t)self->area;
	struct tide_range range = { start, start + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .backend = backend };
	struct tide_run runs[8];

	if (tide_target_open(&self->target, self->child.pid, &self->err) < 0 ||
	    tide_watch_open(&self->watch, self->target, &opts, &self->err) < 0)
		give_up(self);
	for (int i = 0; i < 2; i++) {
		watched_order(self, do_touch, self->area + 7 * PAGE, 3 * PAGE, 2 + i);
		while (tide_watch_collect(self->watch, runs, 8, &self->err) > 0)
			;
		if (tide_watch_copy(self->watch, start, start + AREA, copied, NULL, &self->err) < 0)
			give_up(self);
	}
	tide_watch_close(self->watch);
	tide_target_close(self->target);
	_exit(0);
}

static bool is_clean(pid_t pid, unsigned descriptors)
{
	return mappings_with_flag(pid, "uw") == 0 && number_of(pid, "status", "TracerPid") == 0 &&
	       descriptors_of(pid) == descriptors;
}

/* The watcher dies before call `nth`; false: it made fewer. */
static bool kill_at(struct watched *self, unsigned nth, unsigned descriptors)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fail_nth_kill_self(nth);
		live(self);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) && status != 0)
		fail_msg("the watch ended with %x before call %u", (unsigned)status, nth);
	/* It runs, it obeys, it is not held or tracked by anybody, and has what it had. */
	assert_int_equal(watched_order(self, do_touch, self->area + PAGE, PAGE, (long)(nth % 200)), 0);
	/* What it started is ours now, and ends by itself; the child that was watched stays. */
	if (!child_reap_to(1) || !is_clean(self->child.pid, descriptors))
		fail_msg("a death before call %u leaves something behind", nth);
	return WIFSIGNALED(status);
}

static long do_sum(struct order *order)
{
	long sum = 0;

	for (size_t at = 10 * PAGE; at < order->size; at++)
		sum += order->at[at];
	return sum;
}

static void C1_a_watcher_killed_at_any_call_leaves_the_process_whole(void **state)
{
	struct watched *self = *state;
	unsigned descriptors, nth = 1;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	descriptors = descriptors_of(self->child.pid);
	for (; kill_at(self, nth, descriptors); nth++) {
		if (nth % EVERY != 0)
			continue;
		open_area(self);
		watched_order(self, do_touch, self->area + 3 * PAGE, PAGE, (long)(nth % 200));
		assert_int_equal(watched_collect(self), PAGE);
		watched_close(self);
		assert_int_equal(watched_order(self, do_sum, self->area, AREA, 0), AREA - 10 * PAGE);
	}
	printf("killed before each of %u calls\n", nth - 1);
	assert_true(nth > 100);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_a_watcher_killed_at_any_call_leaves_the_process_whole),
	};

	if (argc > 1) {
		int skipped = need_backend(argv[1]);

		if (skipped != 0)
			return skipped;
		backend = argv[1];
	}
	return cmocka_run_group_tests_name("watch-killed", tests, NULL, NULL);
}
