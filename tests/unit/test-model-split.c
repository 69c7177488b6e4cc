/* SPDX-License-Identifier: MIT */
/* This file splits huge pages in the model: by advice, which may take others' for its own, and by KSM. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model-rig.h"

enum {
	CHILD = 1,
	HERE = 5,
};

static struct rig rig;

/* A huge page of which the first page and this one are written to, and nothing else. */
static void start(struct model_opts opts)
{
	opts.has_soft_dirty = opts.has_huge = true;
	rig_start_as(&rig, &opts);
	DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
	DO(&rig, HUGEPAGE, .nr = MODEL_HUGE);
	DO(&rig, WRITE, .page = 0, .nr = 1, .value = 1);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 2);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
}

static bool is(uint32_t page, uint32_t flag)
{
	return (rig_see(&rig, 0, page).flags & flag) != 0;
}

static void of_pages_that_ksm_splits_the_equal_ones_become_one(void **state)
{
	(void)state;
	start((struct model_opts){ 0 });
	DO(&rig, MERGEABLE, .nr = MODEL_HUGE);
	DO(&rig, MERGE);
	assert_false(is(HERE, SEEN_HUGE));
	assert_true(is(HERE, SEEN_ONCE));
	assert_false(is(HERE + 1, SEEN_ONCE));
	assert_int_equal(rig_read(&rig, 0, HERE), 2);
	DO(&rig, WRITE, .page = HERE + 1, .nr = 1, .value = 3);
	assert_true(is(HERE + 1, SEEN_ONCE));
	assert_int_equal(rig_read(&rig, 0, HERE + 2), 0);
	rig_end(&rig);
}

/* The mapping has no mark of its own: of two pages that merge, the one that stays keeps its mark. */
static void what_is_merged_away_loses_its_mark(void **state)
{
	(void)state;
	start((struct model_opts){ .moves_mark = true });
	DO(&rig, CLEAR_SOFT);
	DO(&rig, MERGEABLE, .nr = MODEL_HUGE);
	/* What is split is marked, as it is dirty. */
	DO(&rig, MERGE);
	assert_true(is(HERE, SEEN_SOFT));
	assert_false(is(1, SEEN_SOFT));
	/* 1 and 2 are of one folio, and split it; 3 is the first that merges, with 1, and is what they become. */
	assert_false(is(2, SEEN_SOFT));
	assert_true(is(3, SEEN_SOFT));
	assert_false(is(4, SEEN_SOFT));
	rig_end(&rig);
}

static void zeros_that_are_split_off_are_no_pages_to_merge(void **state)
{
	(void)state;
	start((struct model_opts){ .splits_map_zeros = true });
	DO(&rig, MERGEABLE, .nr = MODEL_HUGE);
	DO(&rig, MERGE);
	assert_true(is(HERE + 1, SEEN_ZERO));
	assert_false(is(HERE, SEEN_ZERO));
	rig_end(&rig);
}

/* Two equal pages that KSM may merge. */
static void start_equal(struct model_opts opts)
{
	rig_start_as(&rig, &opts);
	DO(&rig, MAP, .nr = 2, .value = RW);
	DO(&rig, WRITE, .page = 0, .nr = 1, .value = 1);
	DO(&rig, WRITE, .page = 1, .nr = 1, .value = 1);
	DO(&rig, MERGEABLE, .nr = 2);
}

static void ksm_merges_what_nobody_may_access(void **state)
{
	const struct model_op merge = { .kind = OP_MERGE };

	(void)state;
	start_equal((struct model_opts){ 0 });
	DO(&rig, PROTECT, .nr = 2);
	assert_true(model_knows(rig.model, &merge));
	DO(&rig, MERGE);
	assert_false(is(0, SEEN_ONCE));
	rig_end(&rig);
}

static void what_comes_of_a_merge_that_stops_there_is_not_known(void **state)
{
	const struct model_op merge = { .kind = OP_MERGE };

	(void)state;
	start_equal((struct model_opts){ .stops_at_forbidden = true });
	DO(&rig, PROTECT, .nr = 2);
	assert_false(model_knows(rig.model, &merge));
	DO(&rig, PROTECT, .nr = 2, .value = MODEL_READ);
	assert_true(model_knows(rig.model, &merge));
	DO(&rig, MERGE);
	/* What is merged already is found all the same. */
	DO(&rig, PROTECT, .nr = 2);
	assert_true(model_knows(rig.model, &merge));
	rig_end(&rig);
}

static void what_is_merged_stays_so_where_ksm_does_not_get_at_it(void **state)
{
	(void)state;
	for (int stops = 0; stops < 2; stops++) {
		start_equal((struct model_opts){ .stops_at_forbidden = stops });
		DO(&rig, MERGE);
		DO(&rig, PROTECT, .nr = 2);
		DO(&rig, UNMERGEABLE, .nr = 2);
		assert_int_equal(is(0, SEEN_ONCE), !stops);
		rig_end(&rig);
	}
}

static void what_is_equal_to_a_merged_page_joins_it_wherever_that_is(void **state)
{
	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = 4, .value = RW);
	DO(&rig, WRITE, .page = 1, .nr = 1, .value = 7);
	DO(&rig, WRITE, .page = 2, .nr = 1, .value = 7);
	DO(&rig, MERGEABLE, .nr = 4);
	DO(&rig, MERGE);
	for (uint32_t page = 0; page < 4; page += 3) {
		DO(&rig, WRITE, .page = page, .nr = 1, .value = 7);
		assert_true(is(page, SEEN_ONCE));
		DO(&rig, MERGE);
		assert_false(is(page, SEEN_ONCE));
	}
	rig_end(&rig);
}

static void what_could_not_be_merged_is_nothing_that_others_join(void **state)
{
	(void)state;
	start_equal((struct model_opts){ 0 });
	DO(&rig, PIN, .page = 0, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	/* The pinned page is the first that is equal, to each of the others. */
	DO(&rig, MERGE);
	for (uint32_t page = 0; page < 2; page++) {
		assert_true(is(page, SEEN_ONCE));
		assert_true(rig_see(&rig, CHILD, page).flags & SEEN_ONCE);
	}
	rig_end(&rig);
}

static void ksm_does_not_split_what_is_pinned(void **state)
{
	(void)state;
	start((struct model_opts){ 0 });
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, MERGEABLE, .nr = MODEL_HUGE);
	DO(&rig, MERGE);
	assert_true(is(HERE, SEEN_HUGE));
	DO(&rig, DEVICE_WRITE, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 7);
	rig_end(&rig);
}

static void a_huge_page_that_a_child_maps_is_split_for_it_too(void **state)
{
	(void)state;
	start((struct model_opts){ 0 });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, MERGEABLE, .nr = MODEL_HUGE);
	DO(&rig, MERGE);
	assert_false(rig_see(&rig, CHILD, HERE).flags & SEEN_HUGE);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 2);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 3);
	assert_int_equal(rig_read(&rig, 0, HERE), 2);
	rig_end(&rig);
}

/* Does advice split a huge page that a child maps whole, and its parent all but the first page? */
static bool splits_with_child(enum model_sharing sharing)
{
	bool is_split;

	start((struct model_opts){ .sharing = sharing });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, WRITE, .page = 0, .nr = 1, .value = 3);
	DO(&rig, FREE, .page = HERE + 1, .nr = 1);
	is_split = !(rig_see(&rig, CHILD, HERE).flags & SEEN_HUGE);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 2);
	rig_end(&rig);
	return is_split;
}

/* The same of which the child has one page. What is split shows by its zeros. */
static bool splits_with_one_page(enum model_sharing sharing)
{
	bool is_split;

	start((struct model_opts){ .sharing = sharing, .splits_map_zeros = true });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, UNMAP, .process = CHILD, .page = 0, .nr = MODEL_HUGE - 1);
	DO(&rig, UNMAP, .page = 1, .nr = 1);
	DO(&rig, FREE, .page = HERE + 1, .nr = 1);
	is_split = is(HERE + 2, SEEN_ZERO);
	rig_end(&rig);
	return is_split;
}

static void whether_a_large_folio_is_shared_is_each_kernels_guess(void **state)
{
	(void)state;
	assert_true(splits_with_child(MODEL_SHARING_ONE_PAGE));
	assert_false(splits_with_child(MODEL_SHARING_LIKELY));
	assert_false(splits_with_child(MODEL_SHARING_EXACT));
	assert_true(splits_with_one_page(MODEL_SHARING_LIKELY));
	assert_false(splits_with_one_page(MODEL_SHARING_EXACT));
}

/* Others' entries are dirty as they were; only those of the process that gave it up are clean. */
static void a_shared_page_that_is_dirty_by_entries_only_may_be_given_up(void **state)
{
	struct model_op op = { .kind = OP_PAGEOUT, .page = 0, .nr = 1 };
	struct model_seen real[MODEL_PAGES];

	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
	DO(&rig, WRITE, .page = 0, .nr = 1, .value = 1);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, FREE, .page = 0, .nr = 1);
	model_look(rig.model, 0, real);
	real[0] = (struct model_seen){ 0 };
	assert_null(model_follow(rig.model, &op, CHILD, 0, SEEN_ALL, real));
	assert_string_equal(model_follow(rig.model, &op, 0, 0, SEEN_ALL, real), "lazily-freed");
	assert_int_equal(rig_read(&rig, CHILD, 0), 1);
	rig_end(&rig);
}

/* By which rule is page 0 thrown away when it was given up? NULL: by none. */
static const char *given_up(void)
{
	const struct model_op op = { .kind = OP_PAGEOUT, .nr = 1 };
	struct model_seen real[MODEL_PAGES];

	DO(&rig, FREE, .nr = 1);
	model_look(rig.model, 0, real);
	real[0] = (struct model_seen){ 0 };
	return model_follow(rig.model, &op, 0, 0, SEEN_ALL, real);
}

static void what_was_merged_may_be_given_up_once_it_is_mapped_once(void **state)
{
	(void)state;
	start_equal((struct model_opts){ 0 });
	DO(&rig, MERGE);
	assert_null(given_up());
	DO(&rig, DONTNEED, .page = 1, .nr = 1);
	assert_string_equal(given_up(), "lazily-freed");
	assert_int_equal(rig_read(&rig, 0, 0), 0);
	rig_end(&rig);
}

/* Is a small page given up that comes after one of a large folio that cannot be split? */
static bool goes_on(enum model_sharing sharing)
{
	const struct model_op op = { .kind = OP_PAGEOUT, .page = HERE + 2, .nr = 1 };
	struct model_seen real[MODEL_PAGES];
	bool is_given_up;

	start((struct model_opts){ .sharing = sharing });
	DO(&rig, DONTNEED, .page = HERE + 2, .nr = 1);
	DO(&rig, WRITE, .page = HERE + 2, .nr = 1, .value = 3);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FREE, .page = HERE + 1, .nr = 2);
	model_look(rig.model, 0, real);
	real[HERE + 2] = (struct model_seen){ 0 };
	is_given_up = model_follow(rig.model, &op, 0, HERE + 2, SEEN_ALL, real) != NULL;
	rig_end(&rig);
	return is_given_up;
}

static void after_what_cannot_be_split_the_rest_is_left_in_some_kernels(void **state)
{
	(void)state;
	assert_true(goes_on(MODEL_SHARING_EXACT));
	assert_false(goes_on(MODEL_SHARING_ONE_PAGE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_pages_that_ksm_splits_the_equal_ones_become_one),
		cmocka_unit_test(what_is_merged_away_loses_its_mark),
		cmocka_unit_test(zeros_that_are_split_off_are_no_pages_to_merge),
		cmocka_unit_test(ksm_merges_what_nobody_may_access),
		cmocka_unit_test(what_comes_of_a_merge_that_stops_there_is_not_known),
		cmocka_unit_test(what_is_merged_stays_so_where_ksm_does_not_get_at_it),
		cmocka_unit_test(what_is_equal_to_a_merged_page_joins_it_wherever_that_is),
		cmocka_unit_test(what_could_not_be_merged_is_nothing_that_others_join),
		cmocka_unit_test(ksm_does_not_split_what_is_pinned),
		cmocka_unit_test(a_huge_page_that_a_child_maps_is_split_for_it_too),
		cmocka_unit_test(whether_a_large_folio_is_shared_is_each_kernels_guess),
		cmocka_unit_test(a_shared_page_that_is_dirty_by_entries_only_may_be_given_up),
		cmocka_unit_test(what_was_merged_may_be_given_up_once_it_is_mapped_once),
		cmocka_unit_test(after_what_cannot_be_split_the_rest_is_left_in_some_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
