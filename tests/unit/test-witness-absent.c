/* SPDX-License-Identifier: MIT */
/* This file tests what can be said of places where one of the two looks finds no page, or another one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/x86_64.h"
#include "pages/entry.h"
#include "sensor/witness.h"

#define LRU  (1ull << 5)
#define HEAD (1ull << 6)

#define MARKER    (31ull << 59 | 0x200)
#define SLOT_7    ((~(7ull << 9) & ~0x1ffull) << 5 >> 5) /* of the first swap device */
#define MIGRATING (27ull << 59 | 0x1234e00)

static const struct walker_facts facts = { .lru = LRU, .head = HEAD, .address_mask = ARCH_ADDRESS_MASK };

static struct walker_sample there(uint64_t entry, uint8_t shift)
{
	return (struct walker_sample){ .addr = 0x10203000,
		                       .entry = entry,
		                       .vm_start = 0x10000000,
		                       .vm_end = 0x20000000,
		                       .state = WALKER_READ,
		                       .shift = shift };
}

static struct walker_sample page(uint64_t flags)
{
	struct walker_sample sample = there(0x1234000 | ARCH_PRESENT | ARCH_WRITE | ARCH_ACCESSED, 12);

	sample.folio_flags = LRU | flags;
	sample.folio_pfn = 0x1234;
	sample.has_folio = 1;
	sample.mapcount = 1;
	return sample;
}

static struct walker_sample huge_page(void)
{
	struct walker_sample sample = page(HEAD);

	sample.entry = 0x1200000 | ARCH_PRESENT | ARCH_HUGE | ARCH_ACCESSED;
	sample.shift = 21;
	sample.folio_pfn = 0x1200;
	sample.folio_order = 9;
	return sample;
}

/* What is said when the first look finds the one and the second the other, through a check, as the sensor does it. */
static void expect(struct walker_sample first, struct walker_sample second, enum tide_answer answer,
                   enum tide_reason reason)
{
	struct tide_check check = { .addr = first.addr };
	struct witness witness;

	witness_first(&witness, &first, &facts);
	assert_int_equal(witness.before, WITNESS_ABSENT);
	witness_pack(&witness, &check);
	assert_true(witness_wants_folio(&check));
	witness_unpack(&witness, &check);
	witness_second(&witness, &second, &facts, false, &check);
	assert_int_equal(check.answer, answer);
	assert_int_equal(check.reason, reason);
}

static void A1_a_page_that_comes_was_accessed(void **unused)
{
	(void)unused;
	expect(there(0, 12), page(0), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	expect(there(SLOT_7, 12), page(0), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	expect(there(MARKER, 12), page(0), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	expect(there(0, 21), huge_page(), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	expect(there(0, 30), huge_page(), TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void A4_pages_of_a_large_folio_come_along(void **unused)
{
	(void)unused;
	expect(there(0, 12), page(HEAD), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	expect(there(0, 21), page(HEAD), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
}

static void A4_a_hole_that_a_collapse_filled_was_not_accessed(void **unused)
{
	(void)unused;
	expect(there(0, 12), huge_page(), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

static void A1_nothing_then_and_nothing_now_is_idle(void **unused)
{
	(void)unused;
	expect(there(0, 12), there(0, 12), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	expect(there(0, 30), there(0, 12), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	expect(there(SLOT_7, 12), there(SLOT_7, 12), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	expect(there(SLOT_7 | 0xe, 12), there(SLOT_7, 12), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	expect(there(MARKER, 12), there(MARKER, 12), TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A8_a_page_that_came_and_went_is_unobservable(void **unused)
{
	(void)unused;
	expect(there(0, 12), there(SLOT_7, 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	expect(there(SLOT_7, 12), there(SLOT_7 ^ (1ull << 9), 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	expect(there(SLOT_7, 12), there(0, 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	expect(there(MARKER, 12), there(SLOT_7, 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

/* Its accessed bit travels with it: it says when it was used, not whether since the first look. */
static void A8_a_page_on_its_way_is_unobservable(void **unused)
{
	(void)unused;
	expect(there(MIGRATING, 12), page(0), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
	expect(there(MIGRATING, 21), huge_page(), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
	expect(there(MIGRATING, 12), there(MIGRATING, 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
	expect(there(0, 12), there(MIGRATING, 12), TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
}

/* A page that was there both times, but not the same page. */
static struct tide_check after_change(uint64_t first, uint64_t second)
{
	struct walker_sample before = page(0);
	struct walker_sample after = page(0);
	struct tide_check check = { .addr = before.addr };
	struct witness witness;

	before.entry |= ARCH_ACCESSED;
	before.entry = (before.entry & ~ARCH_WRITE) | first;
	after.entry = 0x5678000 | ARCH_PRESENT | second;
	witness_first(&witness, &before, &facts);
	assert_int_not_equal(witness.clear.end, 0);
	witness_cleared(&witness, &facts);
	witness_pack(&witness, &check);
	witness_unpack(&witness, &check);
	witness_second(&witness, &after, &facts, false, &check);
	return check;
}

static void A8_a_page_that_was_moved_is_unobservable(void **unused)
{
	const uint64_t entries[][2] = { { ARCH_WRITE, ARCH_WRITE | ARCH_ACCESSED },
		                        { ARCH_WRITE, ARCH_WRITE },
		                        { 0, ARCH_ACCESSED },
		                        { 0, 0 },
		                        { 0, ARCH_WRITE } };
	struct tide_check check;

	(void)unused;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		check = after_change(entries[i][0], entries[i][1]);
		assert_int_equal(check.answer, TIDE_ANSWER_UNOBSERVABLE);
		assert_int_equal(check.reason, TIDE_REASON_UNREAD);
	}
	/* Copied by who wrote to it. */
	check = after_change(0, ARCH_WRITE | ARCH_ACCESSED);
	assert_int_equal(check.answer, TIDE_ANSWER_ACCESSED);
}

static void entries_without_a_page_are_told_apart(void **unused)
{
	struct page_entry entry;

	(void)unused;
	for (uint64_t type = 0; type < 32; type++) {
		entry_decode(type << 59 | 0x1234e00, 12, ARCH_ADDRESS_MASK, &entry);
		assert_false(entry.present);
		assert_int_equal(entry.instead, type << 59 | 0x1234e00);
		/* As many swap devices as the kernel lets be, and the last type, which is that of markers. */
		assert_int_equal(entry.moving, type >= 23 && type < 31);
	}
	entry_decode(0, 12, ARCH_ADDRESS_MASK, &entry);
	assert_false(entry.moving);
	assert_int_equal(entry.instead, 0);
	/* The way to a lower table, and a forbidden page. */
	entry_decode(27ull << 59 | 0x1234000 | ARCH_PRESENT, 21, ARCH_ADDRESS_MASK, &entry);
	assert_false(entry.present || entry.moving || entry.instead != 0);
	entry_decode(~0x1234000ull & ~0xfffull & ~(1ull << 63), 12, ARCH_ADDRESS_MASK, &entry);
	assert_false(entry.present);
	entry_decode((~0x1234000ull & ARCH_ADDRESS_MASK) | ARCH_PROTNONE | ARCH_ACCESSED, 12, ARCH_ADDRESS_MASK,
	             &entry);
	assert_true(entry.present && entry.young && !entry.accessible && !entry.moving);
	assert_int_equal(entry.pfn, 0x1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_a_page_that_comes_was_accessed),
		cmocka_unit_test(A4_pages_of_a_large_folio_come_along),
		cmocka_unit_test(A4_a_hole_that_a_collapse_filled_was_not_accessed),
		cmocka_unit_test(A1_nothing_then_and_nothing_now_is_idle),
		cmocka_unit_test(A8_a_page_that_came_and_went_is_unobservable),
		cmocka_unit_test(A8_a_page_on_its_way_is_unobservable),
		cmocka_unit_test(A8_a_page_that_was_moved_is_unobservable),
		cmocka_unit_test(entries_without_a_page_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
