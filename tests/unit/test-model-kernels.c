/* SPDX-License-Identifier: MIT */
/*
 * This file shows what kernels do differently: what comes of the same operations with an option and without. It is as
 * long as the list of options (struct model_opts), with one or two tests for each, in no order that matters.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "model-rig.h"

enum {
	CHILD = 1,
	HERE = 5,
	FAR = 100,  /* where nothing is, in the same block */
	MIDDLE = 4, /* where two mappings of MIDDLE pages meet */
	NONE = MODEL_PAGES,
};

static struct rig rig;

static void start(struct model_opts opts)
{
	opts.has_soft_dirty = opts.has_huge = true;
	rig_start_as(&rig, &opts);
}

static void write_to(uint32_t page, uint64_t value)
{
	DO(&rig, WRITE, .page = page, .nr = 1, .value = value);
}

/* A huge page of which one page is written to. */
static void start_huge(struct model_opts opts)
{
	start(opts);
	DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
	DO(&rig, HUGEPAGE, .nr = MODEL_HUGE);
	write_to(HERE, 2);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
}

/* Entries of pages name it from now on, and it is large still: the first page of the block is gone. */
static void start_large(struct model_opts opts)
{
	start_huge(opts);
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
}

static bool is(uint32_t page, uint32_t flag)
{
	return (rig_see(&rig, 0, page).flags & flag) != 0;
}

/* What moves at once is one mapping, where the kernel moves no more than one. */
static bool is_one_mapping(void)
{
	const struct model_op op = { .kind = OP_MOVE, .page = MIDDLE / 2, .nr = MIDDLE, .to = FAR };

	assert_int_equal(model_run(rig.model, &op, &rig.last), 0);
	assert_true(rig.last.code == 0 || rig.last.code == -EFAULT);
	return rig.last.code == 0;
}

/* Of two mappings one has a page, or NONE has, and one becomes like the other: do they merge? */
static bool merges(bool keeps_unused_apart, uint32_t used, uint32_t changed)
{
	bool result;

	start((struct model_opts){ .keeps_unused_apart = keeps_unused_apart });
	DO(&rig, MAP, .nr = 2 * MIDDLE, .value = RW);
	DO(&rig, HUGEPAGE, .page = MIDDLE - changed, .nr = MIDDLE);
	if (used != NONE)
		write_to(used, 1);
	DO(&rig, HUGEPAGE, .page = changed, .nr = MIDDLE);
	result = is_one_mapping();
	rig_end(&rig);
	return result;
}

static void a_used_mapping_does_not_merge_with_an_unused_one(void **state)
{
	(void)state;
	assert_true(merges(false, 0, 0));
	assert_true(merges(false, MIDDLE, MIDDLE));
	assert_false(merges(true, 0, 0));
	assert_false(merges(true, MIDDLE, MIDDLE));
}

static void an_unused_mapping_merges_with_any(void **state)
{
	(void)state;
	assert_true(merges(true, MIDDLE, 0));
	assert_true(merges(true, 0, MIDDLE));
	assert_true(merges(true, NONE, 0));
	assert_true(merges(true, NONE, MIDDLE));
}

/* Of what is mapped between two others: is it one mapping with what precedes? They have pages, or not. */
static bool maps_to_previous(bool maps_to_next, bool first_is_used, bool last_is_used)
{
	bool result;

	start((struct model_opts){ .maps_to_next = maps_to_next });
	DO(&rig, MAP, .nr = MIDDLE, .value = RW);
	DO(&rig, MAP, .page = 2 * MIDDLE, .nr = MIDDLE, .value = RW);
	if (first_is_used)
		write_to(0, 1);
	if (last_is_used)
		write_to(2 * MIDDLE, 1);
	DO(&rig, MAP, .page = MIDDLE, .nr = MIDDLE, .value = RW);
	result = is_one_mapping();
	rig_end(&rig);
	return result;
}

static void mmap_between_mappings_merges_with_what_follows_first(void **state)
{
	(void)state;
	assert_false(maps_to_previous(true, false, true));
	assert_false(maps_to_previous(true, true, true));
	assert_true(maps_to_previous(true, true, false));
	assert_true(maps_to_previous(true, false, false));
	assert_true(maps_to_previous(false, false, true));
	assert_true(maps_to_previous(false, true, true));
}

/* Does a mapping that was writable merge with one that never was? */
static bool forgets_account(bool keeps_accounts, bool is_used)
{
	bool result;

	start((struct model_opts){ .keeps_accounts = keeps_accounts });
	DO(&rig, MAP, .nr = MIDDLE, .value = RW);
	DO(&rig, MAP, .page = MIDDLE, .nr = MIDDLE, .value = MODEL_READ);
	if (is_used)
		write_to(0, 1);
	DO(&rig, PROTECT, .nr = MIDDLE, .value = MODEL_READ);
	result = is_one_mapping();
	rig_end(&rig);
	return result;
}

static void what_was_never_used_is_accounted_no_more_when_it_is_protected(void **state)
{
	(void)state;
	assert_true(forgets_account(false, false));
	assert_false(forgets_account(false, true));
	assert_false(forgets_account(true, false));
}

static void a_buffer_is_of_one_file_only(void **state)
{
	(void)state;
	start((struct model_opts){ .pins_one_file = true });
	DO(&rig, MAP, .nr = MIDDLE, .value = RW);
	DO(&rig, MAP, .page = MIDDLE, .nr = MIDDLE, .flags = MODEL_SHARED, .value = RW);
	DO(&rig, MAP, .page = 2 * MIDDLE, .nr = MIDDLE, .flags = MODEL_SHARED, .value = RW);
	FAILS(&rig, -EINVAL, PIN, .page = MIDDLE / 2, .nr = MIDDLE);
	FAILS(&rig, -EINVAL, PIN, .page = 3 * MIDDLE / 2, .nr = MIDDLE);
	/* Nothing stays pinned. */
	FAILS(&rig, -EFAULT, DEVICE_WRITE, .value = 7);
	/* Anonymous mappings are of no file, all of them. */
	DO(&rig, HUGEPAGE, .nr = 1);
	DO(&rig, PIN, .nr = MIDDLE);
	DO(&rig, PIN, .page = MIDDLE, .nr = MIDDLE, .to = 1);
	rig_end(&rig);
}

static void a_buffer_may_be_of_several_files(void **state)
{
	(void)state;
	start((struct model_opts){ 0 });
	DO(&rig, MAP, .nr = MIDDLE, .value = RW);
	DO(&rig, MAP, .page = MIDDLE, .nr = MIDDLE, .flags = MODEL_SHARED, .value = RW);
	DO(&rig, PIN, .page = MIDDLE / 2, .nr = MIDDLE);
	DO(&rig, DEVICE_WRITE, .page = MIDDLE - 1, .value = 7);
	assert_int_equal(rig_read(&rig, 0, MIDDLE + MIDDLE / 2 - 1), 7);
	rig_end(&rig);
}

/* Is a page marked because entries of pages have come of a dirty huge one, which was not? */
static bool split_marks(bool splits_clean)
{
	bool result;

	start_huge((struct model_opts){ .splits_clean = splits_clean });
	DO(&rig, CLEAR_SOFT);
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	result = is(HERE, SEEN_SOFT);
	rig_end(&rig);
	return result;
}

static void whether_the_split_of_a_dirty_huge_entry_marks_is_the_kernels_choice(void **state)
{
	(void)state;
	assert_true(split_marks(false));
	assert_false(split_marks(true));
}

/* The mark that a huge entry has is kept in any case. */
static void a_clean_split_loses_no_mark(void **state)
{
	(void)state;
	start_huge((struct model_opts){ .splits_clean = true });
	DO(&rig, CLEAR_SOFT);
	write_to(HERE, 3);
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	assert_true(is(HERE, SEEN_SOFT));
	rig_end(&rig);
}

/* A pinned page keeps its mark while it is writable. */
static bool pinned_is_writable(void)
{
	DO(&rig, CLEAR_SOFT);
	return is(HERE, SEEN_SOFT);
}

/* Is a page writable at once when it may be written to again, or is but written to from now on? */
static bool is_writable_again(bool protects_clean, bool is_clean, uint64_t meanwhile, uint64_t after)
{
	bool result;

	start((struct model_opts){ .protects_clean = protects_clean });
	DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
	write_to(HERE, 1);
	if (is_clean)
		DO(&rig, FREE, .page = HERE, .nr = 1);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, PROTECT, .nr = MODEL_HUGE, .value = meanwhile);
	DO(&rig, PROTECT, .nr = MODEL_HUGE, .value = after);
	result = pinned_is_writable();
	rig_end(&rig);
	return result;
}

static void a_clean_page_is_not_writable_at_once(void **state)
{
	(void)state;
	assert_true(is_writable_again(false, true, MODEL_READ, RW));
	assert_false(is_writable_again(true, true, MODEL_READ, RW));
	assert_true(is_writable_again(true, false, MODEL_READ, RW));
}

static void a_clean_page_does_not_stay_writable(void **state)
{
	(void)state;
	assert_true(is_writable_again(false, true, MODEL_WRITE, RW));
	assert_false(is_writable_again(true, true, MODEL_WRITE, RW));
	assert_true(is_writable_again(true, false, MODEL_WRITE, RW));
}

/* Does a huge entry stay writable? It shows by the entries that it is split into. */
static bool huge_stays_writable(bool protects_clean)
{
	bool result;

	start_huge((struct model_opts){ .protects_clean = protects_clean });
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, PROTECT, .nr = MODEL_HUGE, .value = MODEL_WRITE);
	assert_true(is(HERE, SEEN_HUGE));
	DO(&rig, DONTNEED, .page = 0, .nr = 1);
	result = pinned_is_writable();
	rig_end(&rig);
	return result;
}

static void a_huge_entry_does_not_stay_writable(void **state)
{
	(void)state;
	assert_true(huge_stays_writable(false));
	assert_false(huge_stays_writable(true));
}

/* Two equal pages, which are one. */
static void start_merged(bool unmerges_by_write)
{
	start((struct model_opts){ .unmerges_by_write = unmerges_by_write });
	DO(&rig, MAP, .nr = 2, .value = RW);
	write_to(0, 1);
	write_to(1, 1);
	DO(&rig, MERGEABLE, .nr = 2);
	DO(&rig, MERGE);
	DO(&rig, CLEAR_SOFT);
	assert_false(is(0, SEEN_ONCE));
}

static bool unmerging_marks(bool unmerges_by_write)
{
	bool result;

	start_merged(unmerges_by_write);
	DO(&rig, UNMERGEABLE, .nr = 2);
	assert_true(is(0, SEEN_ONCE));
	result = is(0, SEEN_SOFT);
	assert_int_equal(rig_read(&rig, 0, 0), 1);
	rig_end(&rig);
	return result;
}

static void whether_what_is_taken_apart_is_marked_is_the_kernels_choice(void **state)
{
	(void)state;
	assert_true(unmerging_marks(true));
	assert_false(unmerging_marks(false));
}

static void a_mapping_that_moves_takes_no_merged_page_along(void **state)
{
	(void)state;
	for (int by_write = 0; by_write < 2; by_write++) {
		start_merged(by_write);
		DO(&rig, MOVE, .page = 1, .nr = 1, .to = FAR);
		assert_true(is(FAR, SEEN_ONCE));
		assert_true(is(0, SEEN_ONCE));
		assert_int_equal(rig_read(&rig, 0, FAR), 1);
		rig_end(&rig);
	}
}

/* A used mapping that came from elsewhere leaves its place, and what is left there is used no more. */
static bool left_is_as_new(bool leaves_as_new)
{
	const struct model_op both = { .kind = OP_MOVE, .page = FAR, .nr = 2, .to = 2 * FAR };
	bool result;

	start((struct model_opts){ .leaves_as_new = leaves_as_new });
	DO(&rig, MAP, .nr = 2, .value = RW);
	write_to(1, 1);
	DO(&rig, MOVE, .page = 0, .nr = 1, .to = FAR);
	DO(&rig, MOVE, .page = FAR, .nr = 1, .to = 2 * FAR, .flags = 1);
	DO(&rig, MAP, .page = FAR + 1, .nr = 1, .value = RW);
	assert_int_equal(model_run(rig.model, &both, &rig.last), 0);
	result = rig.last.code == 0;
	rig_end(&rig);
	return result;
}

static void whether_what_a_move_leaves_is_as_new_is_the_kernels_choice(void **state)
{
	(void)state;
	assert_true(left_is_as_new(true));
	assert_false(left_is_as_new(false));
}

static void what_a_move_leaves_of_a_file_maps_the_same_pages(void **state)
{
	uint64_t value;

	(void)state;
	start((struct model_opts){ .leaves_as_new = true });
	DO(&rig, MAP, .page = HERE, .nr = 1, .flags = MODEL_FILE, .value = RW);
	value = rig_read(&rig, 0, HERE);
	DO(&rig, MOVE, .page = HERE, .nr = 1, .to = FAR);
	DO(&rig, MOVE, .page = FAR, .nr = 1, .to = 2 * FAR, .flags = 1);
	assert_int_equal(rig_read(&rig, 0, FAR), value);
	rig_end(&rig);
}

/* The same advice, and nobody wrote. */
static bool split_off_is_marked(bool moves_mark)
{
	bool result;

	start_large((struct model_opts){ .moves_mark = moves_mark });
	DO(&rig, CLEAR_SOFT);
	DO(&rig, COLD, .page = HERE + 1, .nr = 1);
	result = is(HERE, SEEN_SOFT);
	rig_end(&rig);
	return result;
}

static void whether_dirty_pages_that_are_split_off_are_marked_is_the_kernels_choice(void **state)
{
	(void)state;
	assert_true(split_off_is_marked(true));
	assert_false(split_off_is_marked(false));
}

/* Their entries came clean of a clean split. */
static void clean_pages_that_are_split_off_are_not_marked(void **state)
{
	(void)state;
	start_large((struct model_opts){ .splits_clean = true, .moves_mark = true });
	DO(&rig, CLEAR_SOFT);
	DO(&rig, COLD, .page = HERE + 1, .nr = 1);
	assert_false(is(HERE, SEEN_SOFT));
	rig_end(&rig);
}

/* Is a page of a huge entry mapped once, when a child has but this one of them? */
static bool is_once_with_child_of(bool once_of_first, uint32_t childs, uint32_t page)
{
	bool result;

	start_huge((struct model_opts){ .once_of_first = once_of_first });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, UNMAP, .process = CHILD, .page = 0, .nr = childs);
	DO(&rig, UNMAP, .process = CHILD, .page = childs + 1, .nr = MODEL_HUGE - childs - 1);
	assert_true(is(page, SEEN_HUGE));
	result = is(page, SEEN_ONCE);
	rig_end(&rig);
	return result;
}

static void whether_a_page_is_mapped_once_may_be_asked_of_the_first(void **state)
{
	(void)state;
	assert_false(is_once_with_child_of(false, HERE, HERE));
	assert_true(is_once_with_child_of(true, HERE, HERE));
	assert_true(is_once_with_child_of(false, 0, HERE));
	assert_false(is_once_with_child_of(true, 0, HERE));
}

/* Only where no table is a huge page is made at once. */
static bool leaves_no_table(struct model_opts opts, uint32_t first, uint32_t nr)
{
	bool result;

	start(opts);
	DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
	write_to(HERE, 1);
	DO(&rig, HUGEPAGE, .nr = MODEL_HUGE);
	DO(&rig, DONTNEED, .page = first, .nr = nr);
	write_to(HERE + 1, 2);
	result = is(HERE + 1, SEEN_HUGE);
	rig_end(&rig);
	return result;
}

static void the_table_of_a_block_that_is_given_up_goes(void **state)
{
	const struct model_opts frees = { .frees_tables = true };

	(void)state;
	assert_true(leaves_no_table(frees, 0, MODEL_HUGE));
	assert_false(leaves_no_table(frees, 0, MODEL_HUGE - 1));
	assert_false(leaves_no_table((struct model_opts){ 0 }, 0, MODEL_HUGE));
}

static void a_write_to_the_huge_zero_page_makes_a_huge_page(void **state)
{
	(void)state;
	for (int stays = 0; stays < 2; stays++) {
		start((struct model_opts){ .zeros_stay_huge = stays });
		DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
		DO(&rig, HUGEPAGE, .nr = MODEL_HUGE);
		assert_int_equal(rig_read(&rig, 0, HERE), 0);
		assert_true(is(HERE, SEEN_ZERO) && is(HERE, SEEN_HUGE));
		write_to(HERE, 1);
		assert_false(is(HERE, SEEN_ZERO));
		assert_int_equal(is(HERE, SEEN_HUGE), stays);
		assert_int_equal(is(HERE + 1, SEEN_ZERO), !stays);
		assert_int_equal(rig_read(&rig, 0, HERE + 1), 0);
		rig_end(&rig);
	}
}

static void whether_what_is_read_only_collapses_is_the_kernels_choice(void **state)
{
	(void)state;
	for (int collapses = 0; collapses < 2; collapses++) {
		start((struct model_opts){ .collapses_read_only = collapses });
		DO(&rig, MAP, .nr = MODEL_HUGE, .value = RW);
		write_to(HERE, 1);
		DO(&rig, PROTECT, .nr = MODEL_HUGE, .value = MODEL_READ);
		FAILS(&rig, collapses ? 0 : -EINVAL, COLLAPSE, .page = 0);
		assert_int_equal(is(HERE, SEEN_HUGE), collapses);
		assert_int_equal(rig_read(&rig, 0, HERE), 1);
		rig_end(&rig);
	}
}

/* Two mappings, a hole of as many pages between them, and a page where they are to go. */
static void start_with_hole(bool moves_many)
{
	start((struct model_opts){ .moves_many = moves_many });
	DO(&rig, MAP, .nr = 3 * MIDDLE, .value = RW);
	write_to(0, 1);
	write_to(2 * MIDDLE, 2);
	DO(&rig, UNMAP, .page = MIDDLE, .nr = MIDDLE);
	DO(&rig, MAP, .page = FAR, .nr = 1, .value = RW);
	write_to(FAR, 3);
}

static void several_mappings_move_and_the_holes_stay(void **state)
{
	(void)state;
	start_with_hole(true);
	DO(&rig, MAP, .page = FAR + MIDDLE, .nr = 1, .value = RW);
	write_to(FAR + MIDDLE, 4);
	DO(&rig, MOVE, .nr = 3 * MIDDLE, .to = FAR);
	assert_int_equal(rig_read(&rig, 0, FAR), 1);
	assert_int_equal(rig_read(&rig, 0, FAR + MIDDLE), 4);
	assert_int_equal(rig_read(&rig, 0, FAR + 2 * MIDDLE), 2);
	FAILS(&rig, -EFAULT, READ, .page = 0, .nr = 1);
	rig_end(&rig);
}

static void where_one_mapping_moves_at_a_time_what_was_in_the_way_is_gone_all_the_same(void **state)
{
	(void)state;
	start_with_hole(false);
	FAILS(&rig, -EFAULT, MOVE, .nr = 3 * MIDDLE, .to = FAR);
	FAILS(&rig, -EFAULT, READ, .page = FAR, .nr = 1);
	assert_int_equal(rig_read(&rig, 0, 0), 1);
	rig_end(&rig);
}

static void of_several_mappings_none_that_is_registered_moves(void **state)
{
	(void)state;
	start_with_hole(true);
	DO(&rig, REGISTER, .nr = MIDDLE);
	FAILS(&rig, -EFAULT, MOVE, .nr = 3 * MIDDLE, .to = FAR);
	assert_int_equal(rig_read(&rig, 0, FAR), 3);
	DO(&rig, UNREGISTER, .nr = MIDDLE);
	DO(&rig, REGISTER, .page = 2 * MIDDLE, .nr = MIDDLE);
	FAILS(&rig, -EFAULT, MOVE, .nr = 3 * MIDDLE, .to = FAR);
	assert_int_equal(rig_read(&rig, 0, FAR), 1);
	assert_int_equal(rig_read(&rig, 0, 2 * MIDDLE), 2);
	rig_end(&rig);
}

/* Is a page still one of the large folio's after a write? Zeros are written: if it is, it becomes the zero page as that
 * is split. */
static bool reuses_large(bool reuses, bool child_stays)
{
	bool result;

	start_large((struct model_opts){ .reuses_large = reuses, .splits_map_zeros = true });
	DO(&rig, FORK, .to = CHILD);
	if (!child_stays)
		DO(&rig, EXIT, .process = CHILD);
	write_to(HERE, 0);
	if (child_stays) {
		assert_int_equal(rig_read(&rig, CHILD, HERE), 2);
		DO(&rig, EXIT, .process = CHILD);
	}
	DO(&rig, COLD, .page = HERE + 1, .nr = 1);
	assert_true(is(HERE + 1, SEEN_ZERO));
	result = is(HERE, SEEN_ZERO);
	rig_end(&rig);
	return result;
}

static void whether_a_page_of_a_large_folio_is_taken_over_is_the_kernels_choice(void **state)
{
	(void)state;
	assert_true(reuses_large(true, false));
	assert_false(reuses_large(true, true));
	assert_false(reuses_large(false, false));
}

/* A folio that the process has by entries of pages, all but page 1, and a child one page of. Does advice about the page
 * HERE split it? It shows by its zeros. */
static bool splits_large(enum model_op_kind advice, uint32_t childs)
{
	bool result;

	start_huge((struct model_opts){ .sharing = MODEL_SHARING_ONE_PAGE, .splits_map_zeros = true });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, UNMAP, .page = 1, .nr = 1);
	DO(&rig, UNMAP, .process = CHILD, .page = 0, .nr = childs);
	DO(&rig, UNMAP, .process = CHILD, .page = childs + 1, .nr = MODEL_HUGE - childs - 1);
	rig_do(&rig, (struct model_op){ .kind = advice, .page = HERE, .nr = 1 });
	result = is(HERE + 1, SEEN_ZERO);
	rig_end(&rig);
	return result;
}

static void whether_a_large_folio_is_shared_cold_and_pageout_ask_the_page_itself(void **state)
{
	(void)state;
	assert_true(splits_large(OP_COLD, 0));
	assert_false(splits_large(OP_COLD, HERE));
	assert_true(splits_large(OP_PAGEOUT, 0));
	assert_false(splits_large(OP_PAGEOUT, HERE));
}

static void whether_a_large_folio_is_shared_free_asks_the_first_page(void **state)
{
	(void)state;
	assert_false(splits_large(OP_FREE, 0));
	assert_true(splits_large(OP_FREE, HERE));
}

/* Advice about a page that a child has, too, and then about HERE, which it has not: is the folio split? */
static bool goes_on(bool has_own_mapping)
{
	bool result;

	start_huge((struct model_opts){ .sharing = MODEL_SHARING_ONE_PAGE, .splits_map_zeros = true });
	if (has_own_mapping)
		DO(&rig, NOHUGEPAGE, .page = HERE, .nr = 1);
	else /* entries of pages all the same */
		DO(&rig, DONTNEED, .page = 0, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, UNMAP, .process = CHILD, .page = HERE, .nr = 1);
	DO(&rig, COLD, .page = HERE - 1, .nr = 2);
	result = is(HERE + 1, SEEN_ZERO);
	rig_end(&rig);
	return result;
}

static void advice_that_a_page_ends_goes_on_in_the_next_mapping(void **state)
{
	(void)state;
	assert_false(goes_on(false));
	assert_true(goes_on(true));
}

/* The same where the process has it by a huge entry. */
static bool splits_huge(enum model_op_kind advice, uint32_t childs)
{
	bool result;

	start_huge((struct model_opts){ .sharing = MODEL_SHARING_ONE_PAGE });
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, UNMAP, .process = CHILD, .page = 0, .nr = childs);
	DO(&rig, UNMAP, .process = CHILD, .page = childs + 1, .nr = MODEL_HUGE - childs - 1);
	rig_do(&rig, (struct model_op){ .kind = advice, .page = HERE, .nr = 1 });
	result = !is(HERE, SEEN_HUGE);
	rig_end(&rig);
	return result;
}

static void whether_a_huge_entrys_folio_is_shared_free_asks_all_mappings(void **state)
{
	(void)state;
	assert_false(splits_huge(OP_FREE, 0));
	assert_false(splits_huge(OP_FREE, HERE));
	assert_false(splits_huge(OP_COLD, 0));
	assert_true(splits_huge(OP_COLD, HERE));
	assert_true(splits_huge(OP_PAGEOUT, HERE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_used_mapping_does_not_merge_with_an_unused_one),
		cmocka_unit_test(an_unused_mapping_merges_with_any),
		cmocka_unit_test(mmap_between_mappings_merges_with_what_follows_first),
		cmocka_unit_test(what_was_never_used_is_accounted_no_more_when_it_is_protected),
		cmocka_unit_test(a_buffer_is_of_one_file_only),
		cmocka_unit_test(a_buffer_may_be_of_several_files),
		cmocka_unit_test(whether_the_split_of_a_dirty_huge_entry_marks_is_the_kernels_choice),
		cmocka_unit_test(a_clean_split_loses_no_mark),
		cmocka_unit_test(a_clean_page_is_not_writable_at_once),
		cmocka_unit_test(a_clean_page_does_not_stay_writable),
		cmocka_unit_test(a_huge_entry_does_not_stay_writable),
		cmocka_unit_test(whether_what_is_taken_apart_is_marked_is_the_kernels_choice),
		cmocka_unit_test(a_mapping_that_moves_takes_no_merged_page_along),
		cmocka_unit_test(whether_what_a_move_leaves_is_as_new_is_the_kernels_choice),
		cmocka_unit_test(what_a_move_leaves_of_a_file_maps_the_same_pages),
		cmocka_unit_test(whether_dirty_pages_that_are_split_off_are_marked_is_the_kernels_choice),
		cmocka_unit_test(clean_pages_that_are_split_off_are_not_marked),
		cmocka_unit_test(whether_a_page_is_mapped_once_may_be_asked_of_the_first),
		cmocka_unit_test(the_table_of_a_block_that_is_given_up_goes),
		cmocka_unit_test(a_write_to_the_huge_zero_page_makes_a_huge_page),
		cmocka_unit_test(whether_what_is_read_only_collapses_is_the_kernels_choice),
		cmocka_unit_test(several_mappings_move_and_the_holes_stay),
		cmocka_unit_test(where_one_mapping_moves_at_a_time_what_was_in_the_way_is_gone_all_the_same),
		cmocka_unit_test(of_several_mappings_none_that_is_registered_moves),
		cmocka_unit_test(whether_a_page_of_a_large_folio_is_taken_over_is_the_kernels_choice),
		cmocka_unit_test(whether_a_large_folio_is_shared_cold_and_pageout_ask_the_page_itself),
		cmocka_unit_test(whether_a_large_folio_is_shared_free_asks_the_first_page),
		cmocka_unit_test(advice_that_a_page_ends_goes_on_in_the_next_mapping),
		cmocka_unit_test(whether_a_huge_entrys_folio_is_shared_free_asks_all_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
