/* SPDX-License-Identifier: MIT */
/* This file tests what is concluded from the counts of a folio. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pages/pinned.h"

enum {
	LRU = 1 << 5,
	HEAD = 1 << 6,
	SWAPCACHE = 1 << 10,
	PRIVATE = 1 << 13,
	SWAPBACKED = 1 << 17,
};

static const struct walker_facts facts = {
	.lru = LRU,
	.head = HEAD,
	.swapcache = SWAPCACHE,
	.private = PRIVATE,
	.swapbacked = SWAPBACKED,
	.address_mask = 0x000ffffffffff000,
	.has_large_mapcount = 1,
};

/* An anonymous page on its list, mapped once. */
static struct walker_sample page(int refcount)
{
	return (struct walker_sample){
		.entry = 0x123067,
		.shift = 12,
		.state = WALKER_READ,
		.has_folio = 1,
		.folio_flags = LRU | SWAPBACKED,
		.folio_mapping = 0xffff888000000001,
		.mapcount = 1,
		.refcount = refcount,
		.pincount = -1,
	};
}

static void judged(struct walker_sample sample, int answer)
{
	assert_int_equal(pinned_judge(&sample, &facts), answer);
}

static void B4_a_pin_is_1024_references_without_mappings(void **unused)
{
	struct walker_sample sample = page(1025);

	(void)unused;
	judged(page(1), PINNED_NO);
	judged(page(1025), PINNED_YES);
	judged(page(1024), PINNED_REFERENCED);
	sample.mapcount = 2;
	judged(sample, PINNED_REFERENCED);
	sample.mapcount = 1100;
	sample.refcount = 1100;
	judged(sample, PINNED_NO);
	sample.refcount = 1100 + 1024;
	judged(sample, PINNED_YES);
}

static void B4_caches_explain_references(void **unused)
{
	struct walker_sample sample = page(2);

	(void)unused;
	judged(sample, PINNED_REFERENCED);
	sample.folio_flags |= SWAPCACHE;
	judged(sample, PINNED_NO);
	sample.refcount = 3;
	judged(sample, PINNED_REFERENCED);
	/* The bit means something else for pages of files. */
	sample.folio_flags = LRU | SWAPCACHE;
	sample.folio_mapping = 0xffff888000000000;
	judged(sample, PINNED_REFERENCED);
	sample.refcount = 2;
	judged(sample, PINNED_NO);
	sample.refcount = 3;
	sample.folio_flags |= PRIVATE;
	judged(sample, PINNED_NO);
}

/* Off the lists one reference belongs to whoever took the page off, but no more than one; hugetlb is on none. */
static void B4_one_reference_is_forgiven_off_the_lists(void **unused)
{
	struct walker_sample sample = page(2);

	(void)unused;
	sample.folio_flags &= ~(uint64_t)LRU;
	judged(sample, PINNED_NO);
	sample.refcount = 3;
	judged(sample, PINNED_REFERENCED);
	sample.refcount = 2;
	sample.vm_flags = 0x400000;
	judged(sample, PINNED_REFERENCED);
}

static void B4_large_folios_count_their_pins(void **unused)
{
	struct walker_sample sample = page(1);

	(void)unused;
	sample.folio_flags |= HEAD;
	sample.folio_order = 9;
	sample.pincount = 0;
	judged(sample, PINNED_NO);
	sample.refcount = 2000;
	judged(sample, PINNED_REFERENCED);
	sample.refcount = 1;
	sample.pincount = 1;
	judged(sample, PINNED_YES);
	/* A kernel that keeps no such count. */
	sample.pincount = -1;
	judged(sample, PINNED_YES);
	sample.pincount = 0;
	sample.mapcount = -1;
	judged(sample, PINNED_NO);
	sample.mapcount = 1;
	sample.folio_flags |= SWAPCACHE;
	sample.refcount = 513;
	judged(sample, PINNED_NO);
	sample.refcount = 514;
	judged(sample, PINNED_REFERENCED);
}

static void B4_what_cannot_be_read_is_not_absent(void **unused)
{
	struct walker_sample sample = page(1);

	(void)unused;
	sample.has_folio = 0;
	assert_true(pinned_judge(&sample, &facts) < 0);
	sample.entry |= 1 << 9; /* no struct page */
	judged(sample, PINNED_NO);
	sample.entry = 0;
	assert_true(pinned_judge(&sample, &facts) < 0);
	sample.entry = 0x123400; /* swapped */
	judged(sample, PINNED_UNKNOWN);
	sample.state = WALKER_FAULT;
	assert_true(pinned_judge(&sample, &facts) < 0);
	sample.state = WALKER_UNMAPPED;
	judged(sample, PINNED_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_a_pin_is_1024_references_without_mappings),
		cmocka_unit_test(B4_caches_explain_references),
		cmocka_unit_test(B4_one_reference_is_forgiven_off_the_lists),
		cmocka_unit_test(B4_large_folios_count_their_pins),
		cmocka_unit_test(B4_what_cannot_be_read_is_not_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
