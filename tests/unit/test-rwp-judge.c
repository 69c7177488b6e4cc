/* SPDX-License-Identifier: MIT */
/* This file tests what the rwp sensor concludes from a page's mark, case by case. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/pagescan.h"
#include "sensor/rwp_judge.h"

#define ADDR UINT64_C(0x7f0000205000)

enum {
	MARKED = PAGESCAN_PRESENT,
	UNMARKED = PAGESCAN_PRESENT | PAGESCAN_WRITTEN,
	SWAPPED_MARKED = PAGESCAN_SWAPPED,
	SWAPPED_UNMARKED = PAGESCAN_SWAPPED | PAGESCAN_WRITTEN,
};

static struct tide_check judge(struct page_before before, uint64_t categories, bool whole)
{
	struct tide_check check = { .addr = ADDR };
	struct page_before carried;

	page_before_pack(&before, &check);
	page_before_unpack(&carried, &check);
	assert_int_equal(carried.page, before.page);
	assert_int_equal(carried.reason, before.reason);
	assert_int_equal(carried.shift, before.shift);
	assert_int_equal(carried.is_file, before.is_file);
	rwp_judge(&carried, categories, whole, &check);
	return check;
}

static void assert_answer(struct page_before before, uint64_t categories, enum tide_answer answer,
                          enum tide_reason reason)
{
	struct tide_check check = judge(before, categories, false);

	assert_int_equal(check.answer, answer);
	assert_int_equal(check.reason, reason);
}

static void the_mark_tells(void **unused)
{
	const struct page_before armed = { .page = PAGE_ARMED, .shift = 12 };

	(void)unused;
	assert_answer(armed, MARKED, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_answer(armed, UNMARKED, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(armed, SWAPPED_MARKED, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_answer(armed, SWAPPED_UNMARKED, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(armed, 0, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED);
}

static void what_appears_was_accessed_unless_a_neighbour_can_have_brought_it(void **unused)
{
	const struct page_before seen = { .page = PAGE_ABSENT_SEEN };
	const struct page_before absent = { .page = PAGE_ABSENT };
	const struct page_before unmapped = { .page = PAGE_UNMAPPED };
	const struct page_before armed = { .page = PAGE_ARMED, .shift = 12 };
	const struct page_before file = { .page = PAGE_ARMED, .shift = 12, .is_file = true };

	(void)unused;
	assert_answer(seen, UNMARKED, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(seen, UNMARKED | PAGESCAN_FILE, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(absent, UNMARKED, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(absent, UNMARKED | PAGESCAN_FILE, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	assert_answer(unmapped, UNMARKED, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(unmapped, UNMARKED | PAGESCAN_FILE, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	assert_answer(armed, UNMARKED | PAGESCAN_FILE, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	assert_answer(file, UNMARKED | PAGESCAN_FILE, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_answer(seen, 0, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_answer(absent, 0, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A8_what_could_not_be_protected_is_unobservable(void **unused)
{
	const struct page_before stuck = { .page = PAGE_STUCK, .reason = TIDE_REASON_UNTRACKED };

	(void)unused;
	assert_answer(stuck, UNMARKED, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNTRACKED);
	assert_answer(stuck, MARKED, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNTRACKED);
	assert_answer(stuck, 0, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED);
}

static void A4_the_answer_holds_for_the_page_that_was_protected(void **unused)
{
	const struct page_before huge = { .page = PAGE_ARMED, .shift = 21 };
	struct tide_check check = judge(huge, MARKED, true);

	(void)unused;
	assert_int_equal(check.page_start, ADDR & ~UINT64_C(0x1fffff));
	assert_int_equal(check.page_end - check.page_start, 2 << 20);
	/* Split meanwhile: each part has its own mark. */
	check = judge(huge, MARKED, false);
	assert_int_equal(check.page_start, ADDR);
	assert_int_equal(check.page_end - check.page_start, 4096);
	check = judge((struct page_before){ .page = PAGE_UNMAPPED }, 0, false);
	assert_int_equal(check.page_start, 0);
	assert_int_equal(check.page_end, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mark_tells),
		cmocka_unit_test(what_appears_was_accessed_unless_a_neighbour_can_have_brought_it),
		cmocka_unit_test(A8_what_could_not_be_protected_is_unobservable),
		cmocka_unit_test(A4_the_answer_holds_for_the_page_that_was_protected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
