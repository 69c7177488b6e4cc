/* SPDX-License-Identifier: MIT */
/* This file forks the model's processes: what is shared, what is copied, and that it is so at every instant between. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "model-rig.h"

enum {
	HERE = 3,
	CHILD = 1,
};

static void start(struct rig *rig, enum model_kind kind)
{
	rig_start(rig, MODEL_NO_BUG);
	DO(rig, MAP, .nr = MODEL_PAGES, .flags = kind, .value = RW);
}

static void D1_anonymous_pages_are_shared_until_one_writes(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	DO(&rig, FORK, .to = CHILD);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	assert_int_equal(rig_see(&rig, CHILD, HERE).value, 5);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 6);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	rig_end(&rig);
}

/* A table without entries leaves no place for a huge page, in the child neither. */
static void D1_an_empty_table_is_copied(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, DONTNEED, .page = 0, .nr = HERE + 1);
	DO(&rig, HUGEPAGE, .nr = MODEL_HUGE);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
	assert_false(rig_see(&rig, CHILD, HERE).flags & SEEN_HUGE);
	rig_end(&rig);
}

static void D1_pages_of_files_are_shared_always(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_SHARED);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
	DO(&rig, DEVICE_READ, .page = 0);
	assert_int_equal(rig.last.value, 6);
	assert_int_equal(rig_read(&rig, 0, HERE), 6);
	rig_end(&rig);
}

static void D1_a_pinned_page_is_copied_for_the_child_at_once(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, WRITE, .page = HERE + 1, .nr = 1, .value = 50);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	assert_true(rig_see(&rig, CHILD, HERE).flags & SEEN_ONCE);
	assert_false(rig_see(&rig, CHILD, HERE + 1).flags & SEEN_ONCE);
	rig_end(&rig);
}

static void start_huge(struct rig *rig)
{
	start(rig, MODEL_ANON);
	DO(rig, HUGEPAGE, .nr = MODEL_PAGES);
	DO(rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(rig, WRITE, .page = HERE + 1, .nr = 1, .value = 50);
	assert_true(rig_see(rig, 0, HERE).flags & SEEN_HUGE);
}

static void D1_a_huge_page_is_shared_whole(void **state)
{
	struct rig rig;

	(void)state;
	start_huge(&rig);
	DO(&rig, FORK, .to = CHILD);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	assert_true(rig_see(&rig, CHILD, HERE).flags & SEEN_HUGE);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	assert_int_equal(rig_read(&rig, CHILD, HERE + 1), 50);
	rig_end(&rig);
}

static void D1_a_pinned_huge_page_is_split_and_copied(void **state)
{
	struct rig rig;

	(void)state;
	start_huge(&rig);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	assert_true(rig_see(&rig, CHILD, HERE).flags & SEEN_ONCE);
	assert_true(rig_see(&rig, CHILD, HERE + 1).flags & SEEN_ONCE);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 7);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	rig_end(&rig);
}

static void start_hugetlb(struct rig *rig)
{
	rig_start(rig, MODEL_NO_BUG);
	DO(rig, MAP_HUGETLB, .nr = MODEL_HUGE, .value = RW);
	DO(rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(rig, WRITE, .page = HERE + 1, .nr = 1, .value = 50);
}

/* And stays whole when one of them writes: with it, what is beside goes. */
static void D1_a_page_of_hugetlb_is_shared_whole(void **state)
{
	struct rig rig;

	(void)state;
	start_hugetlb(&rig);
	DO(&rig, FORK, .to = CHILD);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	DO(&rig, WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 6);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_ONCE);
	assert_true(rig_see(&rig, CHILD, HERE + 1).flags & SEEN_HUGE);
	DO(&rig, WRITE, .page = HERE + 1, .nr = 1, .value = 51);
	assert_int_equal(rig_read(&rig, 0, HERE), 5);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 6);
	assert_int_equal(rig_read(&rig, CHILD, HERE + 1), 50);
	rig_end(&rig);
}

static void D1_a_pinned_page_of_hugetlb_is_copied_whole(void **state)
{
	struct rig rig;

	(void)state;
	start_hugetlb(&rig);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	assert_int_equal(rig_see(&rig, 0, HERE).flags & (SEEN_ONCE | SEEN_HUGE), SEEN_ONCE | SEEN_HUGE);
	assert_int_equal(rig_see(&rig, CHILD, HERE + 1).flags & (SEEN_ONCE | SEEN_HUGE), SEEN_ONCE | SEEN_HUGE);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 7);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	assert_int_equal(rig_read(&rig, CHILD, HERE + 1), 50);
	rig_end(&rig);
}

/* What is only read is a page of its own from then on; once it was given up, what is read is zeros again. */
static void a_page_of_hugetlb_comes_and_goes_whole(void **state)
{
	struct model_op part = { .kind = OP_DONTNEED, .page = 1, .nr = MODEL_HUGE };
	struct rig rig;

	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP_HUGETLB, .nr = 2 * MODEL_HUGE, .value = RW);
	assert_int_equal(rig_read(&rig, 0, HERE), 0);
	assert_int_equal(rig_see(&rig, 0, HERE + 1).flags & (SEEN_PRESENT | SEEN_ZERO), SEEN_PRESENT);
	assert_false(rig_see(&rig, 0, MODEL_HUGE).flags & SEEN_PRESENT);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	assert_false(model_knows(rig.model, &part));
	rig_fails(&rig, part, -EOPNOTSUPP);
	DO(&rig, DONTNEED, .nr = MODEL_HUGE);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_PRESENT);
	assert_int_equal(rig_read(&rig, 0, HERE), 0);
	rig_end(&rig);
}

static void D1_swapped_pages_are_shared(void **state)
{
	struct model_seen real[MODEL_PAGES] = { [HERE] = { .flags = SEEN_SWAPPED } };
	struct model_op op = { .kind = OP_PAGEOUT, .page = HERE, .nr = 1 };
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	rig_do(&rig, op);
	assert_string_equal(model_follow(rig.model, &op, 0, HERE, SEEN_ALL, real), "reclaimed");
	DO(&rig, FORK, .to = CHILD);
	assert_true(rig_see(&rig, CHILD, HERE).flags & SEEN_SWAPPED);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	assert_int_equal(rig_read(&rig, 0, HERE), 6);
	rig_end(&rig);
}

static void D1_what_is_in_a_devices_memory_is_shared_always(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, TO_DEVICE, .page = HERE, .nr = 1);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_PRESENT);
	DO(&rig, FORK, .to = CHILD);
	assert_false(rig_see(&rig, CHILD, HERE).flags & SEEN_PRESENT);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	assert_int_equal(rig_read(&rig, 0, HERE), 6);
	rig_end(&rig);
}

/* A grandchild is made while its page is on its way, in every order. */
static void D1_a_page_that_migrates_is_shared(void **state)
{
	const struct model_op ops[] = {
		{ .kind = OP_MIGRATE, .process = CHILD, .page = HERE, .nr = 1 },
		{ .kind = OP_FORK, .to = CHILD + 1 },
	};
	struct model_result results[2];

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig rig;

		start(&rig, MODEL_ANON);
		DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
		DO(&rig, FORK, .to = CHILD);
		assert_int_equal(model_run_all(rig.model, ops, 2, seed, results), 0);
		DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
		assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
		assert_int_equal(rig_read(&rig, CHILD + 1, HERE), 5);
		rig_end(&rig);
	}
}

/* The corruption that a fork once was for programs with devices. */
static void D3_what_a_device_writes_is_never_lost_to_a_copy(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 7);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 8);
	DO(&rig, DEVICE_READ, .page = 0);
	assert_int_equal(rig.last.value, 8);
	rig_end(&rig);
}

static void D3_an_exclusive_page_is_read_only_in_both_afterwards(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_ANON);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, FORK, .to = CHILD);
	/* A pin for writing breaks the sharing first: the page is the process's own again. */
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 7);
	assert_int_equal(rig_read(&rig, CHILD, HERE), 5);
	rig_end(&rig);
}

/* Is the pinned page shared at fork, the device's data is lost, and said to be. */
static void D3_sharing_a_pinned_page_would_be_noticed(void **state)
{
	struct rig rig;

	(void)state;
	rig_start(&rig, MODEL_BUG_FORK_PINNED);
	DO(&rig, MAP, .nr = MODEL_PAGES, .value = RW);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 5);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, FORK, .to = CHILD);
	DO(&rig, WRITE, .page = HERE, .nr = 1, .value = 6);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 7);
	assert_int_equal(rig_read(&rig, 0, HERE), 6);
	assert_non_null(model_broken(rig.model));
	model_free(rig.model);
}

/* Fork, KSM's merging, a write and the end of a mapping, step by step in every order that a seed makes. */
static const char *interleave(enum model_bug bug, uint64_t seed)
{
	static char broken[200];
	const struct model_op ops[] = {
		{ .kind = OP_FORK, .to = CHILD },
		{ .kind = OP_MERGE },
		{ .kind = OP_WRITE, .page = HERE, .nr = 1, .value = 9 },
		{ .kind = OP_UNMAP, .page = HERE + 1, .nr = 1 },
	};
	struct model_result results[4];
	struct rig rig;

	rig_start(&rig, bug);
	DO(&rig, MAP, .nr = 16, .value = RW);
	DO(&rig, MERGEABLE, .nr = 16);
	for (uint32_t i = 0; i < 4; i++)
		DO(&rig, WRITE, .page = HERE + i, .nr = 1, .value = 5);
	DO(&rig, PIN, .page = HERE + 2, .nr = 1);
	assert_int_equal(model_run_all(rig.model, ops, 4, seed, results), 0);
	if (model_broken(rig.model) == NULL) {
		assert_int_equal(rig_read(&rig, 0, HERE), 9);
		assert_int_equal(rig_read(&rig, 0, HERE + 2), 5);
	}
	broken[0] = 0;
	if (model_broken(rig.model) != NULL)
		strncpy(broken, model_broken(rig.model), sizeof(broken) - 1);
	model_free(rig.model);
	return broken;
}

static void D2_there_are_never_more_mappings_than_references(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++)
		assert_string_equal(interleave(MODEL_NO_BUG, seed), "");
}

/* The same of pages of hugetlb, one of them pinned, while both processes write and the mapping ends. */
static void D2_nor_of_pages_of_hugetlb(void **state)
{
	const struct model_op ops[] = {
		{ .kind = OP_WRITE, .process = CHILD, .page = HERE, .nr = 1, .value = 8 },
		{ .kind = OP_WRITE, .page = HERE, .nr = 1, .value = 9 },
		{ .kind = OP_FORK, .to = CHILD + 1 },
		{ .kind = OP_DONTNEED, .process = CHILD, .page = MODEL_HUGE, .nr = MODEL_HUGE },
		{ .kind = OP_UNMAP, .page = 2 * MODEL_HUGE, .nr = MODEL_HUGE },
	};
	struct model_result results[5];
	struct rig rig;

	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		rig_start(&rig, MODEL_NO_BUG);
		DO(&rig, MAP_HUGETLB, .nr = 3 * MODEL_HUGE, .value = RW);
		for (uint32_t i = 0; i < 3; i++)
			DO(&rig, WRITE, .page = HERE + i * MODEL_HUGE, .nr = 1, .value = 5);
		DO(&rig, PIN, .page = HERE + MODEL_HUGE, .nr = 1);
		DO(&rig, FORK, .to = CHILD);
		assert_int_equal(model_run_all(rig.model, ops, 5, seed, results), 0);
		assert_int_equal(rig_read(&rig, 0, HERE), 9);
		assert_int_equal(rig_read(&rig, CHILD, HERE), 8);
		assert_int_equal(rig_read(&rig, 0, HERE + MODEL_HUGE), 5);
		rig_end(&rig);
	}
}

static void D2_counting_the_mapping_first_would_be_noticed(void **state)
{
	unsigned nr_found = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++)
		nr_found += interleave(MODEL_BUG_MAPCOUNT_FIRST, seed)[0] != 0;
	assert_int_equal(nr_found, 50);
}

static void D2_ksm_leaves_a_page_that_others_refer_to(void **state)
{
	unsigned nr_found = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++)
		nr_found += interleave(MODEL_BUG_KSM_REFERENCE, seed)[0] != 0;
	assert_true(nr_found > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(D1_anonymous_pages_are_shared_until_one_writes),
		cmocka_unit_test(D1_an_empty_table_is_copied),
		cmocka_unit_test(D1_pages_of_files_are_shared_always),
		cmocka_unit_test(D1_a_pinned_page_is_copied_for_the_child_at_once),
		cmocka_unit_test(D1_a_huge_page_is_shared_whole),
		cmocka_unit_test(D1_a_page_of_hugetlb_is_shared_whole),
		cmocka_unit_test(D1_a_pinned_page_of_hugetlb_is_copied_whole),
		cmocka_unit_test(a_page_of_hugetlb_comes_and_goes_whole),
		cmocka_unit_test(D1_a_pinned_huge_page_is_split_and_copied),
		cmocka_unit_test(D1_swapped_pages_are_shared),
		cmocka_unit_test(D1_what_is_in_a_devices_memory_is_shared_always),
		cmocka_unit_test(D1_a_page_that_migrates_is_shared),
		cmocka_unit_test(D2_there_are_never_more_mappings_than_references),
		cmocka_unit_test(D2_nor_of_pages_of_hugetlb),
		cmocka_unit_test(D2_counting_the_mapping_first_would_be_noticed),
		cmocka_unit_test(D2_ksm_leaves_a_page_that_others_refer_to),
		cmocka_unit_test(D3_what_a_device_writes_is_never_lost_to_a_copy),
		cmocka_unit_test(D3_an_exclusive_page_is_read_only_in_both_afterwards),
		cmocka_unit_test(D3_sharing_a_pinned_page_would_be_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
