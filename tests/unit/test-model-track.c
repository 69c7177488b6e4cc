/* SPDX-License-Identifier: MIT */
/* This file writes to the model's pages and asks each tracker what was written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "model-rig.h"

enum {
	HERE = 3,
	HUGE = MODEL_HUGE,
};

static void start(struct rig *rig, enum model_bug bug)
{
	rig_start(rig, bug);
	DO(rig, MAP, .nr = MODEL_PAGES, .value = RW);
}

static void write_to(struct rig *rig, uint32_t page, uint64_t value)
{
	DO(rig, WRITE, .page = page, .nr = 1, .value = value);
}

static bool is_marked(struct rig *rig, uint32_t page)
{
	return rig_see(rig, 0, page).flags & SEEN_SOFT;
}

static void a_new_mapping_is_marked_whole_until_marks_are_cleared(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	assert_true(is_marked(&rig, 7));
	DO(&rig, CLEAR_SOFT, .nr = 0);
	assert_false(is_marked(&rig, 7));
	write_to(&rig, HERE, 5);
	assert_true(is_marked(&rig, HERE));
	assert_false(is_marked(&rig, 7));
	rig_end(&rig);
}

static void a_merged_mapping_stays_marked(void **state)
{
	struct rig rig;

	(void)state;
	rig_start(&rig, MODEL_NO_BUG);
	DO(&rig, MAP, .nr = 8, .value = RW);
	DO(&rig, CLEAR_SOFT, .nr = 0);
	DO(&rig, MAP, .page = 8, .nr = 8, .value = RW);
	assert_true(is_marked(&rig, 9));
	assert_true(is_marked(&rig, 0));
	rig_end(&rig);
}

static void E1_a_mark_survives_a_split_and_a_migration(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, HUGEPAGE, .nr = HUGE);
	write_to(&rig, HERE, 5);
	write_to(&rig, HUGE + HERE, 5);
	DO(&rig, CLEAR_SOFT, .nr = 0);
	write_to(&rig, HERE, 6);
	write_to(&rig, HUGE + HERE, 6);
	DO(&rig, DONTNEED, .page = 8, .nr = 1);
	assert_true(is_marked(&rig, HERE));
	DO(&rig, MIGRATE, .page = HUGE + HERE, .nr = 1);
	assert_true(is_marked(&rig, HUGE + HERE));
	assert_int_equal(rig_read(&rig, 0, HUGE + HERE), 6);
	rig_end(&rig);
}

static void a_pinned_page_keeps_its_mark(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	write_to(&rig, HERE, 5);
	write_to(&rig, HERE + 1, 5);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, CLEAR_SOFT, .nr = 0);
	assert_true(is_marked(&rig, HERE));
	assert_false(is_marked(&rig, HERE + 1));
	rig_end(&rig);
}

static void what_is_written_is_reported_once(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, REGISTER, .nr = MODEL_PAGES);
	write_to(&rig, HERE, 5);
	DO(&rig, REARM, .nr = MODEL_PAGES);
	assert_true(rig_reported(&rig, HERE));
	assert_true(rig_reported(&rig, HERE + 1));
	DO(&rig, REARM, .nr = MODEL_PAGES);
	assert_false(rig_reported(&rig, HERE));
	write_to(&rig, HERE, 6);
	write_to(&rig, 900, 6);
	DO(&rig, REARM, .nr = MODEL_PAGES);
	assert_true(rig_reported(&rig, HERE));
	assert_true(rig_reported(&rig, 900));
	assert_false(rig_reported(&rig, HERE + 1));
	rig_end(&rig);
}

static void a_page_that_was_given_up_is_reported(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, REGISTER, .nr = MODEL_PAGES);
	write_to(&rig, HERE, 5);
	DO(&rig, ARM, .nr = MODEL_PAGES);
	DO(&rig, DONTNEED, .page = HERE, .nr = 1);
	DO(&rig, REARM, .nr = MODEL_PAGES);
	assert_true(rig_reported(&rig, HERE));
	rig_end(&rig);
}

static void E1_a_write_to_a_huge_page_splits_it_and_is_reported(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, HUGEPAGE, .nr = HUGE);
	write_to(&rig, HERE, 5);
	DO(&rig, REGISTER, .nr = HUGE);
	DO(&rig, ARM, .nr = HUGE);
	assert_true(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	write_to(&rig, HERE, 6);
	assert_false(rig_see(&rig, 0, HERE).flags & SEEN_HUGE);
	DO(&rig, REARM, .nr = HUGE);
	assert_true(rig_reported(&rig, HERE));
	assert_false(rig_reported(&rig, HERE + 1));
	rig_end(&rig);
}

/* What the kernel does not tell, and the order that finds it all the same. */
static void B4_a_device_write_is_reported_because_the_page_is_pinned(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, REGISTER, .nr = MODEL_PAGES);
	DO(&rig, COLLECT, .nr = 0);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, COLLECT, .nr = 0);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 9);
	DO(&rig, UNPIN, .nr = 0);
	DO(&rig, COLLECT, .nr = 0);
	assert_true(rig_reported(&rig, HERE));
	assert_false(rig_reported(&rig, HERE + 1));
	DO(&rig, COLLECT, .nr = 0);
	assert_false(rig_reported(&rig, HERE));
	rig_end(&rig);
}

static void B4_the_scan_alone_does_not_report_it(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, REGISTER, .nr = MODEL_PAGES);
	DO(&rig, PIN, .page = HERE, .nr = 1);
	DO(&rig, REARM, .nr = MODEL_PAGES);
	DO(&rig, DEVICE_WRITE, .page = 0, .value = 9);
	DO(&rig, REARM, .nr = MODEL_PAGES);
	assert_false(rig_reported(&rig, HERE));
	assert_int_equal(rig_read(&rig, 0, HERE), 9);
	rig_end(&rig);
}

static void what_is_not_registered_cannot_be_armed(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	FAILS(&rig, -ENOENT, ARM, .nr = 8);
	FAILS(&rig, -EPERM, REARM, .nr = 8);
	DO(&rig, UNMAP, .page = HERE, .nr = 1);
	FAILS(&rig, -EFAULT, WRITE, .page = HERE, .nr = 1, .value = 1);
	rig_end(&rig);
}

static void A1_a_page_is_young_again_when_it_was_used(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	write_to(&rig, HERE, 5);
	DO(&rig, MKOLD, .page = HERE, .nr = 1);
	DO(&rig, YOUNG, .page = HERE, .nr = 1);
	assert_int_equal(rig.last.value, 0);
	rig_read(&rig, 0, HERE);
	DO(&rig, YOUNG, .page = HERE, .nr = 1);
	assert_int_equal(rig.last.value, 1);
	rig_end(&rig);
}

static void A4_a_huge_page_is_young_as_a_whole(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, MODEL_NO_BUG);
	DO(&rig, HUGEPAGE, .nr = HUGE);
	write_to(&rig, HERE, 5);
	DO(&rig, MKOLD, .page = HERE, .nr = 1);
	rig_read(&rig, 0, HERE + 100);
	DO(&rig, YOUNG, .page = HERE, .nr = 1);
	assert_int_equal(rig.last.value, 1);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_mapping_is_marked_whole_until_marks_are_cleared),
		cmocka_unit_test(a_merged_mapping_stays_marked),
		cmocka_unit_test(E1_a_mark_survives_a_split_and_a_migration),
		cmocka_unit_test(a_pinned_page_keeps_its_mark),
		cmocka_unit_test(what_is_written_is_reported_once),
		cmocka_unit_test(a_page_that_was_given_up_is_reported),
		cmocka_unit_test(E1_a_write_to_a_huge_page_splits_it_and_is_reported),
		cmocka_unit_test(B4_a_device_write_is_reported_because_the_page_is_pinned),
		cmocka_unit_test(B4_the_scan_alone_does_not_report_it),
		cmocka_unit_test(what_is_not_registered_cannot_be_armed),
		cmocka_unit_test(A1_a_page_is_young_again_when_it_was_used),
		cmocka_unit_test(A4_a_huge_page_is_young_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
