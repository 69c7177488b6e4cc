/* SPDX-License-Identifier: MIT */
/*
 * This file tests that DAMON is used only where nobody else does, and is given back whatever happens. It writes to
 * DAMON's files: in a virtual machine only.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "damon-steps.h"
#include "kernel/sys.h"
#include "need.h"
#include "sensor/way_damon.h"

#define MIB (1024ul * 1024)

static int idle(int in, int out, void *arg)
{
	child_serve(in, out);
	return 0;
}

/* Opens the way for a process. 0, or the error's cause. */
static int open_for(pid_t pid, struct tide_target **target, struct way_damon **way, struct tide_error *err)
{
	int result = tide_target_open(target, pid, err);

	if (result == 0) {
		result = way_damon_open(way, *target, err);
		if (result < 0)
			tide_target_close(*target);
	}
	return result < 0 ? (int)err->cause : 0;
}

static void assert_refused(const char *word)
{
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct way_damon *way;

	assert_int_equal(open_for(getpid(), &target, &way, &err), TIDE_CAUSE_BUSY);
	assert_non_null(strstr(err.text, word));
	err = (struct tide_error){ 0 };
	assert_int_equal(way_damon_probe(&err), 0);
	assert_non_null(strstr(err.text, word));
}

static void open_and_close(void)
{
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct way_damon *way;

	if (open_for(getpid(), &target, &way, &err) != 0)
		fail_msg("%s", err.text);
	way_damon_close(way);
	tide_target_close(target);
	damon_steps_assert_free();
}

static void a_module_of_damon_is_left_alone(void **state)
{
	if (access("/sys/module/damon_stat", F_OK) != 0)
		skip();
	damon_steps_stat_module(true);
	assert_int_equal(damon_steps_nr_kdamonds(), 1);
	assert_refused("module");
	assert_int_equal(damon_steps_nr_kdamonds(), 1);
	assert_true(damon_steps_stat_module(false));
	damon_steps_assert_free();
}

/* Somebody's settings, whether they run or not, and whatever our journal says. */
static void others(bool running, bool has_journal)
{
	char text[64];

	damon_steps_write("nr_kdamonds", "1");
	damon_steps_write("0/contexts/nr_contexts", "1");
	damon_steps_write("0/contexts/0/operations", "paddr");
	damon_steps_write("0/contexts/0/targets/nr_targets", "1");
	damon_steps_write("0/contexts/0/targets/0/regions/nr_regions", "1");
	damon_steps_write("0/contexts/0/targets/0/regions/0/start", "16777216");
	damon_steps_write("0/contexts/0/targets/0/regions/0/end", "33554432");
	if (running)
		damon_steps_write("0/state", "on");
	if (has_journal) {
		int fd = open("/run/tidemark/damon", O_WRONLY | O_CREAT, 0600);

		assert_int_equal(write(fd, "1 1\n", 4), 4);
		close(fd);
	}
	assert_refused("somebody");
	damon_steps_read("nr_kdamonds", text);
	assert_string_equal(text, "1");
	damon_steps_read("0/contexts/0/operations", text);
	assert_string_equal(text, "paddr");
	damon_steps_read("0/contexts/0/targets/0/regions/0/end", text);
	assert_string_equal(text, "33554432");
	damon_steps_read("0/state", text);
	assert_string_equal(text, running ? "on" : "off");
	if (running)
		damon_steps_write("0/state", "off");
	damon_steps_write("nr_kdamonds", "0");
	open_and_close();
}

static void somebody_elses_settings_are_left_alone(void **state)
{
	others(false, false);
	others(true, false);
	others(false, true);
	others(true, true);
}

static void of_two_of_ours_one_gets_it(void **state)
{
	struct child child;
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct way_damon *way;

	child_start(&child, idle, NULL);
	assert_int_equal(open_for(child.pid, &target, &way, &err), 0);
	assert_refused("another tidemark");
	way_damon_close(way);
	tide_target_close(target);
	child_end(&child);
	open_and_close();
}

/* While our kdamond is idle the kernel lets anybody replace it. */
static void what_was_taken_from_us_stays_with_the_taker(void **state)
{
	struct tide_range range = { 0x10000, 0x20000 };
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct way_damon *way;
	char text[64];

	assert_int_equal(open_for(getpid(), &target, &way, &err), 0);
	damon_steps_write("nr_kdamonds", "2");
	damon_steps_write("0/contexts/nr_contexts", "1");
	assert_int_equal(way_damon_clear(way, &range, 1, &err), -EBUSY);
	assert_non_null(strstr(err.text, "taken"));
	way_damon_close(way);
	tide_target_close(target);
	damon_steps_read("nr_kdamonds", text);
	assert_string_equal(text, "2");
	damon_steps_read("0/contexts/nr_contexts", text);
	assert_string_equal(text, "1");
	damon_steps_write("nr_kdamonds", "0");
	open_and_close();
}

/* The members of the table carry no argument of ours. */
static struct sys_table dying;
static unsigned nr_left;

static ssize_t pwrite_or_die(int fd, const void *buf, size_t size, off_t offset)
{
	if (nr_left-- == 1)
		kill(getpid(), SIGKILL);
	return sys_table_linux.pwrite(fd, buf, size, offset);
}

static ssize_t pwrite_or_fail(int fd, const void *buf, size_t size, off_t offset)
{
	if (nr_left-- != 1)
		return sys_table_linux.pwrite(fd, buf, size, offset);
	errno = EIO;
	return -1;
}

/* Claims, clears twice, gives back; with the `nth` write replaced. 0, or negative at the first thing that failed. */
static int use(pid_t pid, const struct tide_range *range, unsigned nth,
               ssize_t (*pwrite)(int fd, const void *buf, size_t size, off_t offset))
{
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct way_damon *way = NULL;
	int result;

	dying = sys_table_linux;
	dying.pwrite = pwrite;
	nr_left = nth;
	sys_table = &dying;
	result = tide_target_open(&target, pid, &err);
	if (result == 0) {
		result = way_damon_open(&way, target, &err);
		for (int i = 0; result == 0 && i < 2; i++)
			result = way_damon_clear(way, range, 1, &err);
		way_damon_close(way);
		tide_target_close(target);
	}
	sys_table = &sys_table_linux;
	return result;
}

/* The writes of `use`, each the last of a process. True: it made them all. */
static bool live_until(unsigned nth, const struct tide_range *range)
{
	int status;
	pid_t pid = fork();

	/* The test's own process is the target: one that ends would take its kdamond along. */
	if (pid == 0)
		_exit(use(getppid(), range, nth, pwrite_or_die) != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFEXITED(status);
}

static struct tide_range map_range(void)
{
	char *area = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	return (struct tide_range){ (uint64_t)(uintptr_t)area, (uint64_t)(uintptr_t)area + MIB };
}

static void what_the_killed_had_claimed_is_given_back_by_the_next(void **state)
{
	struct tide_range range = map_range();
	unsigned nr_running = 0;
	unsigned nth = 1;

	for (; !live_until(nth, &range); nth++) {
		nr_running += damon_steps_nr_kdamonds() > 0;
		open_and_close();
	}
	damon_steps_assert_free();
	print_message("killed before each of %u writes; DAMON was left running %u times\n", nth - 1, nr_running);
	assert_true(nth > 20);
	assert_true(nr_running > 0);
	munmap((void *)(uintptr_t)range.start, MIB);
}

static void a_write_that_fails_leaves_nothing_behind(void **state)
{
	struct tide_range range = map_range();
	unsigned nr_failed = 0;

	for (unsigned nth = 1;; nth++) {
		int result = use(getpid(), &range, nth, pwrite_or_fail);

		if (nr_left > 0 && nr_left <= nth)
			break;
		nr_failed += result < 0;
		open_and_close();
	}
	damon_steps_assert_free();
	print_message("%u failed writes were told\n", nr_failed);
	assert_true(nr_failed > 20);
	munmap((void *)(uintptr_t)range.start, MIB);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_of_damon_is_left_alone),
		cmocka_unit_test(somebody_elses_settings_are_left_alone),
		cmocka_unit_test(of_two_of_ours_one_gets_it),
		cmocka_unit_test(what_was_taken_from_us_stays_with_the_taker),
		cmocka_unit_test(what_the_killed_had_claimed_is_given_back_by_the_next),
		cmocka_unit_test(a_write_that_fails_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return damon_steps_main(run);
}
