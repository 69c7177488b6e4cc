/* SPDX-License-Identifier: MIT */
/* This file tests who may use the refs sensor on whom, when it is chosen, and that the program's width is all the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "refs-steps.h"

static const char *pause32; /* a 32-bit program; NULL: none could be built */

/* 0: an idle mapping is idle and a used one accessed. */
static int watch_its_child(void *unused)
{
	struct refs own = { 0 };

	(void)unused;
	refs_start(&own, AREA_PRIVATE);
	refs_prepare(&own);
	refs_check(&own);
	refs_assert(&own, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	refs_prepare(&own);
	refs_order(&own, DO_WRITE, 0, AREA_PAGES);
	refs_check(&own);
	refs_assert(&own, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	refs_end(&own);
	return 0;
}

static void A1_ones_own_processes_are_watched_without_privileges(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(child_as_nobody(watch_its_child, *state), 0);
}

static int watch_of_root(void *arg)
{
	struct refs *self = arg;
	struct tide_error err = { 0 };
	int result = refs_open(self, &err);

	if (result < 0 && err.cause == TIDE_CAUSE_DENIED && strstr(err.text, "run as root or as its user") != NULL)
		return 0;
	fprintf(stderr, "not denied, but %d '%s'\n", result, err.text);
	return 1;
}

static void a_process_of_another_user_is_denied(void **state)
{
	struct refs *self = *state;

	if (geteuid() != 0)
		skip();
	refs_start_child(self, AREA_PRIVATE);
	assert_int_equal(child_as_nobody(watch_of_root, self), 0);
}

/* It may be looked at, but its files in /proc are root's. */
static int watch_undumpable(void *unused)
{
	struct refs own = { 0 };
	struct tide_error err = { 0 };
	int result;

	(void)unused;
	refs_start_child(&own, AREA_PRIVATE);
	refs_order(&own, DO_HIDE, 0, 0);
	result = refs_open(&own, &err);
	refs_end(&own);
	return result < 0 && err.cause == TIDE_CAUSE_DENIED ? 0 : 1;
}

static void a_process_that_is_not_to_be_looked_at_is_denied(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(child_as_nobody(watch_undumpable, *state), 0);
}

static int choose_without_privileges(void *unused)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	(void)unused;
	/* Where the kernel protects against access, that would be better. */
	setenv("TIDEMARK_FAULT", "no-uffd-rwp", 1);
	if (tide_sensor_choose(&ops, NULL, &why) < 0 || strcmp(ops->name, "refs") != 0 ||
	    strstr(why.text, "sensor walk: ") == NULL || strstr(why.text, "CAP_") == NULL ||
	    strstr(why.text, ops->summary) == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	return 0;
}

static void without_privileges_it_is_the_best_and_the_reason_says_what_a_better_one_lacks(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(child_as_nobody(choose_without_privileges, *state), 0);
}

static void it_is_chosen_by_name_also_by_root(void **state)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	(void)state;
	assert_int_equal(tide_sensor_choose(&ops, "refs", &why), 0);
	assert_string_equal(ops->name, "refs");
	assert_non_null(strstr(why.text, "as asked for"));
	setenv("TIDEMARK_FAULT", "no-bpf,no-uffd-rwp", 1);
	assert_int_equal(tide_sensor_choose(&ops, NULL, &why), 0);
	assert_string_equal(ops->name, "refs");
	/* The reason of the first is the one to deal with. */
	setenv("TIDEMARK_FAULT", "no-bpf,no-uffd-rwp,no-clear-refs", 1);
	assert_true(tide_sensor_choose(&ops, NULL, &why) < 0);
	assert_non_null(strstr(why.text, "sensor walk: "));
	assert_true(tide_sensor_choose(&ops, "refs", &why) < 0);
	assert_non_null(strstr(why.text, "no-clear-refs"));
}

static int execute(int in, int out, void *path)
{
	dup2(in, 0);
	dup2(out, 1);
	execl(path, path, (char *)NULL);
	return 1;
}

static void a_32_bit_program_is_watched_like_any_other(void **state)
{
	struct refs *self = *state;
	const struct tide_range *ranges;
	struct tide_error err = { 0 };
	size_t nr;

	if (pause32 == NULL || access("/proc/sys/abi/vsyscall32", F_OK) != 0)
		skip();
	child_start(&self->child, execute, (void *)(uintptr_t)pause32);
	assert_int_equal(refs_open(self, &err), 0);
	assert_int_equal(tide_target_is_32bit(self->target), 1);
	assert_int_equal(self->ops->update(self->sensor, &ranges, &nr, &err), 0);
	assert_true(nr > 0 && ranges[nr - 1].end <= UINT64_C(1) << 32);
	for (size_t i = 0; i < nr; i++) {
		self->check.addr = ranges[i].start;
		refs_prepare(self);
		refs_check(self);
		assert_in_range(self->check.answer, TIDE_ANSWER_IDLE, TIDE_ANSWER_UNOBSERVABLE);
		assert_true(self->check.page_end == 0 ||
		            (self->check.page_start <= self->check.addr && self->check.addr < self->check.page_end));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, refs_setup, refs_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(A1_ones_own_processes_are_watched_without_privileges),
		TEST(a_process_of_another_user_is_denied),
		TEST(a_process_that_is_not_to_be_looked_at_is_denied),
		TEST(without_privileges_it_is_the_best_and_the_reason_says_what_a_better_one_lacks),
		TEST(it_is_chosen_by_name_also_by_root),
		TEST(a_32_bit_program_is_watched_like_any_other),
	};

	pause32 = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests_name("refs-others", tests, NULL, NULL);
}
