/* SPDX-License-Identifier: MIT */
/* This file tests what two looks at a page, and its write protection between them, are taken for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/pagescan.h"
#include "sensor/writes_judge.h"

#define PAGE  4096u
#define ADDR  ((uint64_t)0x7f0000234000)
#define THERE PAGESCAN_PRESENT

static struct tide_check judge(struct page_before before, uint64_t categories)
{
	struct tide_check check = { .addr = ADDR };
	struct page_before carried;

	page_before_pack(&before, &check);
	page_before_unpack(&carried, &check);
	assert_int_equal(carried.page, before.page);
	assert_int_equal(carried.reason, before.reason);
	assert_int_equal(carried.shift, before.shift);
	writes_judge(&carried, categories, &check);
	return check;
}

static void expect(enum page_standing page, uint64_t categories, enum tide_answer answer, enum tide_reason reason)
{
	struct tide_check check = judge((struct page_before){ .page = page, .shift = 12 }, categories);

	assert_int_equal(check.answer, answer);
	assert_int_equal(check.reason, reason);
}

static void B1_a_page_whose_protection_is_gone_was_written(void **state)
{
	expect(PAGE_ARMED, THERE | PAGESCAN_WRITTEN, TIDE_ANSWER_ACCESSED, 0);
	expect(PAGE_ARMED, THERE, TIDE_ANSWER_IDLE, 0);
	expect(PAGE_ARMED, THERE | PAGESCAN_FILE, TIDE_ANSWER_IDLE, 0);
}

static void B3_the_mark_is_believed_in_swap(void **state)
{
	expect(PAGE_ARMED, PAGESCAN_SWAPPED, TIDE_ANSWER_IDLE, 0);
	expect(PAGE_ARMED, PAGESCAN_SWAPPED | PAGESCAN_WRITTEN, TIDE_ANSWER_ACCESSED, 0);
}

static void what_was_freed_is_not_called_unwritten(void **state)
{
	expect(PAGE_ARMED, 0, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED);
}

/* Reading brings the zero page, or a file's; only a write a page of one's own. */
static void what_appears_is_written_if_reading_does_not_bring_it(void **state)
{
	const enum page_standing befores[] = { PAGE_UNMAPPED, PAGE_ABSENT };

	for (size_t i = 0; i < 2; i++) {
		expect(befores[i], 0, TIDE_ANSWER_IDLE, 0);
		expect(befores[i], THERE | PAGESCAN_WRITTEN, TIDE_ANSWER_ACCESSED, 0);
		expect(befores[i], PAGESCAN_SWAPPED | PAGESCAN_WRITTEN, TIDE_ANSWER_ACCESSED, 0);
		expect(befores[i], THERE | PAGESCAN_WRITTEN | PAGESCAN_ZERO, TIDE_ANSWER_IDLE, 0);
		expect(befores[i], THERE | PAGESCAN_WRITTEN | PAGESCAN_ZERO | PAGESCAN_HUGE, TIDE_ANSWER_IDLE, 0);
		expect(befores[i], THERE | PAGESCAN_WRITTEN | PAGESCAN_FILE, TIDE_ANSWER_UNOBSERVABLE,
		       TIDE_REASON_FRESH);
		expect(befores[i], THERE | PAGESCAN_WRITTEN | PAGESCAN_HUGE, TIDE_ANSWER_UNOBSERVABLE,
		       TIDE_REASON_HUGE);
	}
}

static void what_cannot_be_protected_is_unobservable_unless_nobody_can_write_it(void **state)
{
	struct page_before stuck = { .page = PAGE_STUCK, .reason = TIDE_REASON_HUGE, .shift = 12 };

	assert_int_equal(judge(stuck, THERE).answer, TIDE_ANSWER_UNOBSERVABLE);
	assert_int_equal(judge(stuck, 0).reason, TIDE_REASON_HUGE);
	expect(PAGE_SEALED, THERE | PAGESCAN_WRITTEN | PAGESCAN_FILE, TIDE_ANSWER_IDLE, 0);
}

static void an_answer_holds_for_the_page_that_was_protected(void **state)
{
	struct tide_check check = judge((struct page_before){ .page = PAGE_ARMED, .shift = 21 }, THERE);

	assert_int_equal(check.page_start, ADDR & ~UINT64_C(0x1fffff));
	assert_int_equal(check.page_end - check.page_start, 2 << 20);
	check = judge((struct page_before){ .page = PAGE_ARMED, .shift = 12 }, THERE);
	assert_int_equal(check.page_start, ADDR);
	assert_int_equal(check.page_end, ADDR + PAGE);
	check = judge((struct page_before){ .page = PAGE_UNMAPPED, .shift = 12 }, 0);
	assert_int_equal(check.page_end, 0);
}

static void only_what_was_not_there_is_looked_at_closely(void **state)
{
	const struct page_before absent = { .page = PAGE_ABSENT }, armed = { .page = PAGE_ARMED };

	assert_true(writes_is_fresh(&absent, THERE));
	assert_true(writes_is_fresh(&absent, PAGESCAN_SWAPPED));
	assert_false(writes_is_fresh(&absent, 0));
	assert_false(writes_is_fresh(&armed, THERE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B1_a_page_whose_protection_is_gone_was_written),
		cmocka_unit_test(B3_the_mark_is_believed_in_swap),
		cmocka_unit_test(what_was_freed_is_not_called_unwritten),
		cmocka_unit_test(what_appears_is_written_if_reading_does_not_bring_it),
		cmocka_unit_test(what_cannot_be_protected_is_unobservable_unless_nobody_can_write_it),
		cmocka_unit_test(an_answer_holds_for_the_page_that_was_protected),
		cmocka_unit_test(only_what_was_not_there_is_looked_at_closely),
	};

	return cmocka_run_group_tests_name("writes-judge", tests, NULL, NULL);
}
