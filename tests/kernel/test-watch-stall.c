/* SPDX-License-Identifier: MIT */
/*
 * This file tests that whoever writes to listed memory waits for a while at most: when nobody collects, when those who
 * keep the list are stopped, or killed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 8 << 20,
	NR = AREA / PAGE,
	LISTED = 64,
	STALL_MS = 50,
	LONG_MS = 20000, /* that is no stall but a hang, on the slowest machine */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	assert_int_equal(watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value), 0);
}

static void begin(struct watched *self, const struct tide_watch_opts *how)
{
	struct tide_watch_opts opts = *how;
	struct tide_range range;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	range = (struct tide_range){ (uint64_t)(uintptr_t)self->area, (uint64_t)(uintptr_t)self->area + AREA };
	opts.size = sizeof(opts);
	opts.backend = "uffd_log";
	opts.max_stall_ns = STALL_MS * 1000000ULL;
	opts.ranges = &range;
	opts.nr_ranges = 1;
	watched_open(self, &opts);
	assert_int_equal(watched_collect(self), 0);
}

static unsigned nr_over(const struct watched *self, int why)
{
	unsigned nr = 0;

	for (size_t page = 0; page < NR; page++)
		nr += self->pages[page] == TIDE_OVER && self->whys[page] == why;
	return nr;
}

/* Nobody collects: the first writer that finds no room waits, for as long as agreed; nobody after it. */
static void E2_a_full_list_is_over_and_stalls_once(void **state)
{
	struct watched *self = *state;

	begin(self, &(struct tide_watch_opts){ .max_listed = LISTED });
	touch(self, 0, 5 * LISTED, 2);
	assert_int_equal(watched_collect(self), AREA);
	assert_int_equal(nr_over(self, TIDE_WHY_OVERFLOW), NR);
	assert_true(self->told.longest_stall_ns >= STALL_MS * 1000000ULL);
	assert_true(self->told.longest_stall_ns < LONG_MS * 1000000ULL);
	/* From then on all is listed again. */
	touch(self, 7, 3, 3);
	assert_int_equal(watched_collect(self), 3 * PAGE);
	assert_pages(self, 7, 10, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
}

static void E2_a_list_that_is_collected_in_time_is_never_full(void **state)
{
	struct watched *self = *state;

	begin(self, &(struct tide_watch_opts){ .max_listed = LISTED });
	for (size_t i = 0; i < 10; i++) {
		touch(self, i * LISTED, LISTED - 1, 2);
		assert_int_equal(watched_collect(self), (LISTED - 1) * PAGE);
		assert_int_equal(nr_over(self, TIDE_WHY_OVERFLOW), 0);
	}
}

static void E2_a_switch_after_an_overflow_is_over(void **state)
{
	struct watched *self = *state;
	uint64_t start;

	begin(self, &(struct tide_watch_opts){ .max_listed = LISTED });
	start = (uint64_t)(uintptr_t)self->area;
	touch(self, 0, 2 * LISTED, 2);
	assert_int_equal(tide_watch_switch(self->watch, start, start + AREA, "uffd_async", &self->err), 0);
	assert_int_equal(watched_collect(self), AREA);
	assert_pages(self, 0, NR, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
}

/* A page each 5 ms, beyond what is let pass at once: slower than the slowest machine lists one. */
static void E3_a_throttle_holds_writers_back_and_loses_nothing(void **state)
{
	enum { EACH_MS = 5, PAGES = 100, BURST = 3 };
	struct watched *self = *state;
	uint64_t began_ms;

	begin(self, &(struct tide_watch_opts){ .throttle_bytes_per_s = PAGE * 1000 / EACH_MS });
	began_ms = now_ms();
	touch(self, 0, PAGES, 2);
	assert_true(now_ms() - began_ms >= (PAGES - BURST) * EACH_MS);
	assert_int_equal(watched_collect(self), PAGES * PAGE);
	assert_pages(self, 0, PAGES, TIDE_EXACT);
	assert_true(self->told.throttled_ns > 0);
}

static void E3_a_throttle_keeps_nobody_for_longer_than_agreed(void **state)
{
	struct watched *self = *state;

	begin(self, &(struct tide_watch_opts){ .throttle_bytes_per_s = PAGE });
	touch(self, 0, 5, 2);
	assert_int_equal(watched_collect(self), 5 * PAGE);
	assert_pages(self, 0, 5, TIDE_EXACT);
	assert_true(self->told.longest_stall_ns >= STALL_MS * 1000000ULL);
	assert_true(self->told.longest_stall_ns < 900 * 1000000ULL);
}

/* The helpers are not the child, which is watched. */
static void find_helpers(const struct watched *self, pid_t helpers[2])
{
	pid_t children[8];
	unsigned nr = child_list(getpid(), children, 8), found = 0;

	for (unsigned i = 0; i < nr && found < 2; i++)
		if (children[i] != self->child.pid)
			helpers[found++] = children[i];
	assert_int_equal(found, 2);
}

static void write_and_check(struct watched *self, size_t page, long value)
{
	touch(self, page, 20, value);
	assert_int_equal(watched_collect(self), 20 * PAGE);
	assert_pages(self, page, page + 20, TIDE_EXACT);
}

static void end_one(struct watched *self, unsigned which, int signal)
{
	pid_t helpers[2];

	begin(self, &(struct tide_watch_opts){ 0 });
	write_and_check(self, 3, 2);
	find_helpers(self, helpers);
	assert_int_equal(kill(helpers[which], signal), 0);
	alarm(60);
	for (long i = 0; i < 5; i++)
		write_and_check(self, 40 + 30 * (size_t)i, 3 + i);
	alarm(0);
	if (signal == SIGSTOP)
		kill(helpers[which], SIGCONT); /* it is dead, or goes on looking */
	write_and_check(self, 7, 9);
	watched_close(self);
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
}

static void E2_a_handler_that_is_stopped_is_relieved(void **state)
{
	end_one(*state, 0, SIGSTOP);
}

static void E2_a_handler_that_is_killed_is_relieved(void **state)
{
	end_one(*state, 0, SIGKILL);
}

static void E2_a_standby_that_is_stopped_or_killed_is_not_missed(void **state)
{
	end_one(*state, 1, SIGSTOP);
	watched_end(*state);
	end_one(*state, 1, SIGKILL);
}

/* A watcher of its own: collects when it is told to, and says how much of the area it found. */
struct watcher {
	pid_t pid;
	int order;
	int answer;
};

static void live_as_watcher(struct watched *self, int order, int answer)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area;
	struct tide_range range = { start, start + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts),
		                        .backend = "uffd_log",
		                        .ranges = &range,
		                        .nr_ranges = 1,
		                        .max_stall_ns = STALL_MS * 1000000ULL };
	char byte;

	if (tide_target_open(&self->target, self->child.pid, &self->err) < 0 ||
	    tide_watch_open(&self->watch, self->target, &opts, &self->err) < 0)
		_exit(3);
	do {
		struct tide_run runs[64];
		uint64_t bytes = 0;
		long nr;

		while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
			for (long i = 0; i < nr; i++)
				bytes += runs[i].certainty == TIDE_EXACT ? runs[i].end - runs[i].start : 1;
		if (nr < 0 || write(answer, &bytes, sizeof(bytes)) != sizeof(bytes))
			_exit(4);
	} while (read(order, &byte, 1) == 1);
	tide_watch_close(self->watch);
	_exit(0);
}

static uint64_t answer_of(const struct watcher *watcher)
{
	struct pollfd fd = { .fd = watcher->answer, .events = POLLIN };
	uint64_t bytes = ~(uint64_t)0;

	assert_int_equal(poll(&fd, 1, LONG_MS), 1);
	assert_int_equal(read(watcher->answer, &bytes, sizeof(bytes)), sizeof(bytes));
	return bytes;
}

static uint64_t ask(const struct watcher *watcher)
{
	assert_int_equal(write(watcher->order, "x", 1), 1);
	return answer_of(watcher);
}

static void start_watcher(struct watched *self, struct watcher *watcher)
{
	int order[2], answer[2];

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	assert_int_equal(pipe(order), 0);
	assert_int_equal(pipe(answer), 0);
	watcher->pid = fork();
	assert_true(watcher->pid >= 0);
	if (watcher->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(order[1]);
		live_as_watcher(self, order[0], answer[1]);
	}
	close(order[0]);
	close(answer[1]);
	watcher->order = order[1];
	watcher->answer = answer[0];
	assert_int_equal(answer_of(watcher), 0);
}

static void E2_a_watcher_that_is_stopped_keeps_nobody_waiting(void **state)
{
	struct watched *self = *state;
	struct watcher watcher;
	int status;

	start_watcher(self, &watcher);
	assert_int_equal(kill(watcher.pid, SIGSTOP), 0);
	alarm(60);
	touch(self, 0, 300, 2);
	touch(self, 0, 300, 3);
	alarm(0);
	assert_int_equal(kill(watcher.pid, SIGCONT), 0);
	assert_int_equal(ask(&watcher), 300 * PAGE);
	close(watcher.order);
	assert_int_equal(waitpid(watcher.pid, &status, 0), watcher.pid);
	assert_int_equal(status, 0);
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
}

static bool is_gone(pid_t pid)
{
	for (int i = 0; i < LONG_MS && kill(pid, 0) == 0; i++)
		usleep(1000);
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static void E2_a_watcher_that_is_killed_leaves_nobody_behind(void **state)
{
	struct watched *self = *state;
	struct watcher watcher;
	pid_t helpers[3];

	prctl(PR_SET_CHILD_SUBREAPER, 0);
	start_watcher(self, &watcher);
	assert_int_equal(child_list(watcher.pid, helpers, 3), 2);
	assert_int_equal(kill(watcher.pid, SIGKILL), 0);
	assert_int_equal(waitpid(watcher.pid, NULL, 0), watcher.pid);
	alarm(60);
	touch(self, 0, NR, 2);
	alarm(0);
	assert_true(is_gone(helpers[0]) && is_gone(helpers[1]));
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
	close(watcher.order);
	close(watcher.answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(E2_a_full_list_is_over_and_stalls_once),
		WATCHED_TEST(E2_a_list_that_is_collected_in_time_is_never_full),
		WATCHED_TEST(E2_a_switch_after_an_overflow_is_over),
		WATCHED_TEST(E3_a_throttle_holds_writers_back_and_loses_nothing),
		WATCHED_TEST(E3_a_throttle_keeps_nobody_for_longer_than_agreed),
		WATCHED_TEST(E2_a_handler_that_is_stopped_is_relieved),
		WATCHED_TEST(E2_a_handler_that_is_killed_is_relieved),
		WATCHED_TEST(E2_a_standby_that_is_stopped_or_killed_is_not_missed),
		WATCHED_TEST(E2_a_watcher_that_is_stopped_keeps_nobody_waiting),
		WATCHED_TEST(E2_a_watcher_that_is_killed_leaves_nobody_behind),
	};
	int skipped = need_backend("uffd_log");

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-stall", tests, NULL, NULL);
}
