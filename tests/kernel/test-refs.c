/* SPDX-License-Identifier: MIT */
/* This file tests the refs sensor on mappings of children that do as they are told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "refs-steps.h"

static void A1_what_was_not_used_is_idle_and_what_was_used_whole_is_accessed(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_int_equal(self->check.page_start, (uintptr_t)self->area);
	assert_int_equal(self->check.page_end, (uintptr_t)self->area + AREA_BYTES);
	refs_prepare(self);
	refs_order(self, DO_WRITE, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	refs_turn(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A8_what_was_used_in_part_is_not_guessed_at(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_order(self, DO_READ, 7, AREA_PAGES / 2);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
	refs_prepare(self);
	refs_order(self, DO_READ, 0, 1);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
}

static void nothing_is_mapped_where_nothing_is(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_order(self, DO_UNMAP, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_int_equal(self->check.page_end, 0);
}

/* Its pages are gone and nothing came in their place. */
static void an_empty_mapping_is_idle(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_PRIVATE);
	refs_order(self, DO_DROP, 0, AREA_PAGES);
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_int_equal(self->check.page_end, 0);
}

/* Reads of what was never written are served by the zero page, of which smaps says nothing. */
static void assert_zero_pages_are_unobservable(struct refs *self)
{
	refs_start(self, AREA_PRIVATE);
	refs_order(self, DO_DROP, 0, AREA_PAGES);
	refs_prepare(self);
	refs_order(self, DO_READ, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	/* Among pages that are counted and idle. */
	refs_order(self, DO_WRITE, 0, AREA_PAGES / 2);
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
}

static void A8_reads_of_the_zero_page_are_unobservable(void **state)
{
	assert_zero_pages_are_unobservable(*state);
}

static void A8_reads_of_the_zero_page_are_unobservable_without_pagemap_scan(void **state)
{
	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	assert_zero_pages_are_unobservable(*state);
}

static void shared_memory_is_judged_by_this_process_alone(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_SHARED);
	refs_prepare(self);
	/* We map it as well, and use all of it. */
	for (size_t i = 0; i < AREA_BYTES; i += PAGE)
		self->area[i]++;
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	refs_prepare(self);
	refs_order(self, DO_WRITE, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

/* The kernel maps the pages around a fault too, and they look accessed. */
static void A8_pages_of_a_file_that_came_with_a_neighbours_fault_are_no_accesses(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_FILE);
	refs_order(self, DO_DROP, 0, AREA_PAGES);
	refs_prepare(self);
	refs_order(self, DO_READ, 3, 1);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	/* All of it is mapped now: what is accessed is so by use. */
	refs_order(self, DO_READ, 0, AREA_PAGES);
	refs_check(self);
	refs_prepare(self);
	refs_order(self, DO_READ, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

/* vvar is the kernel's own memory, without struct pages as far as the process's tables tell. */
static void special_memory_is_unobservable(void **state)
{
	struct refs *self = *state;
	const struct tide_layout *layout;
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	assert_int_equal(tide_target_refresh(self->target, &layout, &err), 0);
	for (size_t i = 0; i < layout->nr_mappings; i++) {
		if (strcmp(layout->mappings[i].name, "[vvar]") != 0)
			continue;
		self->check.addr = layout->mappings[i].start;
		refs_prepare(self);
		refs_check(self);
		refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
		return;
	}
	skip();
}

static void hugetlb_memory_is_unobservable(void **state)
{
	struct refs *self = *state;
	void *huge = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (huge == MAP_FAILED)
		skip(); /* this machine has none set aside */
	*(volatile char *)huge = 1;
	refs_start(self, AREA_PRIVATE);
	self->check.addr = (uintptr_t)huge;
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_HUGETLB);
	munmap(huge, 2 << 20);
}

static void A8_memory_of_a_virtual_machine_is_never_idle(void **state)
{
	struct refs *self = *state;

	if (access("/dev/kvm", R_OK | W_OK) != 0)
		skip();
	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_order(self, DO_MACHINE, 0, 0);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
	refs_prepare(self);
	refs_order(self, DO_WRITE, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void A8_what_another_prepare_has_forgotten_is_not_called_idle(void **state)
{
	struct refs *self = *state;
	struct tide_check other = { 0 };
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	other.addr = self->check.addr;
	refs_prepare(self);
	refs_order(self, DO_WRITE, 0, AREA_PAGES);
	assert_int_equal(self->ops->prepare_access_checks(self->sensor, &other, 1, &err), 0);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void a_pass_is_one_stall_and_is_accounted_for(void **state)
{
	struct refs *self = *state;
	struct tide_sensor_cost cost;

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	for (int i = 0; i < 3; i++)
		refs_turn(self);
	refs_check(self);
	self->ops->cost(self->sensor, &cost);
	assert_int_equal(cost.nr_stalls, 4);
	assert_true(cost.longest_stall_ns > 0 && cost.longest_stall_ns <= cost.stall_ns);
	assert_true(cost.blind_ns >= cost.stall_ns);
	assert_true(cost.nr_scanned >= 5 * AREA_PAGES);
	assert_true(cost.longest_hold_ns > 0);
	assert_true(self->ops->flags & TIDE_SENSOR_WHOLE);
}

static void a_stall_that_is_too_long_is_refused_before_it_is_made(void **state)
{
	struct refs *self = *state;
	struct tide_sensor_cost cost;
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	assert_int_equal(self->ops->bound_stall(self->sensor, 100000, &err), 0);
	assert_true(self->ops->bound_stall(self->sensor, 20, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	assert_non_null(strstr(err.text, "--max-stall"));
	assert_true(self->ops->prepare_access_checks(self->sensor, &self->check, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	self->ops->cost(self->sensor, &cost);
	assert_int_equal(cost.nr_stalls, 0);
}

static void A6_a_target_that_exits_is_gone(void **state)
{
	struct refs *self = *state;
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	child_kill(&self->child);
	assert_true(self->ops->check_accesses(self->sensor, &self->check, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	err = (struct tide_error){ 0 };
	assert_true(self->ops->prepare_access_checks(self->sensor, &self->check, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_int_equal(self->ops->target_valid(self->sensor, &err), 0);
}

static void A6_a_target_that_executes_another_program_is_gone(void **state)
{
	struct refs *self = *state;
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_order(self, DO_EXEC, 0, 0);
	assert_true(self->ops->check_accesses(self->sensor, &self->check, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_non_null(strstr(err.text, "another program"));
	assert_true(self->ops->turn(self->sensor, &self->check, 1, &self->check, 1, &err) < 0);
}

/* Of a dead main thread clear_refs clears nothing, and says that it has. */
static void a_process_without_its_main_thread_is_watched_through_another(void **state)
{
	struct refs *self = *state;

	refs_start(self, AREA_PRIVATE);
	refs_prepare(self);
	refs_order(self, DO_LEADER_EXIT, 0, 0);
	refs_order(self, DO_WRITE, 0, AREA_PAGES);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	refs_prepare(self);
	refs_check(self);
	refs_assert(self, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

/* Every other page is a mapping of its own; of these, every other is used. */
static void thousands_of_mappings_are_told_apart(void **state)
{
	struct refs *self = *state;
	size_t nr = refs_nr_mosaic();
	struct tide_check *checks = calloc(nr, sizeof(*checks));
	struct tide_error err = { 0 };

	refs_start(self, AREA_MOSAIC);
	for (size_t i = 0; i < nr; i++)
		checks[i].addr = (uintptr_t)self->area + i * 2 * PAGE;
	assert_int_equal(self->ops->prepare_access_checks(self->sensor, checks, nr, &err), 0);
	refs_order(self, DO_MOSAIC, 0, nr);
	assert_int_equal(self->ops->check_accesses(self->sensor, checks, nr, &err), 0);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
		assert_int_equal(checks[i].page_start, checks[i].addr);
		assert_int_equal(checks[i].page_end, checks[i].addr + PAGE);
	}
	free(checks);
}

static void update_reports_what_is_mapped(void **state)
{
	struct refs *self = *state;
	const struct tide_range *ranges;
	struct tide_error err = { 0 };
	size_t nr;
	bool found = false;

	refs_start(self, AREA_PRIVATE);
	assert_int_equal(self->ops->update(self->sensor, &ranges, &nr, &err), 0);
	for (size_t i = 0; i < nr; i++) {
		assert_true(ranges[i].start < ranges[i].end && (i == 0 || ranges[i - 1].end < ranges[i].start));
		found |= ranges[i].start <= self->check.addr && self->check.addr < ranges[i].end;
	}
	assert_true(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, refs_setup, refs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(A1_what_was_not_used_is_idle_and_what_was_used_whole_is_accessed),
		TEST(A8_what_was_used_in_part_is_not_guessed_at),
		TEST(nothing_is_mapped_where_nothing_is),
		TEST(an_empty_mapping_is_idle),
		TEST(A8_reads_of_the_zero_page_are_unobservable),
		TEST(A8_reads_of_the_zero_page_are_unobservable_without_pagemap_scan),
		TEST(shared_memory_is_judged_by_this_process_alone),
		TEST(A8_pages_of_a_file_that_came_with_a_neighbours_fault_are_no_accesses),
		TEST(special_memory_is_unobservable),
		TEST(hugetlb_memory_is_unobservable),
		TEST(A8_memory_of_a_virtual_machine_is_never_idle),
		TEST(A8_what_another_prepare_has_forgotten_is_not_called_idle),
		TEST(a_pass_is_one_stall_and_is_accounted_for),
		TEST(a_stall_that_is_too_long_is_refused_before_it_is_made),
		TEST(A6_a_target_that_exits_is_gone),
		TEST(A6_a_target_that_executes_another_program_is_gone),
		TEST(a_process_without_its_main_thread_is_watched_through_another),
		TEST(thousands_of_mappings_are_told_apart),
		TEST(update_reports_what_is_mapped),
	};

	return cmocka_run_group_tests_name("refs", tests, NULL, NULL);
}
