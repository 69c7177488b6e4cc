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
	NOT_HUGE = SEEN_ALL & ~(SEEN_HUGE | SEEN_ZERO), /* a kernel that tells of neither */
};

static struct rig rig;
static struct model_seen real[MODEL_PAGES];

static void start(bool is_huge)
{
	const struct model_opts opts = { .has_soft_dirty = true, .has_huge = true, .moves_mark = true };

	rig_start_as(&rig, &opts);
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

/* The kernel tells less. */
static const char *follow_blind(enum model_op_kind kind, uint32_t page)
{
	struct model_op op = { .kind = kind, .page = HERE, .nr = 1 };

	return model_follow(rig.model, &op, 0, page, NOT_HUGE, real);
}

/* All pages of the first block are shown like this. */
static void show_block(uint32_t flags)
{
	for (uint32_t i = 0; i < MODEL_HUGE; i++)
		real[i].flags = flags;
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

static void a_dirty_page_may_be_marked_as_it_moves_and_no_other(void **state)
{
	(void)state;
	start(false);
	DO(&rig, CLEAR_SOFT);
	DO(&rig, READ, .page = HERE + 1, .nr = 1);
	model_look(rig.model, 0, real);
	assert_false(real[HERE].flags & SEEN_SOFT);
	real[HERE].flags |= SEEN_SOFT;
	real[HERE + 1].flags |= SEEN_SOFT;
	assert_null(follow(OP_CLEAR_SOFT, HERE));
	assert_null(follow(OP_MIGRATE, HERE + 1));
	/* Compaction asks nobody. */
	assert_string_equal(follow(OP_READ, HERE), "marked-too");
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_SOFT);
	/* A mark that is missing is never allowed. */
	real[HERE].flags &= ~(uint32_t)SEEN_SOFT;
	assert_null(follow(OP_MIGRATE, HERE));
	rig_end(&rig);
}

/* Later kernels leave the marks of small pages as they were, and those of huge ones not. */
static void where_migration_marks_nothing_only_huge_pages_may_be_marked(void **state)
{
	(void)state;
	for (int is_huge = 0; is_huge < 2; is_huge++) {
		rig_start(&rig, MODEL_NO_BUG);
		DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
		if (is_huge)
			DO(&rig, HUGEPAGE, .nr = MODEL_PAGES);
		DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
		DO(&rig, CLEAR_SOFT);
		model_look(rig.model, 0, real);
		real[HERE].flags |= SEEN_SOFT;
		assert_null(follow(OP_READ, HERE));
		if (is_huge)
			assert_string_equal(follow(OP_MIGRATE, HERE), "marked-too");
		else
			assert_null(follow(OP_MIGRATE, HERE));
		rig_end(&rig);
	}
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

static void a_block_that_is_there_and_mapped_once_is_huge(void **state)
{
	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	show_block(SEEN_PRESENT | SEEN_ONCE | SEEN_SOFT);
	/* Only who uses it makes something of nothing. */
	assert_null(follow_blind(OP_COLD, HERE));
	real[HERE + 1].flags &= ~(uint32_t)SEEN_ONCE;
	assert_null(follow_blind(OP_WRITE, HERE));
	real[HERE + 1].flags = 0;
	assert_null(follow_blind(OP_WRITE, HERE));
	real[HERE + 1].flags = real[HERE].flags;
	assert_string_equal(follow_blind(OP_WRITE, HERE), "huge-made");
	assert_true(rig_see(&rig, 0, HERE + 1).flags & SEEN_HUGE);
	assert_false(rig_see(&rig, 0, HERE + 1).flags & SEEN_ZERO);
	rig_end(&rig);
}

static void zero_pages_that_are_mapped_once_are_of_a_huge_page(void **state)
{
	(void)state;
	start(false);
	for (uint32_t i = 0; i < MODEL_HUGE; i++)
		rig_read(&rig, 0, i);
	show_block(SEEN_PRESENT | SEEN_ONCE | SEEN_SOFT);
	/* As it is in the model already. */
	assert_null(follow_blind(OP_COLD, HERE));
	assert_string_equal(follow_blind(OP_COLD, HERE + 1), "huge-made");
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	assert_int_equal(rig_see(&rig, 0, HERE).value, 5);
	rig_end(&rig);
}

static void a_huge_page_does_not_show_where_none_is_wanted(void **state)
{
	(void)state;
	start(false);
	DO(&rig, NOHUGEPAGE, .nr = MODEL_PAGES);
	show_block(SEEN_PRESENT | SEEN_ONCE | SEEN_SOFT);
	assert_null(follow_blind(OP_WRITE, HERE + 1));
	rig_end(&rig);
}

static void a_block_that_is_there_and_a_files_is_the_huge_zero_page(void **state)
{
	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	show_block(SEEN_PRESENT | SEEN_FILE | SEEN_SOFT);
	assert_null(follow_blind(OP_COLD, HERE));
	real[HERE + 1].flags |= SEEN_ONCE;
	assert_null(follow_blind(OP_READ, HERE));
	real[HERE + 1].flags = real[HERE].flags;
	assert_string_equal(follow_blind(OP_READ, HERE), "huge-made");
	assert_true(rig_see(&rig, 0, HERE + 1).flags & SEEN_HUGE);
	assert_true(rig_see(&rig, 0, HERE + 1).flags & SEEN_ZERO);
	assert_int_equal(rig_read(&rig, 0, HERE), 0);
	rig_end(&rig);
}

static void a_mark_alone_splits_no_huge_page(void **state)
{
	(void)state;
	start(true);
	show_block(SEEN_PRESENT | SEEN_ONCE | SEEN_SOFT);
	real[HERE].flags &= ~(uint32_t)SEEN_SOFT;
	assert_null(follow_blind(OP_READ, HERE));
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	real[HERE].flags &= ~(uint32_t)SEEN_ONCE;
	assert_string_equal(follow_blind(OP_READ, HERE), "huge-refused");
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	rig_end(&rig);
}

/* A large folio of which one page is dirty, and none is marked. */
static void start_large(void)
{
	const struct model_opts opts = { .has_soft_dirty = true, .has_huge = true, .splits_clean = true };

	rig_start_as(&rig, &opts);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	DO(&rig, HUGEPAGE, .nr = MODEL_PAGES);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	DO(&rig, CLEAR_SOFT);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
	DO(&rig, CLEAR_SOFT);
	model_look(rig.model, 0, real);
}

static const char *follow_protect(uint32_t first, uint32_t nr, uint32_t page)
{
	struct model_op op = { .kind = OP_PROTECT, .page = first, .nr = nr, .value = RW };

	return model_follow(rig.model, &op, 0, page, SEEN_ALL, real);
}

static void only_what_is_protected_with_a_dirty_page_of_its_folio_is_marked(void **state)
{
	(void)state;
	start_large();
	for (uint32_t page = HERE - 1; page < HERE + 3; page++)
		real[page].flags |= SEEN_SOFT;
	assert_null(follow_protect(HERE, 1, HERE - 1));
	assert_null(follow_protect(HERE, 1, HERE + 1));
	assert_null(follow_protect(HERE + 1, 2, HERE + 1));
	assert_string_equal(follow_protect(HERE, 2, HERE + 1), "marked-too");
	assert_true(rig_see(&rig, 0, HERE + 1).flags & SEEN_SOFT);
	assert_false(rig_see(&rig, 0, HERE + 2).flags & SEEN_SOFT);
	rig_end(&rig);
}

/* Of a large folio that the kernel split, and the model did not. */
static const char *follow_zeros(bool splits_map_zeros, enum model_op_kind kind, bool is_pinned)
{
	const struct model_opts opts = { .has_soft_dirty = true,
		                         .has_huge = true,
		                         .splits_map_zeros = splits_map_zeros };
	const char *rule;

	rig_start_as(&rig, &opts);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	DO(&rig, HUGEPAGE, .nr = MODEL_PAGES);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	if (is_pinned)
		DO(&rig, PIN, .page = HERE, .nr = 1);
	model_look(rig.model, 0, real);
	real[HERE + 1].flags = SEEN_PRESENT | SEEN_ZERO | SEEN_SOFT;
	rule = follow(kind, HERE + 1);
	assert_int_equal((rig_see(&rig, 0, HERE + 1).flags & SEEN_ZERO) != 0, rule != NULL);
	assert_int_equal(rig_read(&rig, 0, HERE + 1), 0);
	rig_end(&rig);
	return rule;
}

static void zeros_become_the_zero_page_where_the_kernel_does_that(void **state)
{
	(void)state;
	assert_string_equal(follow_zeros(true, OP_FREE, false), "zeros-mapped");
	assert_string_equal(follow_zeros(true, OP_MERGE, false), "zeros-mapped");
	assert_null(follow_zeros(false, OP_FREE, false));
	assert_null(follow_zeros(true, OP_READ, false));
	assert_null(follow_zeros(true, OP_FREE, true));
}

/* The page that moved was marked, the mapping that took it in is not: nothing is left to mark. */
static void a_mark_goes_with_the_zero_page_that_had_it(void **state)
{
	const struct model_opts opts = { .has_soft_dirty = true, .merges_lose_marks = true };

	(void)state;
	rig_start_as(&rig, &opts);
	DO(&rig, MAP, .page = HERE + 1, .nr = 4, .value = RW);
	DO(&rig, CLEAR_SOFT);
	DO(&rig, MAP, .page = 100, .nr = 1, .value = RW);
	DO(&rig, READ, .page = 100, .nr = 1);
	DO(&rig, MOVE, .page = 100, .nr = 1, .to = HERE, .flags = 1);
	model_look(rig.model, 0, real);
	real[HERE + 1].flags &= ~(uint32_t)SEEN_SOFT;
	assert_string_equal(follow(OP_MOVE, HERE + 1), "mark-of-mapping");
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_SOFT);
	DO(&rig, DONTNEED, .page = HERE, .nr = 1);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_SOFT);
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
		cmocka_unit_test(a_dirty_page_may_be_marked_as_it_moves_and_no_other),
		cmocka_unit_test(where_migration_marks_nothing_only_huge_pages_may_be_marked),
		cmocka_unit_test(only_what_was_given_up_is_thrown_away),
		cmocka_unit_test(a_page_with_contents_is_no_page_of_zeros),
		cmocka_unit_test(a_block_that_is_there_and_mapped_once_is_huge),
		cmocka_unit_test(zero_pages_that_are_mapped_once_are_of_a_huge_page),
		cmocka_unit_test(a_huge_page_does_not_show_where_none_is_wanted),
		cmocka_unit_test(a_block_that_is_there_and_a_files_is_the_huge_zero_page),
		cmocka_unit_test(a_mark_alone_splits_no_huge_page),
		cmocka_unit_test(only_what_is_protected_with_a_dirty_page_of_its_folio_is_marked),
		cmocka_unit_test(a_mark_goes_with_the_zero_page_that_had_it),
		cmocka_unit_test(zeros_become_the_zero_page_where_the_kernel_does_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
