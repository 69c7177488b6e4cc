/* SPDX-License-Identifier: MIT */
/* This file shows the model what a kernel might show: what a rule allows, and what none does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model-rig.h"

enum {
	HERE = 3,
};

static struct rig rig;
static struct model_seen real[MODEL_PAGES];

static void start(bool is_huge)
{
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	if (is_huge)
		DO(&rig, HUGEPAGE, .nr = MODEL_PAGES);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	model_look(rig.model, 0, real);
}

static const char *follow(enum model_op_kind kind, uint32_t page)
{
	struct model_op op = { .kind = kind, .page = HERE, .nr = 1 };

	return model_follow(rig.model, &op, 0, page, SEEN_ALL, real);
}

static void a_huge_page_may_be_refused(void **state)
{
	(void)state;
	start(true);
	for (uint32_t i = 0; i < MODEL_HUGE; i++)
		real[i] = (struct model_seen){ .flags = i == HERE ? real[HERE].flags & ~(uint32_t)SEEN_HUGE : 0 };
	assert_string_equal(follow(OP_WRITE, 0), "huge-refused");
	assert_false(rig_see(&rig, 0, 0).flags & SEEN_PRESENT);
	assert_int_equal(rig_see(&rig, 0, HERE).value, 5);
	rig_end(&rig);
}

static void a_page_that_a_split_loses_is_not_allowed(void **state)
{
	(void)state;
	start(true);
	for (uint32_t i = 0; i < MODEL_HUGE; i++)
		real[i].flags = i == HERE ? 0 : real[i].flags & ~(uint32_t)SEEN_HUGE;
	assert_string_equal(follow(OP_MIGRATE, HERE), "huge-refused");
	assert_int_equal(rig_see(&rig, 0, HERE).value, 5);
	assert_null(follow(OP_MIGRATE, HERE));
	rig_end(&rig);
}

static void a_huge_page_where_none_is_wanted_is_not_allowed(void **state)
{
	(void)state;
	start(false);
	DO(&rig, NOHUGEPAGE, .nr = MODEL_PAGES);
	for (uint32_t i = 0; i < MODEL_HUGE; i++)
		real[i] = (struct model_seen){ .flags = SEEN_PRESENT | SEEN_HUGE | SEEN_ONCE };
	assert_null(follow(OP_WRITE, HERE));
	rig_end(&rig);
}

static void a_page_may_go_to_swap_unless_it_is_pinned(void **state)
{
	(void)state;
	start(false);
	DO(&rig, WRITE, .page = HERE + 1, .nr = 1, .value = 6);
	DO(&rig, PIN, .page = HERE + 1, .nr = 1);
	real[HERE].flags = real[HERE + 1].flags = SEEN_SWAPPED;
	assert_string_equal(follow(OP_PAGEOUT, HERE), "reclaimed");
	assert_null(follow(OP_PAGEOUT, HERE + 1));
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	rig_end(&rig);
}

static void who_shares_a_swapped_page_gets_the_same_one(void **state)
{
	(void)state;
	start(false);
	real[HERE].flags = SEEN_SWAPPED | SEEN_SOFT;
	assert_string_equal(follow(OP_PAGEOUT, HERE), "reclaimed");
	DO(&rig, FORK, .to = 1);
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	assert_int_equal(rig_read(&rig, 1, HERE), 5);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	DO(&rig, WRITE, .process = 1, .page = HERE, .nr = 1, .value = 6);
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	rig_end(&rig);
}

static void a_dirty_page_may_be_marked_as_it_migrates_and_no_other(void **state)
{
	(void)state;
	start(false);
	DO(&rig, CLEAR_SOFT);
	DO(&rig, READ, .page = HERE + 1, .nr = 1);
	model_look(rig.model, 0, real);
	assert_false(real[HERE].flags & SEEN_SOFT);
	real[HERE].flags |= SEEN_SOFT;
	real[HERE + 1].flags |= SEEN_SOFT;
	assert_null(follow(OP_READ, HERE));
	assert_null(follow(OP_PROTECT, HERE));
	assert_null(follow(OP_MIGRATE, HERE + 1));
	assert_string_equal(follow(OP_MIGRATE, HERE), "marked-too");
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_SOFT);
	/* A mark that is missing is never allowed. */
	real[HERE].flags &= ~(uint32_t)SEEN_SOFT;
	assert_null(follow(OP_MIGRATE, HERE));
	rig_end(&rig);
}

static void only_what_was_given_up_is_thrown_away(void **state)
{
	(void)state;
	start(false);
	real[HERE].flags = 0;
	assert_null(follow(OP_FREE, HERE));
	DO(&rig, FREE, .page = HERE, .nr = 1);
	assert_string_equal(follow(OP_FREE, HERE), "lazily-freed");
	assert_int_equal(rig_read(&rig, 0, HERE), 0);
	rig_end(&rig);
}

static void a_page_with_contents_is_no_page_of_zeros(void **state)
{
	(void)state;
	start(true);
	DO(&rig, FREE, .page = HERE + 1, .nr = 1);
	real[HERE].flags = SEEN_PRESENT | SEEN_ZERO;
	assert_null(follow(OP_FREE, HERE));
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_huge_page_may_be_refused),
		cmocka_unit_test(a_page_that_a_split_loses_is_not_allowed),
		cmocka_unit_test(a_huge_page_where_none_is_wanted_is_not_allowed),
		cmocka_unit_test(a_page_may_go_to_swap_unless_it_is_pinned),
		cmocka_unit_test(who_shares_a_swapped_page_gets_the_same_one),
		cmocka_unit_test(a_dirty_page_may_be_marked_as_it_migrates_and_no_other),
		cmocka_unit_test(only_what_was_given_up_is_thrown_away),
		cmocka_unit_test(a_page_with_contents_is_no_page_of_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
