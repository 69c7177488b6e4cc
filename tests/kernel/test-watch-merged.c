/* SPDX-License-Identifier: MIT */
/*
 * This file tests what becomes of writes to pages that KSM merges. Its page takes the place of the target's, without
 * the mark that a tracker needs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kernel/sys.h"
#include "ksm-steps.h"
#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 4 << 20,
	NR = AREA / PAGE,
	MERGED = NR / 2, /* KSM may have the first half */
};

static void order(struct watched *self, long (*fn)(struct order *order), size_t page, size_t nr, long value)
{
	assert_int_equal(watched_order(self, fn, self->area + page * PAGE, nr * PAGE, value), 0);
}

/* All pages are alike, armed, and collected. */
static void begin(struct watched *self, const char *backend)
{
	struct tide_watch_opts opts = { .size = sizeof(opts), .backend = backend };

	if (need_backend(backend) != 0)
		skip();
	assert_true(ksm_steps_begin());
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	order(self, do_fill, 0, NR, 1);
	watched_open(self, &opts);
	assert_string_equal(tide_watch_backend(self->watch), backend);
	assert_int_equal(watched_collect(self), 0);
}

static void merge(struct watched *self)
{
	order(self, do_advise, 0, MERGED, MADV_MERGEABLE);
	ksm_steps_start();
	ksm_steps_await_merged(self->child.pid, MERGED - MERGED / 16);
}

static void take_apart(struct watched *self)
{
	order(self, do_advise, 0, MERGED, MADV_UNMERGEABLE);
}

/* All that is left to see afterwards is that KSM has been through its memory. */
static void merge_and_forget(struct watched *self)
{
	merge(self);
	take_apart(self);
	ksm_steps_await_forgotten(self->child.pid);
	ksm_steps_stop();
}

static int teardown(void **state)
{
	int result = watched_teardown(state);

	ksm_steps_end();
	return result;
}

static void C1_a_write_that_ksm_hides_from_soft_dirty_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self, "soft_dirty");
	order(self, do_touch, 20, 8, 7);
	assert_false(self->told.blind & TIDE_BLIND_MERGED);
	merge(self);
	watched_collect(self);
	assert_pages(self, 0, MERGED, TIDE_OVER);
	for (size_t page = 0; page < MERGED; page++)
		assert_int_equal(self->whys[page], TIDE_WHY_REFUSED);
}

static void C1_an_epoch_in_which_ksm_was_at_work_says_so(void **state)
{
	struct watched *self = *state;

	begin(self, "soft_dirty");
	merge_and_forget(self);
	watched_collect(self);
	assert_true(self->told.blind & TIDE_BLIND_MERGED);
	assert_string_equal(tide_blind_name(TIDE_BLIND_MERGED), "merged");
	watched_collect(self);
	assert_false(self->told.blind & TIDE_BLIND_MERGED);
}

/* What is written once the epoch is over is in the next; and a list is one again. */
static void expect_a_list(struct watched *self)
{
	ksm_steps_stop();
	watched_collect(self);
	assert_int_equal(watched_collect(self), 0);
	order(self, do_touch, 7, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 7, 8, TIDE_EXACT);
}

/* Of a page that has lost its mark, and no other part of what is listed. */
static void expect_a_write_to_be_listed(struct watched *self)
{
	order(self, do_touch, 5, 1, 2);
	watched_collect(self);
	assert_pages(self, 5, 6, TIDE_EXACT);
	assert_pages(self, MERGED, NR, NOT_WRITTEN);
	expect_a_list(self);
}

static void E2_a_write_to_what_ksm_took_apart_in_the_same_epoch_is_listed(void **state)
{
	struct watched *self = *state;

	begin(self, "uffd_log");
	merge(self);
	ksm_steps_stop(); /* it would forget, as below */
	take_apart(self);
	expect_a_write_to_be_listed(self);
}

/* Nothing says any more that there was something. */
static void E2_a_write_to_what_ksm_has_forgotten_since_is_listed(void **state)
{
	struct watched *self = *state;

	begin(self, "uffd_log");
	merge_and_forget(self);
	expect_a_write_to_be_listed(self);
}

/* An epoch that fails after KSM was asked: what it was to look at is not forgotten. */
static int fail_once(int fd, unsigned long request, void *arg)
{
	if (_IOC_TYPE(request) != 'f' || _IOC_NR(request) != 16) /* PAGEMAP_SCAN */
		return sys_table_linux.ioctl(fd, request, arg);
	sys_table = &sys_table_linux;
	errno = ENOMEM;
	return -1;
}

static void E2_a_look_that_fails_is_made_again(void **state)
{
	static struct sys_table failing;
	struct watched *self = *state;
	struct tide_run runs[64];

	begin(self, "uffd_log");
	merge_and_forget(self);
	failing = sys_table_linux;
	failing.ioctl = fail_once;
	sys_table = &failing;
	assert_int_equal(tide_watch_collect(self->watch, runs, 64, &self->err), -ENOMEM);
	assert_ptr_equal(sys_table, &sys_table_linux);
	expect_a_write_to_be_listed(self);
}

/* KSM rests, with nothing merged, as before: still mergeable, the pages are their process's own again. */
static void E2_a_write_to_what_ksm_took_apart_itself_is_listed(void **state)
{
	struct watched *self = *state;

	begin(self, "uffd_log");
	ksm_steps_undo();
	assert_int_equal(watched_collect(self), 0);
	merge(self);
	ksm_steps_undo();
	expect_a_write_to_be_listed(self);
}

static void E2_what_ksm_may_merge_is_not_listed(void **state)
{
	struct watched *self = *state;

	begin(self, "uffd_log");
	merge(self);
	watched_collect(self);
	assert_pages(self, 0, MERGED, TIDE_OVER);
	assert_pages(self, MERGED, NR, NOT_WRITTEN);
	order(self, do_touch, 5, 1, 2);
	order(self, do_touch, MERGED + 5, 1, 2);
	watched_collect(self);
	assert_pages(self, 5, 6, TIDE_EXACT);
	assert_pages(self, MERGED + 5, MERGED + 6, TIDE_EXACT);
	take_apart(self);
	order(self, do_touch, 6, 1, 3);
	expect_a_list(self);
}

#define MERGED_TEST(name) cmocka_unit_test_setup_teardown(name, watched_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MERGED_TEST(C1_a_write_that_ksm_hides_from_soft_dirty_is_reported),
		MERGED_TEST(C1_an_epoch_in_which_ksm_was_at_work_says_so),
		MERGED_TEST(E2_a_write_to_what_ksm_took_apart_in_the_same_epoch_is_listed),
		MERGED_TEST(E2_a_write_to_what_ksm_has_forgotten_since_is_listed),
		MERGED_TEST(E2_a_look_that_fails_is_made_again),
		MERGED_TEST(E2_a_write_to_what_ksm_took_apart_itself_is_listed),
		MERGED_TEST(E2_what_ksm_may_merge_is_not_listed),
	};

	if (!ksm_steps_begin())
		return 77;
	ksm_steps_end();
	return cmocka_run_group_tests_name("watch-merged", tests, NULL, NULL);
}
