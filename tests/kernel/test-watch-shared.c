/* SPDX-License-Identifier: MIT */
/* This file tests several consumers of one watch, in one process and in others. */
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

#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 8 << 20,
	NR = AREA / PAGE,
	NR_CONSUMERS = 3,
	ROUNDS = 60,
	LONG_MS = 20000,
};

/* What one of several knows of the area: made of nothing but what it was told. */
struct view {
	struct tide_consumer *consumer; /* NULL: the watch's own */
	unsigned char *copy;
	uint64_t bytes; /* told in its last epoch */
	unsigned period;
};

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	assert_int_equal(watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value), 0);
}

static void begin(struct watched *self)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	watched_open(self, NULL);
}

static void read_run(struct watched *self, struct view *view, const struct tide_run *run)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area, end = start + AREA;
	uint64_t from = run->start > start ? run->start : start, to = run->end < end ? run->end : end;

	if (from >= to)
		return;
	assert_int_equal(pread(self->mem, view->copy + (from - start), to - from, (off_t)from), to - from);
	view->bytes += to - from;
}

static long some(struct watched *self, struct view *view)
{
	struct tide_run runs[8];
	long nr = view->consumer != NULL ? tide_consumer_collect(view->consumer, runs, 8, &self->err)
	                                 : tide_watch_collect(self->watch, runs, 8, &self->err);

	if (nr < 0)
		fail_msg("%s", self->err.text);
	for (long i = 0; i < nr; i++)
		read_run(self, view, &runs[i]);
	return nr;
}

static void compare(struct watched *self, const struct view *view)
{
	static unsigned char now[AREA];

	assert_int_equal(pread(self->mem, now, AREA, (off_t)(uintptr_t)self->area), AREA);
	for (size_t page = 0; page < NR; page++)
		if (memcmp(now + page * PAGE, view->copy + page * PAGE, PAGE) != 0)
			fail_msg("a consumer of period %u has lost a write to page %zu", view->period, page);
}

static uint64_t collect(struct watched *self, struct view *view)
{
	view->bytes = 0;
	while (some(self, view) > 0)
		;
	compare(self, view);
	return view->bytes;
}

static void open_view(struct watched *self, struct view *view, unsigned period)
{
	*view = (struct view){ .copy = malloc(AREA), .period = period };
	assert_non_null(view->copy);
	if (period > 1 && tide_consumer_open(&view->consumer, self->watch, &self->err) < 0)
		fail_msg("%s", self->err.text);
	assert_int_equal(pread(self->mem, view->copy, AREA, (off_t)(uintptr_t)self->area), AREA);
}

static void close_view(struct view *view)
{
	tide_consumer_close(view->consumer);
	free(view->copy);
}

/* Each writes pages of its own in each round, and a consumer's epoch has those of all rounds since its last. */
static void E6_consumers_with_different_periods_get_exactly_their_writes(void **state)
{
	static const unsigned periods[NR_CONSUMERS] = { 1, 3, 7 };
	struct watched *self = *state;
	struct view views[NR_CONSUMERS];
	struct tide_epoch epoch;

	begin(self);
	for (size_t i = 0; i < NR_CONSUMERS; i++)
		open_view(self, &views[i], periods[i]);
	for (size_t i = 0; i < NR_CONSUMERS; i++)
		assert_int_equal(collect(self, &views[i]), 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		touch(self, round * 11, 3, round);
		for (size_t i = 0; i < NR_CONSUMERS; i++)
			if (round % periods[i] == 0)
				assert_int_equal(collect(self, &views[i]), 3 * periods[i] * PAGE);
	}
	tide_consumer_epoch(views[1].consumer, &epoch);
	assert_int_equal(epoch.number, 1 + ROUNDS / 3);
	assert_int_equal(epoch.written_bytes >= 9 * PAGE, 1);
	tide_watch_epoch(self->watch, &epoch);
	assert_int_equal(epoch.number, 1 + ROUNDS);
	for (size_t i = 0; i < NR_CONSUMERS; i++)
		close_view(&views[i]);
}

/* One comes and goes while another is in the middle of an epoch. */
static void E6_a_consumer_that_comes_or_goes_costs_the_others_no_write(void **state)
{
	struct watched *self = *state;
	struct view own, other;

	begin(self);
	open_view(self, &own, 1);
	for (unsigned round = 0; round < 6; round++) {
		for (size_t page = 0; page < 40; page += 2)
			touch(self, 100 * round + page, 1, 2 + round);
		own.bytes = 0;
		assert_int_equal(some(self, &own), 8);
		open_view(self, &other, 2);
		touch(self, 100 * round + 60, 2, 3 + round);
		if (round % 2 == 0)
			assert_int_equal(collect(self, &other), 2 * PAGE);
		while (some(self, &own) > 0)
			;
		assert_true(own.bytes >= 20 * PAGE);
		touch(self, 100 * round + 70, 1, 3 + round);
		if (round % 3 == 0)
			close_view(&other);
		collect(self, &own);
		if (round % 3 != 0) {
			collect(self, &other);
			close_view(&other);
		}
		assert_int_equal(collect(self, &own), 0);
	}
	free(own.copy);
}

static void E6_what_others_collected_is_torn_in_a_copy(void **state)
{
	struct watched *self = *state;
	uint64_t start;
	unsigned char contents[PAGE], certainty = TIDE_EXACT;
	struct view own, other;

	begin(self);
	start = (uint64_t)(uintptr_t)self->area + 5 * PAGE;
	open_view(self, &own, 1);
	open_view(self, &other, 2);
	touch(self, 5, 1, 2);
	collect(self, &other);
	assert_int_equal(tide_watch_copy(self->watch, start, start + PAGE, contents, &certainty, &self->err), 0);
	assert_int_equal(certainty, TIDE_TORN);
	collect(self, &own);
	assert_int_equal(tide_watch_copy(self->watch, start, start + PAGE, contents, &certainty, &self->err), 0);
	assert_int_equal(certainty, TIDE_EXACT);
	close_view(&other);
	free(own.copy);
}

/* A process that asks to share: says how much of the area it was told in each epoch it was asked for. */
struct guest {
	pid_t pid;
	int order;
	int answer;
};

enum { NOT_SERVED = 1, SERVED = 2 };

static void live_as_guest(const struct watched *self, int order, int answer, uid_t uid)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area, first;
	struct tide_watch_opts opts = { .size = sizeof(opts), .shared = 1 };
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_error err = { 0 };
	struct tide_run runs[64];
	char byte;

	if ((uid != 0 && setresuid(uid, uid, uid) < 0) || tide_target_open(&target, self->child.pid, &err) < 0)
		_exit(3);
	first = tide_watch_open(&watch, target, &opts, &err) < 0 ? NOT_SERVED : SERVED;
	if (first == SERVED && tide_watch_holder(watch) != getppid())
		_exit(5);
	if (write(answer, &first, sizeof(first)) != sizeof(first))
		_exit(4);
	while (read(order, &byte, 1) == 1 && byte == 'x') {
		uint64_t bytes = 0;
		long nr;

		while ((nr = tide_watch_collect(watch, runs, 64, &err)) > 0)
			for (long i = 0; i < nr; i++)
				if (runs[i].start >= start && runs[i].end <= start + AREA)
					bytes += runs[i].end - runs[i].start;
		bytes = nr < 0 ? (uint64_t)nr : bytes;
		if (write(answer, &bytes, sizeof(bytes)) != sizeof(bytes))
			_exit(4);
	}
	tide_watch_close(watch);
	_exit(0);
}

/* What it says, served by us meanwhile. */
static uint64_t answer_of(struct watched *self, const struct guest *guest)
{
	struct pollfd fds[2] = { { .fd = guest->answer, .events = POLLIN }, { .events = POLLIN } };
	uint64_t bytes = 0;

	fds[1].fd = self->watch != NULL ? tide_watch_fd(self->watch) : -1;
	do {
		assert_true(poll(fds, 2, LONG_MS) > 0);
		if (fds[1].revents != 0)
			tide_watch_step(self->watch);
	} while (fds[0].revents == 0);
	assert_int_equal(read(guest->answer, &bytes, sizeof(bytes)), sizeof(bytes));
	return bytes;
}

static uint64_t ask(struct watched *self, const struct guest *guest)
{
	assert_int_equal(write(guest->order, "x", 1), 1);
	return answer_of(self, guest);
}

static uint64_t invite(struct watched *self, struct guest *guest, uid_t uid)
{
	int order[2], answer[2];

	assert_int_equal(pipe(order), 0);
	assert_int_equal(pipe(answer), 0);
	guest->pid = fork();
	assert_true(guest->pid >= 0);
	if (guest->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(order[1]);
		live_as_guest(self, order[0], answer[1], uid);
	}
	close(order[0]);
	close(answer[1]);
	guest->order = order[1];
	guest->answer = answer[0];
	return answer_of(self, guest);
}

static int see_off(struct guest *guest)
{
	int status = -1;

	signal(SIGPIPE, SIG_IGN); /* it may have been killed */
	assert_true(write(guest->order, "q", 1) >= -1);
	close(guest->order);
	assert_int_equal(waitpid(guest->pid, &status, 0), guest->pid);
	close(guest->answer);
	return status;
}

static void serve(struct watched *self)
{
	if (tide_watch_serve(self->watch, &self->err) < 0)
		fail_msg("%s", self->err.text);
}

static void E6_another_process_is_served(void **state)
{
	struct watched *self = *state;
	struct guest one, two;

	begin(self);
	serve(self);
	assert_int_equal(invite(self, &one, 0), SERVED);
	assert_int_equal(invite(self, &two, 0), SERVED);
	touch(self, 7, 4, 2);
	assert_int_equal(ask(self, &one), 4 * PAGE);
	assert_int_equal(ask(self, &one), 0);
	touch(self, 9, 10, 2);
	assert_int_equal(watched_collect(self), 12 * PAGE);
	assert_int_equal(ask(self, &two), 12 * PAGE);
	assert_int_equal(ask(self, &one), 10 * PAGE);
	assert_int_equal(see_off(&one), 0);
	/* One that is gone, or killed, is no burden. */
	touch(self, 1, 1, 2);
	assert_int_equal(kill(two.pid, SIGKILL), 0);
	see_off(&two);
	tide_watch_step(self->watch);
	assert_int_equal(watched_collect(self), PAGE);
}

/* More runs than one answer has room for. */
static void E6_long_epochs_are_served_whole(void **state)
{
	struct watched *self = *state;
	struct guest guest;

	begin(self);
	serve(self);
	assert_int_equal(invite(self, &guest, 0), SERVED);
	for (size_t page = 0; page < NR; page += 2)
		touch(self, page, 1, 2);
	assert_int_equal(ask(self, &guest), AREA / 2);
	assert_int_equal(ask(self, &guest), 0);
	assert_int_equal(see_off(&guest), 0);
}

static void E6_who_does_not_share_is_told_who_holds_the_process(void **state)
{
	struct watched *self = *state;
	struct tide_watch *watch;
	char number[16];

	begin(self);
	serve(self);
	assert_true(tide_watch_serve(self->watch, &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_BUSY);
	assert_true(tide_watch_open(&watch, self->target, NULL, &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_BUSY);
	snprintf(number, sizeof(number), "process %d,", getpid());
	if (strstr(self->err.text, number) == NULL)
		fail_msg("'%s' does not say that it is %s", self->err.text, number);
	/* In ranges of one's own, or by other means, nobody is served. */
	assert_true(tide_watch_open(&watch, self->target,
	                            &(struct tide_watch_opts){ .size = sizeof(struct tide_watch_opts),
	                                                       .shared = 1,
	                                                       .backend = "soft_dirty" },
	                            &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_BUSY);
	touch(self, 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

/* What is root's is root's: the other one's process is watched by root, which does not share with its owner. */
static void E6_another_user_is_not_served(void **state)
{
	struct watched *self = *state;
	struct guest guest;

	if (geteuid() != 0)
		skip();
	begin(self);
	serve(self);
	/* Somebody who may not even look at the process. */
	guest.pid = fork();
	if (guest.pid == 0) {
		struct tide_watch_opts opts = { .size = sizeof(opts), .shared = 1 };
		struct tide_target *target;
		struct tide_watch *watch;
		struct tide_error err = { 0 };

		if (tide_target_open(&target, self->child.pid, &err) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(3);
		_exit(tide_watch_open(&watch, target, &opts, &err) < 0 ? 0 : 1);
	}
	for (int i = 0; i < LONG_MS; i++) {
		int status;

		tide_watch_step(self->watch);
		if (waitpid(guest.pid, &status, WNOHANG) == guest.pid) {
			assert_int_equal(status, 0);
			break;
		}
		assert_true(i < LONG_MS - 1);
		usleep(1000);
	}
	touch(self, 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

static void E6_the_end_of_the_first_is_told_to_the_second(void **state)
{
	struct watched *self = *state;
	struct guest guest;

	begin(self);
	serve(self);
	assert_int_equal(invite(self, &guest, 0), SERVED);
	watched_close(self);
	assert_true((int64_t)ask(self, &guest) < 0);
	assert_int_equal(see_off(&guest), 0);
	/* Who comes now watches by itself. */
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
}

static void E6_a_served_process_can_be_watched_without_a_second_tracker_only(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = { .size = sizeof(opts), .shared = 1 };

	/* Nobody serves: to be ready to share is no obstacle. */
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	watched_open(self, &opts);
	assert_int_equal(tide_watch_holder(self->watch), 0);
	touch(self, 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(E6_consumers_with_different_periods_get_exactly_their_writes),
		WATCHED_TEST(E6_a_consumer_that_comes_or_goes_costs_the_others_no_write),
		WATCHED_TEST(E6_what_others_collected_is_torn_in_a_copy),
		WATCHED_TEST(E6_another_process_is_served),
		WATCHED_TEST(E6_long_epochs_are_served_whole),
		WATCHED_TEST(E6_who_does_not_share_is_told_who_holds_the_process),
		WATCHED_TEST(E6_another_user_is_not_served),
		WATCHED_TEST(E6_the_end_of_the_first_is_told_to_the_second),
		WATCHED_TEST(E6_a_served_process_can_be_watched_without_a_second_tracker_only),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-shared", tests, NULL, NULL);
}
