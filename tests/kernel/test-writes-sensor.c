/* SPDX-License-Identifier: MIT */
/* This file tests what the writes sensor says of another process's sampled pages: all of it exact, nothing tolerated.
 */
#include "tracked-life.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct use writing = { .errand = WRITE, .reads_others = true };
static const struct use kernel_writing = { .errand = READ_FILE, .reads_others = true };

static void B1_what_was_written_is_told_from_what_was_read(void **unused)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	alternate(&fix, &writing);
	target_end(&fix);
}

static void B1_writes_by_the_kernel_count(void **unused)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	alternate(&fix, &kernel_writing);
	target_end(&fix);
}

/* A page of a file that is not mapped yet comes by reading and by writing alike. */
static void B1_shared_memory_is_told_as_far_as_it_is_mapped(void **unused)
{
	static struct fixture fix;

	begin(&fix, AREA_SHARED, NULL);
	prepare(&fix);
	run_errand(&fix, WRITE, 0, NR, 8);
	run_errand(&fix, READ, 4, NR - 4, 8);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FRESH), CHECKS);
	alternate(&fix, &writing);
	target_end(&fix);
}

/* The zero page is what reading brings. */
static void what_appears_is_written_and_the_zero_page_is_not(void **unused)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	run_errand(&fix, DROP, 0, NR, 1);
	for (int round = 0; round < 2; round++) {
		prepare(&fix);
		if (round == 0)
			check(&fix);
		assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), round == 0 ? CHECKS : CHECKS / 2);
		run_errand(&fix, READ, 4, NR - 4, 8);
		run_errand(&fix, WRITE, 0, NR, 8);
		check(&fix);
		for (size_t i = 0; i < CHECKS; i++)
			assert_int_equal(fix.checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
	}
	target_end(&fix);
}

/* Their first write would split them. */
static void huge_pages_are_left_alone_and_unobservable(void **unused)
{
	static struct fixture fix;
	size_t huge_bytes;

	target_start(&fix, AREA_HUGE, NULL);
	huge_bytes = smaps(&fix, "AnonHugePages");
	if (huge_bytes != AREA) {
		target_end(&fix);
		fprintf(stderr, "no huge pages to be had\n");
		skip();
	}
	sensor_open(&fix);
	aim(&fix, 4);
	for (int round = 0; round < 3; round++) {
		prepare(&fix);
		run_errand(&fix, WRITE, 0, NR, 4);
		check(&fix);
		assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_HUGE), CHECKS);
		assert_int_equal(smaps(&fix, "AnonHugePages"), huge_bytes);
	}
	sensor_close(&fix);
	run_errand(&fix, WRITE, 0, NR, 1);
	assert_int_equal(smaps(&fix, "AnonHugePages"), huge_bytes);
	run_errand(&fix, CHECK, 0, 0, 0);
	target_end(&fix);
}

static void B3_hugetlb_is_told_by_whole_pages(void **unused)
{
	static struct fixture fix;

	target_start(&fix, AREA_HUGETLB, NULL);
	if (!fix.script->is_there) {
		target_end(&fix);
		fprintf(stderr, "no hugetlb pages are reserved here\n");
		skip();
	}
	sensor_open(&fix);
	aim(&fix, 4);
	for (int round = 0; round < 3; round++) {
		prepare(&fix);
		run_errand(&fix, WRITE, 512, 1, 1);
		run_errand(&fix, READ, 0, NR, 1);
		check(&fix);
		for (size_t i = 0; i < CHECKS; i++) {
			assert_int_equal(fix.checks[i].answer, i / 128 == 1 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
			assert_int_equal(fix.checks[i].page_end - fix.checks[i].page_start, HUGE);
		}
	}
	target_end(&fix);
}

static void what_nobody_can_write_is_not_written(void **unused)
{
	static struct fixture fix;
	char path[] = "/tmp/tidemark-sealed-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && ftruncate(fd, AREA) == 0);
	begin(&fix, AREA_SEALED, path);
	assert_true(fix.script->is_there);
	prepare(&fix);
	run_errand(&fix, READ, 0, NR, 1);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS);
	target_end(&fix);
	unlink(path);
	close(fd);
}

static void memory_that_may_not_be_accessed_is_not_written(void **unused)
{
	static struct fixture fix;

	begin(&fix, AREA_NONE, NULL);
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS);
	target_end(&fix);
}

static void what_is_freed_is_not_called_unwritten(void **unused)
{
	life_freed();
}

static void a_new_mapping_is_unobservable_until_the_next_update(void **unused)
{
	static struct fixture fix;

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
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNTRACKED), CHECKS);
	update(&fix);
	alternate(&fix, &writing);
	target_end(&fix);
}

static void what_takes_the_place_of_a_mapping_is_not_taken_for_it(void **unused)
{
	life_replaced(&writing);
}

static void a_mapping_that_moves_is_followed(void **unused)
{
	life_moved(&writing);
}

static void what_a_child_of_the_target_writes_is_not_the_targets(void **unused)
{
	life_forked(&writing);
}

static void the_target_is_left_as_it_was_found(void **unused)
{
	static struct fixture fix;
	char *before;
	char *after;
	long tables_kib;

	target_start(&fix, AREA_PRIVATE, NULL);
	before = maps_text(&fix);
	tables_kib = status_kib(&fix, "VmPTE");
	sensor_open(&fix);
	alternate(&fix, &writing);
	sensor_close(&fix);
	after = maps_text(&fix);
	assert_string_equal(before, after);
	assert_int_equal(status_kib(&fix, "VmPTE"), tables_kib);
	/* Nothing is protected any more: another one can begin. */
	sensor_open(&fix);
	alternate(&fix, &writing);
	target_end(&fix);
	free(before);
	free(after);
}

static void E6_a_target_that_uses_userfaultfd_is_refused(void **unused)
{
	static struct fixture fix;
	struct tide_error err = { 0 };
	void *state;

	target_start(&fix, AREA_PRIVATE, NULL);
	run_errand(&fix, OPEN_UFFD, 0, 0, 0);
	assert_int_equal(tide_sensor_choose(&fix.ops, "writes", &err), 0);
	state = calloc(1, fix.ops->state_size);
	assert_true(fix.ops->init(state, fix.target, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_BUSY);
	assert_non_null(strstr(err.text, "uses userfaultfd itself"));
	free(state);
	target_end(&fix);
}

static void A6_a_target_that_exits_is_gone(void **unused)
{
	life_gone(EXIT);
}

static void A6_a_target_that_executes_another_program_is_gone(void **unused)
{
	life_gone(EXEC);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_last_target)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(B1_what_was_written_is_told_from_what_was_read),
		TEST(B1_writes_by_the_kernel_count),
		TEST(B1_shared_memory_is_told_as_far_as_it_is_mapped),
		TEST(what_appears_is_written_and_the_zero_page_is_not),
		TEST(huge_pages_are_left_alone_and_unobservable),
		TEST(B3_hugetlb_is_told_by_whole_pages),
		TEST(what_nobody_can_write_is_not_written),
		TEST(memory_that_may_not_be_accessed_is_not_written),
		TEST(what_is_freed_is_not_called_unwritten),
		TEST(a_new_mapping_is_unobservable_until_the_next_update),
		TEST(what_takes_the_place_of_a_mapping_is_not_taken_for_it),
		TEST(a_mapping_that_moves_is_followed),
		TEST(what_a_child_of_the_target_writes_is_not_the_targets),
		TEST(the_target_is_left_as_it_was_found),
		TEST(E6_a_target_that_uses_userfaultfd_is_refused),
		TEST(A6_a_target_that_exits_is_gone),
		TEST(A6_a_target_that_executes_another_program_is_gone),
	};
	int lacking = need_sensor("writes");

	return lacking != 0 ? lacking : cmocka_run_group_tests_name("writes", tests, NULL, NULL);
}
