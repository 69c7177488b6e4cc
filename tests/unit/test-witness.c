/* SPDX-License-Identifier: MIT */
/* This file tests what two looks at an entry prove, one line of reasoning at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bpf/x86_64.h"
#include "sensor/witness.h"

#define LRU        (1ull << 5)
#define ACTIVE     (1ull << 8)
#define REFERENCED (1ull << 2)
#define WORKINGSET (1ull << 9)
#define YOUNG      (1ull << 21)
#define IDLE       (1ull << 22)

#define VM_PFNMAP  0x400u
#define VM_LOCKED  0x2000u
#define VM_HUGETLB 0x400000u

static const struct walker_facts facts = {
	.lru = LRU,
	.referenced = REFERENCED,
	.workingset = WORKINGSET,
	.young = YOUNG,
	.address_mask = ARCH_ADDRESS_MASK,
};

/* A private page at 2 MiB into a large mapping, present and young, on the LRU, mapped once. */
static struct walker_sample page(void)
{
	return (struct walker_sample){
		.addr = 0x10200000,
		.entry = 0x1234000 | ARCH_PRESENT | ARCH_WRITE | ARCH_ACCESSED,
		.vm_start = 0x10000000,
		.vm_end = 0x20000000,
		.folio_flags = LRU,
		.folio_pfn = 0x1234,
		.mapcount = 1,
		.state = WALKER_READ,
		.shift = 12,
		.has_folio = 1,
	};
}

static struct walker_sample huge_page(void)
{
	struct walker_sample sample = page();

	sample.addr = 0x10205000;
	sample.entry = 0x1200000 | ARCH_PRESENT | ARCH_HUGE | ARCH_ACCESSED;
	sample.shift = 21;
	sample.folio_pfn = 0x1200;
	sample.folio_order = 9;
	return sample;
}

/* A 64 KiB folio mapped by single entries; the sample is its fourth page. */
static struct walker_sample large_folio(void)
{
	struct walker_sample sample = page();

	sample.addr = 0x10203000;
	sample.entry = 0x1233000 | ARCH_PRESENT | ARCH_ACCESSED;
	sample.folio_pfn = 0x1230;
	sample.folio_order = 4;
	sample.mapcount = 16;
	return sample;
}

static struct witness first(const struct walker_sample *sample)
{
	struct witness witness;

	witness_first(&witness, sample, &facts);
	return witness;
}

static struct tide_check second(const struct witness *witness, const struct walker_sample *sample, bool has_notifiers)
{
	struct tide_check check = { .addr = sample->addr };

	witness_second(witness, sample, &facts, has_notifiers, &check);
	return check;
}

static void assert_stuck(const struct walker_sample *sample, enum tide_reason reason)
{
	struct witness witness = first(sample);
	struct tide_check check = second(&witness, sample, false);

	assert_int_equal(witness.before, WITNESS_STUCK);
	assert_int_equal(witness.clear.end, 0);
	assert_int_equal(check.answer, TIDE_ANSWER_UNOBSERVABLE);
	assert_int_equal(check.reason, reason);
}

static void assert_answer(struct tide_check check, enum tide_answer answer, enum tide_reason reason)
{
	assert_int_equal(check.answer, answer);
	assert_int_equal(check.reason, reason);
}

static void A1_cleared_then_young_is_accessed_still_old_is_idle(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness = first(&sample);

	(void)unused;
	assert_int_equal(witness.clear.start, 0x10200000);
	assert_int_equal(witness.clear.end, 0x10201000);
	assert_false(witness.verify && witness.clear.end - witness.clear.start > 4096);
	witness_cleared(&witness, &facts);
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.entry &= ~ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A1_an_old_page_needs_no_clearing(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness;

	(void)unused;
	sample.entry &= ~ARCH_ACCESSED;
	witness = first(&sample);
	assert_int_equal(witness.before, WITNESS_OLD);
	assert_int_equal(witness.clear.end, 0);
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	sample.entry |= ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void A4_a_huge_page_is_cleared_whole_and_answers_for_itself(void **unused)
{
	struct walker_sample sample = huge_page();
	struct witness witness = first(&sample);
	struct tide_check check;

	(void)unused;
	assert_int_equal(witness.clear.start, 0x10200000);
	assert_int_equal(witness.clear.end, 0x10400000);
	assert_false(witness.verify);
	witness_cleared(&witness, &facts);
	check = second(&witness, &sample, false);
	assert_int_equal(check.page_start, 0x10200000);
	assert_int_equal(check.page_end, 0x10400000);
}

static void A4_a_large_folio_is_cleared_whole_or_not_at_all(void **unused)
{
	struct walker_sample sample = large_folio();
	struct witness witness = first(&sample);

	(void)unused;
	assert_int_equal(witness.clear.start, 0x10200000);
	assert_int_equal(witness.clear.end, 0x10210000);
	assert_true(witness.verify);
	sample.mapcount = 15; /* one of its pages is not mapped */
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
	sample.mapcount = 17;
	assert_stuck(&sample, TIDE_REASON_SHARED);
	sample.mapcount = 16;
	sample.vm_end = 0x1020f000; /* its end lies in another mapping */
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
	sample = large_folio();
	sample.vm_start = 0x10201000;
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
	sample = large_folio();
	sample.addr = 0x10201000; /* its entries lie in two tables: the kernel would split it */
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
	sample = large_folio();
	sample.mapcount = -1; /* not kept by this kernel */
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
	sample.folio_order = 0; /* nor is this */
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
}

static void A4_a_huge_page_in_part_of_a_mapping_is_never_split(void **unused)
{
	struct walker_sample sample = huge_page();

	(void)unused;
	sample.vm_end = 0x10300000;
	assert_stuck(&sample, TIDE_REASON_PARTIAL);
}

static void A8_what_cannot_be_cleared_is_unobservable_with_its_reason(void **unused)
{
	struct walker_sample sample = page();

	(void)unused;
	sample.mapcount = 2;
	assert_stuck(&sample, TIDE_REASON_SHARED);
	sample = page();
	sample.vm_flags = VM_LOCKED;
	assert_stuck(&sample, TIDE_REASON_LOCKED);
	sample.vm_flags = VM_HUGETLB;
	assert_stuck(&sample, TIDE_REASON_HUGETLB);
	sample.vm_flags = VM_PFNMAP;
	assert_stuck(&sample, TIDE_REASON_SPECIAL);
	sample = page();
	sample.entry |= ARCH_SPECIAL;
	sample.has_folio = 0;
	assert_stuck(&sample, TIDE_REASON_SPECIAL);
	sample = page();
	sample.folio_flags = 0;
	assert_stuck(&sample, TIDE_REASON_OFF_LRU);
	sample = page();
	sample.state = WALKER_FAULT;
	assert_stuck(&sample, TIDE_REASON_UNREAD);
}

static void A8_a_shared_page_that_was_old_is_still_seen(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness;

	(void)unused;
	sample.mapcount = 7;
	sample.entry &= ~ARCH_ACCESSED;
	witness = first(&sample);
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	sample.entry |= ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void A8_a_guest_hides_accesses_but_not_what_was_seen(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness = first(&sample);

	(void)unused;
	witness_cleared(&witness, &facts);
	assert_answer(second(&witness, &sample, true), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.entry &= ~ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, true), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
}

static void A8_others_that_clear_leave_a_witness(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness = first(&sample);

	(void)unused;
	witness_cleared(&witness, &facts);
	sample.entry &= ~ARCH_ACCESSED;
	sample.folio_flags = LRU | YOUNG; /* DAMON or the idle bitmap moved the bit there */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.folio_flags = LRU | REFERENCED; /* reclaim found it young */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.vm_has_file = 1; /* ... or somebody read the file */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	sample.vm_has_file = 0;
	sample.folio_flags = LRU | IDLE; /* somebody looked, and found it idle as well */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A8_a_bit_that_we_could_not_clear_and_that_went_was_taken_by_others(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness;

	(void)unused;
	sample.mapcount = 2;
	witness = first(&sample);
	sample.entry &= ~ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

static void A8_a_stale_PG_young_is_cleared_along(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness;

	(void)unused;
	sample.entry &= ~ARCH_ACCESSED;
	sample.folio_flags |= YOUNG;
	witness = first(&sample);
	assert_int_equal(witness.clear.end, 0x10201000);
	witness_cleared(&witness, &facts);
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.folio_flags = LRU;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void pages_that_come_and_go(void **unused)
{
	struct walker_sample sample = page();
	struct walker_sample none = page();
	struct witness witness;

	(void)unused;
	none.entry = 0;
	none.has_folio = 0;
	witness = first(&none);
	assert_int_equal(witness.before, WITNESS_ABSENT);
	assert_answer(second(&witness, &none, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	/* Faulted in: an access, unless it is a file's page that came along with a neighbour. */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.vm_has_file = 1;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	/* Freed or reclaimed before the second look. */
	sample = page();
	witness = first(&sample);
	witness_cleared(&witness, &facts);
	assert_answer(second(&witness, &none, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	none.state = WALKER_UNMAPPED;
	assert_answer(second(&witness, &none, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void a_collapse_between_the_looks_proves_nothing(void **unused)
{
	struct walker_sample sample = page();
	struct walker_sample huge = huge_page();
	struct witness witness = first(&sample);

	(void)unused;
	witness_cleared(&witness, &facts);
	assert_answer(second(&witness, &huge, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

/* DAMON leaves PG_young at what it clears, and does not touch what else the folio carries. */
static void A8_after_our_damon_PG_young_is_ours_and_its_loss_is_a_witness(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness = { .shift = sample.shift };

	(void)unused;
	witness_cleared_by_damon(&witness, &facts);
	sample.folio_flags = LRU | YOUNG | IDLE;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	sample.entry &= ~ARCH_ACCESSED;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_answer(second(&witness, &sample, true), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
	sample.folio_flags = LRU | IDLE; /* reclaim, clear_refs or MADV_COLD was there */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	sample.folio_flags = LRU | YOUNG | REFERENCED; /* reclaim's ageing, or from before the clear */
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	sample.folio_flags = LRU | YOUNG | WORKINGSET;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	sample.has_folio = 0;
	assert_answer(second(&witness, &sample, false), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

static void a_witness_survives_the_way_through_a_check(void **unused)
{
	struct walker_sample sample = page();
	struct witness witness;
	struct witness again;
	struct tide_check check = { .addr = sample.addr };

	(void)unused;
	sample.vm_flags = VM_LOCKED;
	sample.folio_flags = LRU | ACTIVE;
	witness = first(&sample);
	witness_pack(&witness, &check);
	witness_unpack(&again, &check);
	assert_int_equal(again.before, WITNESS_STUCK);
	assert_int_equal(again.reason, TIDE_REASON_LOCKED);
	assert_int_equal(again.folio_flags, LRU | ACTIVE);
	assert_int_equal(again.shift, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_cleared_then_young_is_accessed_still_old_is_idle),
		cmocka_unit_test(A1_an_old_page_needs_no_clearing),
		cmocka_unit_test(A4_a_huge_page_is_cleared_whole_and_answers_for_itself),
		cmocka_unit_test(A4_a_large_folio_is_cleared_whole_or_not_at_all),
		cmocka_unit_test(A4_a_huge_page_in_part_of_a_mapping_is_never_split),
		cmocka_unit_test(A8_what_cannot_be_cleared_is_unobservable_with_its_reason),
		cmocka_unit_test(A8_a_shared_page_that_was_old_is_still_seen),
		cmocka_unit_test(A8_a_guest_hides_accesses_but_not_what_was_seen),
		cmocka_unit_test(A8_others_that_clear_leave_a_witness),
		cmocka_unit_test(A8_a_bit_that_we_could_not_clear_and_that_went_was_taken_by_others),
		cmocka_unit_test(A8_a_stale_PG_young_is_cleared_along),
		cmocka_unit_test(pages_that_come_and_go),
		cmocka_unit_test(a_collapse_between_the_looks_proves_nothing),
		cmocka_unit_test(A8_after_our_damon_PG_young_is_ours_and_its_loss_is_a_witness),
		cmocka_unit_test(a_witness_survives_the_way_through_a_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
