/* SPDX-License-Identifier: MIT */
/* This file tests how the refs sensor judges a mapping. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/refs.h"

#define KIB 1024u

/* 64 KiB of anonymous memory. */
static struct refs_vma anonymous(uint64_t rss_kib, uint64_t referenced_kib)
{
	return (struct refs_vma){
		.start = 0x10000,
		.end = 0x20000,
		.rss_bytes = rss_kib * KIB,
		.referenced_bytes = referenced_kib * KIB,
		.flags = VMA_READ | VMA_WRITE,
	};
}

static struct refs_vma file(uint64_t rss_kib, uint64_t referenced_kib)
{
	struct refs_vma vma = anonymous(rss_kib, referenced_kib);

	vma.inode = 12;
	return vma;
}

static struct refs_vma of_kind(struct refs_vma vma, uint8_t kinds)
{
	vma.kinds = kinds;
	return vma;
}

static const struct refs_interval plain = { .rss_before_bytes = 64 * KIB };
static const struct refs_interval grown = { .rss_before_bytes = 16 * KIB };
static const struct refs_interval guest = { .rss_before_bytes = 64 * KIB, .is_guest = true };
static const struct refs_interval doubtful = { .rss_before_bytes = 64 * KIB, .is_doubtful = true };

static void assert_judged(struct refs_vma vma, const struct refs_interval *interval, enum tide_answer answer,
                          enum tide_reason reason)
{
	struct tide_check check = { .addr = 0x11000, .answer = 99, .reason = 99 };

	refs_judge(&vma, interval, &check);
	assert_int_equal(check.answer, answer);
	assert_int_equal(check.reason, reason);
	if (check.page_end != 0) {
		assert_int_equal(check.page_start, 0x10000);
		assert_int_equal(check.page_end, 0x20000);
	}
}

static void idle_is_what_has_nothing_referenced(void **unused)
{
	(void)unused;
	assert_judged(anonymous(64, 0), &plain, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_judged(anonymous(4, 0), &grown, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_judged(anonymous(0, 0), &plain, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	assert_judged(file(64, 0), &grown, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void accessed_is_what_is_referenced_whole(void **unused)
{
	(void)unused;
	assert_judged(anonymous(64, 64), &plain, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_judged(anonymous(4, 4), &grown, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	assert_judged(file(64, 64), &plain, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	/* New pages of anonymous memory come one by one, by use. */
	assert_judged(anonymous(64, 64), &grown, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void between_nothing_is_claimed(void **unused)
{
	(void)unused;
	assert_judged(anonymous(64, 4), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
	assert_judged(anonymous(64, 60), &guest, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
	assert_judged(file(64, 60), &grown, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
}

static void A8_pages_that_came_around_a_fault_are_no_accesses(void **unused)
{
	(void)unused;
	assert_judged(file(64, 64), &grown, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
}

static void A8_what_has_no_accessed_bit_of_its_own_is_unobservable(void **unused)
{
	(void)unused;
	assert_judged(of_kind(anonymous(0, 0), SMAPS_HUGETLB), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_HUGETLB);
	assert_judged(of_kind(anonymous(0, 0), SMAPS_PFNMAP), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	assert_judged(of_kind(anonymous(0, 0), SMAPS_IO), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	/* Some of it may. */
	assert_judged(of_kind(anonymous(64, 0), SMAPS_MIXED), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	assert_judged(of_kind(anonymous(0, 0), SMAPS_MIXED), &plain, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	assert_judged(of_kind(anonymous(64, 64), SMAPS_MIXED), &plain, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void A8_memory_that_guests_may_use_is_never_idle(void **unused)
{
	(void)unused;
	assert_judged(anonymous(64, 0), &guest, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
	assert_judged(anonymous(64, 64), &guest, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	/* What the process has no page for, a guest has none for either. */
	assert_judged(anonymous(0, 0), &guest, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

static void A8_what_others_may_have_cleared_is_never_idle(void **unused)
{
	(void)unused;
	assert_judged(anonymous(64, 0), &doubtful, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	assert_judged(anonymous(64, 64), &doubtful, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

static void mappings_are_found_by_address(void **unused)
{
	struct refs_vma vmas[] = { { .start = 0x1000, .end = 0x3000 }, { .start = 0x5000, .end = 0x6000 } };
	struct refs_look look = { .vmas = { .items = vmas, .nr = 2 } };
	struct refs_look empty = { 0 };

	(void)unused;
	assert_ptr_equal(refs_find(&look, 0), &vmas[0]);
	assert_ptr_equal(refs_find(&look, 0x2fff), &vmas[0]);
	assert_ptr_equal(refs_find(&look, 0x3000), &vmas[1]);
	assert_ptr_equal(refs_find(&look, 0x5fff), &vmas[1]);
	assert_null(refs_find(&look, 0x6000));
	assert_null(refs_find(&empty, 0));
}

/* A huge entry is cleared in one go. */
static void entries_are_what_takes_time(void **unused)
{
	struct refs_vma vmas[] = {
		{ .end = 0x1000, .rss_bytes = 4096 },
		{ .end = 0x2000, .rss_bytes = (8u << 20) + 8192, .huge_bytes = 8u << 20 },
	};
	struct refs_look look = { .vmas = { .items = vmas, .nr = 2 } };

	(void)unused;
	assert_int_equal(refs_nr_entries(&look), 1 + 4 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_is_what_has_nothing_referenced),
		cmocka_unit_test(accessed_is_what_is_referenced_whole),
		cmocka_unit_test(between_nothing_is_claimed),
		cmocka_unit_test(A8_pages_that_came_around_a_fault_are_no_accesses),
		cmocka_unit_test(A8_what_has_no_accessed_bit_of_its_own_is_unobservable),
		cmocka_unit_test(A8_memory_that_guests_may_use_is_never_idle),
		cmocka_unit_test(A8_what_others_may_have_cleared_is_never_idle),
		cmocka_unit_test(mappings_are_found_by_address),
		cmocka_unit_test(entries_are_what_takes_time),
	};

	return cmocka_run_group_tests_name("refs-judge", tests, NULL, NULL);
}
