/* SPDX-License-Identifier: MIT */
/* This file runs operations beside each other, step by step in every order that a seed makes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model-rig.h"

enum {
	CHILD = 1,
	HERE = 3,
	NR_SEEDS = 500,
};

static struct rig rig;

/* Two equal pages that may be merged. */
static void start(void)
{
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = 16, .value = RW);
	DO(&rig, MERGEABLE, .nr = 16);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, WRITE, .page = HERE + 1, .nr = 1, .value = 5);
}

/* Both come to 0. What does not hold after the next operation, which changes nothing, is found by rig_end(). */
static void run_both(const struct model_op *ops, uint64_t seed)
{
	struct model_result results[2];

	assert_int_equal(model_run_all(rig.model, ops, 2, seed, results), 0);
	assert_int_equal(results[0].code, 0);
	assert_int_equal(results[1].code, 0);
}

static void ksm_merges_with_a_page_that_is_given_up_meanwhile(void **state)
{
	const struct model_op ops[] = {
		{ .kind = OP_MERGE },
		{ .kind = OP_DONTNEED, .page = HERE, .nr = 1 },
	};

	(void)state;
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		start();
		run_both(ops, seed);
		/* Nobody else has the page that is left, so that it may be written to again. */
		assert_false(rig_see(&rig, 0, HERE).flags & SEEN_PRESENT);
		assert_true(rig_see(&rig, 0, HERE + 1).flags & SEEN_ONCE);
		assert_int_equal(rig_read(&rig, 0, HERE + 1), 5);
		assert_int_equal(rig_read(&rig, 0, HERE), 0);
		rig_end(&rig);
	}
}

/* KSM's pages leave no one behind in the swap cache. */
static void swap_out_of_cache(void)
{
	const struct model_op op = { .kind = OP_PAGEOUT, .page = HERE, .nr = 1 };
	struct model_seen real[MODEL_PAGES];

	DO(&rig, MERGE);
	rig_do(&rig, op);
	model_look(rig.model, 0, real);
	real[HERE].flags = SEEN_SWAPPED | SEEN_SOFT;
	assert_string_equal(model_follow(rig.model, &op, 0, HERE, SEEN_ALL, real), "reclaimed");
}

static void two_who_share_a_swapped_page_read_the_same_one(void **state)
{
	const struct model_op ops[] = {
		{ .kind = OP_READ, .page = HERE, .nr = 1 },
		{ .kind = OP_READ, .process = CHILD, .page = HERE, .nr = 1 },
	};

	(void)state;
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		start();
		swap_out_of_cache();
		DO(&rig, FORK, .to = CHILD);
		run_both(ops, seed);
		assert_false(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
		assert_false(rig_see(&rig, CHILD, HERE).flags & SEEN_ONCE);
		DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
		assert_int_equal(rig_read(&rig, 0, HERE), 5);
		rig_end(&rig);
	}
}

/* Pins take few steps: where they are when the page is on its way depends on how many come first. */
static void what_a_device_writes_is_not_lost_to_a_migration(void **state)
{
	enum { NR = 16 };

	(void)state;
	for (uint64_t seed = 1; seed <= NR_SEEDS; seed++) {
		uint32_t page = (uint32_t)seed % NR;
		const struct model_op ops[] = {
			{ .kind = OP_MIGRATE, .page = page, .nr = 1 },
			{ .kind = OP_PIN, .nr = NR },
		};

		start();
		DO(&rig, WRITE, .page = page, .nr = 1, .value = 6);
		run_both(ops, seed);
		assert_int_equal(rig_see(&rig, 0, page).value, 6);
		DO(&rig, DEVICE_WRITE, .page = page, .value = 7);
		assert_int_equal(rig_read(&rig, 0, page), 7);
		rig_end(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ksm_merges_with_a_page_that_is_given_up_meanwhile),
		cmocka_unit_test(two_who_share_a_swapped_page_read_the_same_one),
		cmocka_unit_test(what_a_device_writes_is_not_lost_to_a_migration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
