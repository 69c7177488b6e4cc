/* SPDX-License-Identifier: MIT */
/* This file tests who may use the refs sensor on whom, when it is chosen, and that the program's width is all the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refs-steps.h"

#define NOBODY 65534

static const char *pause32; /* a 32-bit program; NULL: none could be built */

static bool become_nobody(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* Runs `fn` as another user, in a process of its own; it returns 0 when all is well. */
static void as_nobody(int (*fn)(struct refs *self), struct refs *self)
{
	pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Whoever changes user is not to be looked at, until it says so. */
		if (!become_nobody() || prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(100);
		_exit(fn(self));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* 0: an idle mapping is idle and a used one accessed. */
static int watch_its_child(struct refs *unused)
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
	as_nobody(watch_its_child, *state);
}

static int watch_of_root(struct refs *self)
{
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
	as_nobody(watch_of_root, self);
}

/* It may be looked at, but its files in /proc are root's. */
static int watch_undumpable(struct refs *unused)
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
	as_nobody(watch_undumpable, *state);
}

static int choose_without_privileges(struct refs *unused)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	(void)unused;
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
	as_nobody(choose_without_privileges, *state);
}

static void it_is_chosen_by_name_also_by_root(void **state)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	(void)state;
	assert_int_equal(tide_sensor_choose(&ops, "refs", &why), 0);
	assert_string_equal(ops->name, "refs");
	assert_non_null(strstr(why.text, "as asked for"));
	setenv("TIDEMARK_FAULT", "no-bpf", 1);
	assert_int_equal(tide_sensor_choose(&ops, NULL, &why), 0);
	assert_string_equal(ops->name, "refs");
	/* The reason of the first is the one to deal with. */
	setenv("TIDEMARK_FAULT", "no-bpf,no-clear-refs", 1);
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
