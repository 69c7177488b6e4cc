/* SPDX-License-Identifier: MIT */
/* This file tests what the rwp sensor says of another process's sampled pages: all of it exact, nothing tolerated. */
#include "tracked-life.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* File systems of our own, seen by this test alone. */
static const char ram_dir[] = "/tmp/rwp-ram";
static const char huge_dir[] = "/tmp/rwp-huge";

static bool mount_own(const char *dir, const char *type, const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	mkdir(dir, 0700);
	return mount("none", dir, type, 0, options) == 0;
}

static const struct use touching = { .errand = TOUCH };
static const struct use kernel_touching = { .errand = READ_FILE };

static void A1_what_was_touched_is_accessed_and_what_was_not_is_idle(void **unused)
{
	static struct fixture fix;

	(void)unused;
	begin(&fix, AREA_PRIVATE, NULL);
	alternate(&fix, &touching);
	target_end(&fix);
}

static void accesses_by_the_kernel_count(void **unused)
{
	static struct fixture fix;

	(void)unused;
	begin(&fix, AREA_PRIVATE, NULL);
	alternate(&fix, &kernel_touching);
	target_end(&fix);
}

static void A8_shared_memory_is_seen_and_no_page_comes_with_a_neighbour(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_SHARED, NULL);
	sensor_open(&fix);
	aim(&fix, 4);
	prepare(&fix);
	run_errand(&fix, TOUCH, 0, NR, 8);
	check(&fix);
	for (size_t i = 0; i < CHECKS; i++)
		assert_int_equal(fix.checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
	assert_int_equal(smaps(&fix, "Rss"), NR / 8 * PAGE);
	alternate(&fix, &touching);
	target_end(&fix);
}

static void A4_huge_pages_answer_whole_and_are_never_split(void **unused)
{
	static struct fixture fix;
	size_t huge_bytes;

	(void)unused;
	target_start(&fix, AREA_HUGE, NULL);
	huge_bytes = smaps(&fix, "AnonHugePages");
	if (huge_bytes != AREA) {
		target_end(&fix);
		fprintf(stderr, "no huge pages to be had\n");
		skip();
	}
	sensor_open(&fix);
	aim(&fix, 4); /* 128 checks in each */
	for (int round = 0; round < 3; round++) {
		prepare(&fix);
		run_errand(&fix, TOUCH, 123, 1, 1);
		run_errand(&fix, TOUCH, 1024 + 7, 2, 1);
		check(&fix);
		for (size_t i = 0; i < CHECKS; i++) {
			assert_int_equal(fix.checks[i].answer,
			                 i / 128 % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
			assert_int_equal(fix.checks[i].page_start, AREA_AT + i / 128 * HUGE);
			assert_int_equal(fix.checks[i].page_end - fix.checks[i].page_start, HUGE);
		}
	}
	pass(&fix, true);
	pass(&fix, true);
	assert_int_equal(fix.nr_huge, 4);
	sensor_close(&fix);
	assert_int_equal(smaps(&fix, "AnonHugePages"), huge_bytes);
	run_errand(&fix, CHECK, 0, 0, 0);
	target_end(&fix);
}

static void A8_hugetlb_is_seen(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_HUGETLB, NULL);
	if (!fix.script->is_there) {
		target_end(&fix);
		fprintf(stderr, "no hugetlb pages are reserved here\n");
		skip();
	}
	sensor_open(&fix);
	aim(&fix, 4);
	prepare(&fix);
	run_errand(&fix, TOUCH, 512, 1, 1);
	check(&fix);
	for (size_t i = 0; i < CHECKS; i++) {
		assert_int_equal(fix.checks[i].answer, i / 128 == 1 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
		assert_int_equal(fix.checks[i].page_end - fix.checks[i].page_start, HUGE);
	}
	pass(&fix, true);
	run_errand(&fix, TOUCH, 1024, 1, 1);
	pass(&fix, false);
	for (size_t i = 0; i < NR; i++)
		assert_int_equal(fix.young[i], i / 512 == 2);
	target_end(&fix);
}

/* Of such an area nothing is claimed, and nothing of it is changed. */
static void assert_unseen(enum area area, const char *path)
{
	static struct fixture fix;
	size_t rss;

	target_start(&fix, area, path);
	assert_true(fix.script->is_there);
	rss = smaps(&fix, "Rss");
	assert_int_equal(rss, AREA);
	sensor_open(&fix);
	aim(&fix, 4);
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNTRACKED), CHECKS);
	pass(&fix, true);
	for (size_t i = 0; i < NR; i++) {
		assert_int_equal(fix.present[i], 1);
		assert_int_equal(fix.young[i], 0);
		assert_int_equal(fix.reason[i], TIDE_REASON_UNTRACKED);
	}
	assert_int_equal(smaps(&fix, "Rss"), rss);
	target_end(&fix);
}

static void A8_mappings_of_files_are_unobservable(void **unused)
{
	char path[64];

	(void)unused;
	if (!mount_own(ram_dir, "ramfs", NULL)) {
		fprintf(stderr, "no file system of our own to be had\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/area", ram_dir);
	assert_unseen(AREA_RAMFS, path);
	umount(ram_dir);
	rmdir(ram_dir);
}

static void A8_huge_pages_of_shared_memory_are_left_alone(void **unused)
{
	static struct fixture fix;
	char path[64];
	bool is_huge;

	(void)unused;
	if (!mount_own(huge_dir, "tmpfs", "huge=always")) {
		fprintf(stderr, "no file system of our own to be had\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/area", huge_dir);
	target_start(&fix, AREA_SHARED_HUGE, path);
	is_huge = smaps(&fix, "ShmemPmdMapped") == AREA;
	target_end(&fix);
	if (is_huge)
		assert_unseen(AREA_SHARED_HUGE, path);
	umount(huge_dir);
	rmdir(huge_dir);
	if (!is_huge) {
		fprintf(stderr, "no huge pages of shared memory to be had\n");
		skip();
	}
}

static void A8_memory_that_may_not_be_accessed_is_not_called_idle(void **unused)
{
	(void)unused;
	assert_unseen(AREA_NONE, NULL);
}

static void what_is_freed_is_not_called_idle(void **unused)
{
	(void)unused;
	life_freed();
}

static void what_appears_was_accessed(void **unused)
{
	static struct fixture fix;

	(void)unused;
	target_start(&fix, AREA_PRIVATE, NULL);
	sensor_open(&fix);
	fix.script->at = OTHER_AT;
	aim(&fix, 4);
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS);
	assert_int_equal(fix.checks[0].page_end, 0);
	run_errand(&fix, NEW, 0, 0, 0);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE), CHECKS);
	/* Until an update registers it, it cannot be protected. */
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), 0);
	update(&fix);
	alternate(&fix, &touching);
	target_end(&fix);
}

static void what_takes_the_place_of_a_mapping_is_not_taken_for_it(void **unused)
{
	(void)unused;
	life_replaced(&touching);
}

static void a_mapping_that_moves_is_followed(void **unused)
{
	(void)unused;
	life_moved(&touching);
}

static void what_a_child_of_the_target_does_is_not_the_targets(void **unused)
{
	(void)unused;
	life_forked(&touching);
}

static void A6_a_target_that_exits_is_gone(void **unused)
{
	(void)unused;
	life_gone(EXIT);
}

static void A6_a_target_that_executes_another_program_is_gone(void **unused)
{
	(void)unused;
	life_gone(EXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(A1_what_was_touched_is_accessed_and_what_was_not_is_idle, end_last_target),
		cmocka_unit_test_teardown(accesses_by_the_kernel_count, end_last_target),
		cmocka_unit_test_teardown(A8_shared_memory_is_seen_and_no_page_comes_with_a_neighbour, end_last_target),
		cmocka_unit_test_teardown(A4_huge_pages_answer_whole_and_are_never_split, end_last_target),
		cmocka_unit_test_teardown(A8_hugetlb_is_seen, end_last_target),
		cmocka_unit_test_teardown(A8_mappings_of_files_are_unobservable, end_last_target),
		cmocka_unit_test_teardown(A8_huge_pages_of_shared_memory_are_left_alone, end_last_target),
		cmocka_unit_test_teardown(A8_memory_that_may_not_be_accessed_is_not_called_idle, end_last_target),
		cmocka_unit_test_teardown(what_is_freed_is_not_called_idle, end_last_target),
		cmocka_unit_test_teardown(what_appears_was_accessed, end_last_target),
		cmocka_unit_test_teardown(what_takes_the_place_of_a_mapping_is_not_taken_for_it, end_last_target),
		cmocka_unit_test_teardown(a_mapping_that_moves_is_followed, end_last_target),
		cmocka_unit_test_teardown(what_a_child_of_the_target_does_is_not_the_targets, end_last_target),
		cmocka_unit_test_teardown(A6_a_target_that_exits_is_gone, end_last_target),
		cmocka_unit_test_teardown(A6_a_target_that_executes_another_program_is_gone, end_last_target),
	};
	int lacking = need_sensor("rwp");

	return lacking != 0 ? lacking : cmocka_run_group_tests(tests, NULL, NULL);
}
