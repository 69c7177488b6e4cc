/* SPDX-License-Identifier: MIT */
/* This file tests who may watch whom, and what is said when one may not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 4 << 20,
};

static void begin(struct watched *self)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
}

/* Opening a watch fails, for this cause, with these words, and leaves nothing. */
static void assert_watch_refused(pid_t pid, enum tide_cause cause, const char *words)
{
	unsigned before = mappings_with_flag(pid, "uw");
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_error err = { 0 };

	assert_int_equal(tide_target_open(&target, pid, &err), 0);
	assert_true(tide_watch_open(&watch, target, NULL, &err) < 0);
	assert_null(watch);
	if (err.cause != cause || strstr(err.text, words) == NULL)
		fail_msg("'%s' (%s) does not say '%s'", err.text, tide_cause_name(err.cause), words);
	tide_target_close(target);
	assert_int_equal(mappings_with_flag(pid, "uw"), before);
}

static long do_userfaultfd(struct order *order)
{
	(void)order;
	return sys_userfaultfd(UFFD_USER_ONLY);
}

static long do_close(struct order *order)
{
	return close((int)order->value);
}

static void E6_a_process_that_uses_userfaultfd_is_busy(void **state)
{
	struct watched *self = *state;
	long fd;

	begin(self);
	fd = watched_order(self, do_userfaultfd, NULL, 0, 0);
	assert_true(fd >= 0);
	assert_watch_refused(self->child.pid, TIDE_CAUSE_BUSY, "userfaultfd");
	watched_order(self, do_close, NULL, 0, fd);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

static void E6_a_second_watch_is_busy_and_the_first_unharmed(void **state)
{
	struct watched *self = *state;

	begin(self);
	watched_open(self, NULL);
	for (int i = 0; i < 3; i++) {
		watched_order(self, do_touch, self->area + 4 * PAGE, 2 * PAGE, 2 + i);
		assert_watch_refused(self->child.pid, TIDE_CAUSE_BUSY, "one tracker only");
		watched_order(self, do_touch, self->area + 9 * PAGE, PAGE, 2 + i);
		assert_int_equal(watched_collect(self), 3 * PAGE);
		assert_pages(self, 4, 6, TIDE_EXACT);
		assert_pages(self, 9, 10, TIDE_EXACT);
	}
}

/* The first has only a part: what the second could get before it came to that part is given back. */
static void E6_a_second_watch_of_more_is_busy_too(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = { .size = sizeof(opts), .nr_ranges = 1 };
	struct tide_range range;

	begin(self);
	range = (struct tide_range){ (uint64_t)(uintptr_t)self->area, (uint64_t)(uintptr_t)self->area + AREA };
	opts.ranges = &range;
	watched_open(self, &opts);
	assert_watch_refused(self->child.pid, TIDE_CAUSE_BUSY, "one tracker only");
	watched_order(self, do_touch, self->area + 9 * PAGE, PAGE, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

static void C1_a_kernel_that_cannot_is_unsupported(void **state)
{
	struct watched *self = *state;

	begin(self);
	setenv("TIDEMARK_FAULT", "no-pagemap-scan,no-soft-dirty", 1);
	assert_watch_refused(self->child.pid, TIDE_CAUSE_UNSUPPORTED, "PAGEMAP_SCAN");
	unsetenv("TIDEMARK_FAULT");
}

static int watch_of_root(void *arg)
{
	struct watched *self = arg;
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_error err = { 0 };
	int result = tide_target_open(&target, self->child.pid, &err);

	if (result == 0)
		result = tide_watch_open(&watch, target, NULL, &err);
	tide_watch_close(watch);
	tide_target_close(target);
	if (result == 0 || err.cause != TIDE_CAUSE_DENIED)
		fprintf(stderr, "not denied, but %d '%s'\n", result, err.text);
	return result == 0 || err.cause != TIDE_CAUSE_DENIED;
}

static void C1_a_process_of_another_user_is_denied(void **state)
{
	struct watched *self = *state;

	if (geteuid() != 0)
		skip();
	begin(self);
	assert_int_equal(child_as_nobody(watch_of_root, self), 0);
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
}

/* 0: a write to page 5 is seen, and nothing else. */
static int see_one_write(pid_t pid, unsigned char *area, void (*write_it)(void *arg), void *arg)
{
	struct tide_range range = { (uint64_t)(uintptr_t)area, (uint64_t)(uintptr_t)area + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1 };
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_error err = { 0 };
	struct tide_run runs[8];
	long nr;

	if (tide_target_open(&target, pid, &err) < 0 || tide_watch_open(&watch, target, &opts, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	write_it(arg);
	nr = tide_watch_collect(watch, runs, 8, &err);
	tide_watch_close(watch);
	tide_target_close(target);
	return nr == 1 && runs[0].start == range.start + 5 * PAGE && runs[0].end == runs[0].start + PAGE &&
	                       runs[0].certainty == TIDE_EXACT
	               ? 0
	               : 2;
}

static void write_here(void *arg)
{
	struct watched *self = arg;

	self->area[5 * PAGE] = 7;
}

static void write_there(void *arg)
{
	struct watched *self = arg;

	watched_order(self, do_touch, self->area + 5 * PAGE, PAGE, 9);
}

static int watch_itself(void *arg)
{
	struct watched *self = arg;

	return see_one_write(getpid(), self->area, write_here, self);
}

static int watch_its_child(void *unused)
{
	unsigned char *area = area_map(AREA, MAP_PRIVATE);
	struct watched own = { 0 };
	int result;

	(void)unused;
	watched_start(&own, area, AREA);
	watched_order(&own, do_fill, area, AREA, 1);
	/* A descendant need not be allowed where the machine restricts tracing to them: it is one. */
	result = see_one_write(own.child.pid, area, write_there, &own);
	watched_end(&own);
	return result;
}

static void C1_ones_own_processes_are_watched_without_privileges(void **state)
{
	struct watched *self = *state;

	if (geteuid() != 0)
		skip();
	begin(self);
	memset(self->area, 1, AREA);
	assert_int_equal(child_as_nobody(watch_itself, self), 0);
	assert_int_equal(child_as_nobody(watch_its_child, self), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(E6_a_process_that_uses_userfaultfd_is_busy),
		WATCHED_TEST(E6_a_second_watch_is_busy_and_the_first_unharmed),
		WATCHED_TEST(E6_a_second_watch_of_more_is_busy_too),
		WATCHED_TEST(C1_a_kernel_that_cannot_is_unsupported),
		WATCHED_TEST(C1_a_process_of_another_user_is_denied),
		WATCHED_TEST(C1_ones_own_processes_are_watched_without_privileges),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-others", tests, NULL, NULL);
}
