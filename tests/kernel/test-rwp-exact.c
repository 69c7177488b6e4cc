/* SPDX-License-Identifier: MIT */
/* This file tests the rwp sensor in exact mode, and what it leaves behind in its target: nothing. */
#include "tracked-steps.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/watch.h>

static void exactly_what_was_accessed_is_young(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++)
		assert_true(fix.present[i] == 1 && fix.young[i] == 1 && fix.reason[i] == TIDE_REASON_NONE);
	for (size_t step = 1; step < 1500; step = step * 3 + 1) {
		run_errand(&fix, TOUCH, 0, NR, step);
		pass(&fix, true);
		for (size_t i = 0; i < NR; i++)
			assert_true(fix.present[i] == 1 && fix.young[i] == (i % step == 0));
	}
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++)
		assert_int_equal(fix.young[i], 0);
	/* What is not forgotten stays. */
	run_errand(&fix, TOUCH, 5, 1, 1);
	pass(&fix, false);
	pass(&fix, false);
	for (size_t i = 0; i < NR; i++)
		assert_int_equal(fix.young[i], i == 5);
	run_errand(&fix, CHECK, 0, 0, 0);
	target_end(&fix);
}

static void what_was_replaced_is_not_called_idle(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	pass(&fix, true);
	run_errand(&fix, REPLACE, 0, 0, 0);
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++)
		assert_true(fix.present[i] == 1 && fix.reason[i] == TIDE_REASON_UNTRACKED);
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++)
		assert_true(fix.young[i] == 1 && fix.reason[i] == TIDE_REASON_NONE);
	target_end(&fix);
}

static void a_part_that_was_unmapped_is_not_there(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	pass(&fix, true);
	run_errand(&fix, UNMAP, 100, 50, 1);
	run_errand(&fix, TOUCH, 0, 3, 1);
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++) {
		assert_int_equal(fix.present[i], i < 100 || i >= 150);
		assert_int_equal(fix.young[i], i < 3);
	}
	target_end(&fix);
}

static void only_its_own_way_is_planned(void **unused)
{
	struct tide_pass plan = { .wanted = TIDE_WAY_RWP };
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	assert_int_equal(fix.ops->plan(fix.sensor, &plan, &fix.err), 0);
	plan.wanted = TIDE_WAY_COLD;
	assert_int_equal(fix.ops->plan(fix.sensor, &plan, &fix.err), -EOPNOTSUPP);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_UNSUPPORTED);
	target_end(&fix);
}

/* Its way is the best, so it is the first for exact mode, and only there. */
static void exact_mode_takes_it_first(void **unused)
{
	const struct tide_sensor_ops *ops;
	struct tide_error err = { 0 };

	(void)unused;
	assert_int_equal(tide_sensor_choose_exact(&ops, NULL, TIDE_WAY_AUTO, &err), 0);
	assert_string_equal(ops->name, "rwp");
	assert_int_equal(tide_sensor_choose_exact(&ops, NULL, TIDE_WAY_RWP, &err), 0);
	assert_string_equal(ops->name, "rwp");
	assert_int_equal(tide_sensor_choose_exact(&ops, "rwp", TIDE_WAY_COLD, &err), -EOPNOTSUPP);
	if (tide_sensor_choose_exact(&ops, NULL, TIDE_WAY_COLD, &err) == 0)
		assert_string_not_equal(ops->name, "rwp");
	if (tide_sensor_choose(&ops, "walk", &err) == 0) {
		assert_int_equal(tide_sensor_choose(&ops, NULL, &err), 0);
		assert_string_equal(ops->name, "walk");
	}
}

/* Where the kernel has not got it, the next best is taken; where nothing better works, it is taken by itself. */
static void the_next_best_is_taken(void **unused)
{
	const struct tide_sensor_ops *ops;
	struct tide_error err = { 0 };

	(void)unused;
	setenv("TIDEMARK_FAULT", "no-bpf", 1);
	assert_int_equal(tide_sensor_choose(&ops, NULL, &err), 0);
	assert_string_equal(ops->name, "rwp");
	assert_non_null(strstr(err.text, "sensor walk: "));
	setenv("TIDEMARK_FAULT", "no-uffd-rwp", 1);
	assert_true(tide_sensor_choose(&ops, "rwp", &err) < 0);
	assert_true(tide_sensor_choose_exact(&ops, NULL, TIDE_WAY_RWP, &err) < 0);
	assert_non_null(strstr(err.text, "Linux 7.3"));
	if (tide_sensor_choose_exact(&ops, NULL, TIDE_WAY_AUTO, &err) == 0)
		assert_string_not_equal(ops->name, "rwp");
	unsetenv("TIDEMARK_FAULT");
}

/* Protects all of it, by exact mode and by samples. */
static void protect_all(struct fixture *fix)
{
	pass(fix, true);
	aim(fix, 4);
	prepare(fix);
	check(fix);
}

static void the_target_is_left_as_it_was_found(void **unused)
{
	static struct fixture fix;
	char *before, *meanwhile, *after;
	long tables_kib;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	before = maps_text(&fix);
	tables_kib = status_kib(&fix, "VmPTE");
	sensor_open(&fix);
	meanwhile = maps_text(&fix);
	protect_all(&fix);
	assert_int_equal(status_kib(&fix, "VmPTE"), tables_kib);
	/* New neighbours of what is registered are mappings of their own, until they are registered, too. */
	run_errand(&fix, UNMAP, 100, 50, 1);
	pass(&fix, true);
	sensor_close(&fix);
	after = maps_text(&fix);
	assert_string_equal(before, meanwhile);
	assert_int_equal(strlen(after) - strlen(before), strcspn(strstr(before, "300000000000"), "\n") + 1);
	fix.script->from = 150; /* what is left of the area */
	run_errand(&fix, TOUCH, 0, 100, 1);
	run_errand(&fix, TOUCH, 150, NR - 150, 1);
	/* It may be tracked again, by anybody. */
	sensor_open(&fix);
	sensor_close(&fix);
	free(before);
	free(meanwhile);
	free(after);
	target_end(&fix);
}

static void a_target_that_uses_userfaultfd_is_refused(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	run_errand(&fix, OPEN_UFFD, 0, 0, 0);
	assert_int_equal(tide_sensor_choose(&fix.ops, "rwp", &fix.err), 0);
	fix.sensor = calloc(1, fix.ops->state_size);
	assert_true(fix.ops->init(fix.sensor, fix.target, &fix.err) < 0);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_BUSY);
	free(fix.sensor);
	fix.sensor = NULL;
	run_errand(&fix, CHECK, 0, 0, 0);
	target_end(&fix);
}

static void a_target_whose_writes_are_tracked_is_refused(void **unused)
{
	struct tide_target *target;
	struct tide_watch *watch;
	const struct tide_range *ranges;
	static struct fixture fix;
	size_t nr;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	assert_int_equal(tide_target_open(&target, fix.child.pid, &fix.err), 0);
	if (tide_watch_open(&watch, target, NULL, &fix.err) < 0)
		fail_msg("%s", fix.err.text);
	assert_int_equal(tide_sensor_choose(&fix.ops, "rwp", &fix.err), 0);
	fix.sensor = calloc(1, fix.ops->state_size);
	assert_int_equal(fix.ops->init(fix.sensor, fix.target, &fix.err), 0);
	assert_true(fix.ops->update(fix.sensor, &ranges, &nr, &fix.err) < 0);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_BUSY);
	sensor_close(&fix);
	tide_watch_close(watch);
	tide_target_close(target);
	sensor_open(&fix);
	run_errand(&fix, CHECK, 0, 0, 0);
	target_end(&fix);
}

/* The sensor in a process of its own, which is killed in the middle. */
static void the_target_goes_on_when_we_are_killed(void **unused)
{
	static struct fixture fix;
	char *before, *after;
	int ready[2];
	char byte;
	pid_t pid;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	before = maps_text(&fix);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		sensor_open(&fix);
		protect_all(&fix);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	run_errand(&fix, CHECK, 0, 0, 0);
	run_errand(&fix, TOUCH, 0, NR, 1);
	after = maps_text(&fix);
	assert_string_equal(before, after);
	/* Nothing is registered any more. */
	sensor_open(&fix);
	sensor_close(&fix);
	close(ready[0]);
	free(before);
	free(after);
	target_end(&fix);
}

static void what_it_cost_is_counted(void **unused)
{
	struct tide_sensor_cost cost;
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	fix.ops->cost(fix.sensor, &cost);
	assert_true(cost.stopped_ns > 0);
	assert_int_equal(cost.nr_cleared, 0);
	aim(&fix, 4);
	prepare(&fix);
	fix.ops->cost(fix.sensor, &cost);
	assert_int_equal(cost.nr_cleared, CHECKS);
	assert_int_equal(cost.nr_read, CHECKS);
	check(&fix);
	pass(&fix, false);
	fix.ops->cost(fix.sensor, &cost);
	assert_int_equal(cost.nr_read, 2 * CHECKS);
	assert_int_equal(cost.nr_scanned, NR);
	assert_int_equal(cost.ways, 1u << TIDE_WAY_RWP);
	assert_true(cost.longest_hold_ns > 0);
	target_end(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(exactly_what_was_accessed_is_young, end_last_target),
		cmocka_unit_test_teardown(what_was_replaced_is_not_called_idle, end_last_target),
		cmocka_unit_test_teardown(a_part_that_was_unmapped_is_not_there, end_last_target),
		cmocka_unit_test_teardown(only_its_own_way_is_planned, end_last_target),
		cmocka_unit_test_teardown(exact_mode_takes_it_first, end_last_target),
		cmocka_unit_test_teardown(the_next_best_is_taken, end_last_target),
		cmocka_unit_test_teardown(the_target_is_left_as_it_was_found, end_last_target),
		cmocka_unit_test_teardown(a_target_that_uses_userfaultfd_is_refused, end_last_target),
		cmocka_unit_test_teardown(a_target_whose_writes_are_tracked_is_refused, end_last_target),
		cmocka_unit_test_teardown(the_target_goes_on_when_we_are_killed, end_last_target),
		cmocka_unit_test_teardown(what_it_cost_is_counted, end_last_target),
	};
	int lacking = need_sensor("rwp");

	return lacking != 0 ? lacking : cmocka_run_group_tests(tests, NULL, NULL);
}
