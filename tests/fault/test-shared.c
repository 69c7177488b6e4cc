/* SPDX-License-Identifier: MIT */
/*
 * This file makes every system call of one who serves a watch, and of one who is served, fail once: what either says of
 * a failure is a sentence, nothing leaks, and the one who watches loses no write.
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
#include <unistd.h>

#include "../kernel/need.h"
#include "../kernel/watch-steps.h"
#include "fail-nth.h"

enum {
	AREA = 2 << 20,
	LONG_MS = 30000,
};

static const struct tide_watch_opts shared = { .size = sizeof(shared), .shared = 1 };

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	assert_int_equal(watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value), 0);
}

static void sound(const struct tide_error *err, unsigned nth)
{
	if (err->text[0] == 0 || err->cause == TIDE_CAUSE_NONE || err->cause == TIDE_CAUSE_GONE)
		fail_msg("call %u (%s) failed: '%s' (%d)", nth, fail_nth_name(), err->text, (int)err->cause);
}

/* Serves for ever, in a process of its own. */
static pid_t start_server(struct watched *self)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct pollfd fd = { .events = POLLIN };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tide_target_open(&self->target, self->child.pid, &self->err) < 0 ||
		    tide_watch_open(&self->watch, self->target, NULL, &self->err) < 0 ||
		    tide_watch_serve(self->watch, &self->err) < 0 || write(ready[1], "x", 1) != 1)
			_exit(3);
		fd.fd = tide_watch_fd(self->watch);
		for (;;)
			if (poll(&fd, 1, -1) > 0)
				tide_watch_step(self->watch);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* One epoch of 3 pages, or a sentence. */
static void be_served(struct watched *self, unsigned nth)
{
	struct tide_watch *watch = NULL;
	struct tide_run runs[8];
	uint64_t bytes = 0;
	long nr;
	int result = tide_watch_open(&watch, self->target, &shared, &self->err);

	if (result < 0) {
		assert_null(watch);
		sound(&self->err, nth);
		return;
	}
	touch(self, 7, 3, (long)(nth % 200));
	while ((nr = tide_watch_collect(watch, runs, 8, &self->err)) > 0)
		for (long i = 0; i < nr; i++)
			bytes += runs[i].start >= (uintptr_t)self->area && runs[i].end <= (uintptr_t)self->area + AREA
			                 ? runs[i].end - runs[i].start
			                 : 0;
	if (nr < 0)
		sound(&self->err, nth);
	else
		assert_true(bytes >= 3 * PAGE);
	tide_watch_close(watch);
}

static void E6_who_is_served_says_what_failed(void **state)
{
	struct watched *self = *state;
	unsigned descriptors, nth = 0;
	pid_t server;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	server = start_server(self);
	assert_int_equal(tide_target_open(&self->target, self->child.pid, &self->err), 0);
	do {
		descriptors = fail_nth_descriptors();
		fail_nth_arm(++nth, EIO);
		be_served(self, nth);
		if (fail_nth_descriptors() != descriptors)
			fail_msg("a descriptor leaks when call %u (%s) fails", nth, fail_nth_name());
	} while (fail_nth_disarm());
	printf("of %u calls each failed\n", nth - 1);
	assert_true(nth > 10);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* A guest that asks for two epochs, and is content with whatever it gets. */
static pid_t start_guest(struct watched *self)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct tide_watch *watch;
		struct tide_run runs[8];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (tide_watch_open(&watch, self->target, &shared, &self->err) < 0)
			_exit(1);
		for (int i = 0; i < 2; i++)
			while (tide_watch_collect(watch, runs, 8, &self->err) > 0)
				;
		_exit(0);
	}
	return pid;
}

static void serve_until(struct watched *self, pid_t guest)
{
	struct pollfd fd = { .fd = tide_watch_fd(self->watch), .events = POLLIN };

	for (int ms = 0; waitpid(guest, NULL, WNOHANG) != guest; ms++) {
		assert_true(ms < LONG_MS);
		if (fd.fd < 0)
			break;
		if (poll(&fd, 1, 1) > 0)
			tide_watch_step(self->watch);
	}
}

static void E6_who_serves_loses_no_write_when_a_call_fails(void **state)
{
	struct watched *self = *state;
	unsigned nth = 0;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	watched_open(self, NULL);
	if (tide_watch_serve(self->watch, &self->err) < 0)
		fail_msg("%s", self->err.text);
	do {
		unsigned descriptors = fail_nth_descriptors();
		pid_t guest = start_guest(self);
		struct tide_run runs[8];
		long nr;

		touch(self, nth % 400, 3, (long)(nth % 200));
		fail_nth_arm(++nth, EIO);
		serve_until(self, guest);
		touch(self, nth % 400, 3, (long)(nth % 200));
		do {
			nr = tide_watch_collect(self->watch, runs, 8, &self->err);
			if (nr > 0)
				watched_take(self, runs, nr);
			else if (nr < 0)
				sound(&self->err, nth);
		} while (nr != 0);
		tide_watch_step(self->watch);
		tide_watch_step(self->watch);
		watched_compare(self);
		if (fail_nth_descriptors() != descriptors)
			fail_msg("a descriptor leaks when call %u (%s) fails", nth, fail_nth_name());
	} while (fail_nth_disarm());
	printf("of %u calls each failed\n", nth - 1);
	assert_true(nth > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(E6_who_is_served_says_what_failed),
		WATCHED_TEST(E6_who_serves_loses_no_write_when_a_call_fails),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("fault-shared", tests, NULL, NULL);
}
