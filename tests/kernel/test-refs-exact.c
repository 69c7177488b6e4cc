/* SPDX-License-Identifier: MIT */
/* This file tests what the refs sensor does for exact mode: counts of whole mappings, forgotten all at once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "refs-steps.h"

#define WHOLE_SPACE (UINT64_C(1) << 63)

struct blocks {
	const struct refs *self;
	struct tide_block area; /* nr_entries 0: not seen */
	uint64_t last;
	unsigned nr;
};

static int take(void *arg, const struct tide_block *block)
{
	struct blocks *blocks = arg;

	assert_null(block->present);
	assert_null(block->young);
	assert_true(blocks->nr == 0 || block->start > blocks->last);
	assert_true(block->nr_young <= block->nr_present && block->nr_present <= block->nr_entries);
	blocks->last = block->start;
	blocks->nr++;
	if (block->start == (uintptr_t)blocks->self->area)
		blocks->area = *block;
	return 0;
}

/* All memory, in steps of at least one mapping. */
static struct blocks scan(const struct refs *self, uint64_t max_entries)
{
	struct blocks blocks = { .self = self };
	struct tide_error err = { 0 };
	uint64_t at = 0;

	while (at < WHOLE_SPACE) {
		uint64_t next = 0;

		if (self->ops->scan(self->sensor, at, WHOLE_SPACE, max_entries, take, &blocks, &next, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(next > at);
		at = next;
	}
	return blocks;
}

static void plan(const struct refs *self)
{
	/* How slow the machine is makes no difference. */
	struct tide_pass pass = { .interval_us = 1000000000, .max_stall_us = 10000000 };
	struct tide_error err = { 0 };

	if (self->ops->plan(self->sensor, &pass, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pass.way, TIDE_WAY_REFS);
	assert_true(pass.whole);
}

static void forget_all(const struct refs *self)
{
	struct tide_error err = { 0 };

	if (self->ops->forget_all(self->sensor, NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static uint64_t nr_reads(const struct refs *self)
{
	struct tide_sensor_cost cost;

	self->ops->cost(self->sensor, &cost);
	return cost.nr_scanned;
}

static void a_pass_counts_what_is_present_and_what_was_accessed(void **state)
{
	struct refs *self = *state;
	struct tide_sensor_cost cost;
	struct blocks blocks;

	refs_start(self, AREA_PRIVATE);
	plan(self);
	blocks = scan(self, UINT64_MAX);
	assert_int_equal(blocks.area.nr_entries, AREA_PAGES);
	assert_int_equal(blocks.area.entry_shift, 12);
	assert_int_equal(blocks.area.nr_present, AREA_PAGES);
	assert_int_equal(blocks.area.nr_young, AREA_PAGES);
	assert_int_equal(blocks.area.reason, TIDE_REASON_NONE);
	assert_int_equal(blocks.area.is_file, 0);
	forget_all(self);
	refs_order(self, DO_WRITE, 10, 300);
	plan(self);
	blocks = scan(self, UINT64_MAX);
	assert_int_equal(blocks.area.nr_present, AREA_PAGES);
	assert_int_equal(blocks.area.nr_young, 300);
	forget_all(self);
	plan(self);
	assert_int_equal(scan(self, UINT64_MAX).area.nr_young, 0);
	self->ops->cost(self->sensor, &cost);
	assert_int_equal(cost.nr_stalls, 2);
	assert_int_equal(cost.ways, 1u << TIDE_WAY_REFS);
}

/* However small the steps are. */
static void a_pass_is_one_look(void **state)
{
	struct refs *self = *state;
	struct blocks whole;
	struct blocks steps;
	uint64_t before;

	refs_start(self, AREA_PRIVATE);
	plan(self);
	before = nr_reads(self);
	whole = scan(self, UINT64_MAX);
	plan(self);
	assert_true(nr_reads(self) > before);
	before = nr_reads(self);
	steps = scan(self, 1);
	assert_int_equal(nr_reads(self), before);
	assert_int_equal(steps.nr, whole.nr);
	/* From the beginning without a plan: a new look. */
	scan(self, UINT64_MAX);
	assert_true(nr_reads(self) > before);
}

static void files_are_named_as_such(void **state)
{
	struct refs *self = *state;
	struct blocks blocks;

	refs_start(self, AREA_FILE);
	plan(self);
	blocks = scan(self, UINT64_MAX);
	assert_int_equal(blocks.area.nr_entries, AREA_PAGES);
	assert_true(blocks.area.is_file);
}

static void A8_memory_of_a_virtual_machine_has_its_reason(void **state)
{
	struct refs *self = *state;
	struct blocks blocks;

	if (access("/dev/kvm", R_OK | W_OK) != 0)
		skip();
	refs_start(self, AREA_PRIVATE);
	refs_order(self, DO_MACHINE, 0, 0);
	plan(self);
	blocks = scan(self, UINT64_MAX);
	assert_int_equal(blocks.area.reason, TIDE_REASON_GUEST);
}

static void a_reservation_larger_than_32_bits_of_pages_is_counted_coarsely(void **state)
{
	struct refs *self = *state;
	struct blocks blocks;

	refs_start(self, AREA_RESERVED);
	plan(self);
	blocks = scan(self, UINT64_MAX);
	assert_int_equal(blocks.area.entry_shift, 21);
	assert_int_equal((uint64_t)blocks.area.nr_entries << 21, RESERVED_BYTES);
	assert_int_equal(blocks.area.nr_present, 1);
}

static void what_cannot_be_planned_is_refused(void **state)
{
	struct refs *self = *state;
	struct tide_pass pass = { .interval_us = 1000000000, .max_stall_us = 10000000, .wanted = TIDE_WAY_COLD };
	struct tide_error err = { 0 };

	refs_start(self, AREA_PRIVATE);
	assert_true(self->ops->plan(self->sensor, &pass, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_UNSUPPORTED);
	pass.wanted = TIDE_WAY_REFS;
	assert_int_equal(self->ops->plan(self->sensor, &pass, &err), 0);
	pass.max_stall_us = 20;
	assert_true(self->ops->plan(self->sensor, &pass, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	assert_non_null(strstr(err.text, "--max-stall"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, refs_setup, refs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pass_counts_what_is_present_and_what_was_accessed),
		TEST(a_pass_is_one_look),
		TEST(files_are_named_as_such),
		TEST(A8_memory_of_a_virtual_machine_has_its_reason),
		TEST(a_reservation_larger_than_32_bits_of_pages_is_counted_coarsely),
		TEST(what_cannot_be_planned_is_refused),
	};

	return cmocka_run_group_tests_name("refs-exact", tests, NULL, NULL);
}
