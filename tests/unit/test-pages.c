/* SPDX-License-Identifier: MIT */
/* This file tests how entries are read and how pages become runs, without any process. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "pages/runs.h"

#define PAGE       4096ul
#define SOFT_DIRTY (1ull << 55)
#define EXCLUSIVE  (1ull << 56)
#define UFFD_WP    (1ull << 57)
#define FILE_PAGE  (1ull << 61)
#define SWAPPED    (1ull << 62)
#define PRESENT    (1ull << 63)

static void entries_are_read_as_the_kernel_documents_them(void **unused)
{
	(void)unused;
	assert_int_equal(pagemap_categories(0), 0);
	assert_int_equal(pagemap_categories(PRESENT), PAGESCAN_PRESENT | PAGESCAN_WRITTEN);
	assert_int_equal(pagemap_categories(PRESENT | UFFD_WP), PAGESCAN_PRESENT);
	assert_int_equal(pagemap_categories(PRESENT | FILE_PAGE | UFFD_WP | EXCLUSIVE | 0x12345),
	                 PAGESCAN_PRESENT | PAGESCAN_FILE);
	assert_int_equal(pagemap_categories(SWAPPED | 0x7fffffffffffff), PAGESCAN_SWAPPED | PAGESCAN_WRITTEN);
	assert_int_equal(pagemap_categories(SWAPPED | UFFD_WP | SOFT_DIRTY), PAGESCAN_SWAPPED | PAGESCAN_SOFT_DIRTY);
	/* Of its mapping; and what means nothing without a page. */
	assert_int_equal(pagemap_categories(SOFT_DIRTY), PAGESCAN_SOFT_DIRTY);
	assert_int_equal(pagemap_categories(FILE_PAGE | UFFD_WP | EXCLUSIVE), 0);
}

static void entries_join_by_category_alone(void **unused)
{
	const uint64_t entries[] = { PRESENT | 1, PRESENT | 2, PRESENT | EXCLUSIVE, PRESENT | UFFD_WP, 0, 0, SWAPPED };

	(void)unused;
	assert_int_equal(pagemap_run(entries, 0, 7), 3);
	assert_int_equal(pagemap_run(entries, 1, 2), 2);
	assert_int_equal(pagemap_run(entries, 3, 7), 4);
	assert_int_equal(pagemap_run(entries, 4, 7), 6);
	assert_int_equal(pagemap_run(entries, 6, 7), 7);
}

struct rig {
	struct tide_pages_query query;
	struct tide_page_run items[4];
	struct runs runs;
};

static void setup(struct rig *rig, size_t max, uint64_t max_pages)
{
	rig->query.max_pages = max_pages;
	memset(rig->items, 0xa5, sizeof(rig->items));
	runs_begin(&rig->runs, &rig->query, rig->items, max, PAGE);
}

static uint64_t add(struct rig *rig, uint64_t first, uint64_t end, uint64_t categories)
{
	return runs_add(&rig->runs, first * PAGE, end * PAGE, categories) / PAGE;
}

static void neighbours_that_agree_in_what_is_returned_join(void **unused)
{
	struct rig rig = { .query = { .returned = TIDE_PAGE_FILE } };

	(void)unused;
	setup(&rig, 3, 0);
	assert_int_equal(add(&rig, 1, 2, TIDE_PAGE_FILE | TIDE_PAGE_PRESENT), 2);
	assert_int_equal(add(&rig, 2, 4, TIDE_PAGE_FILE | TIDE_PAGE_SWAPPED), 4);
	assert_int_equal(add(&rig, 4, 5, TIDE_PAGE_PRESENT), 5);
	assert_int_equal(add(&rig, 6, 7, TIDE_PAGE_PRESENT), 7);
	assert_int_equal(rig.runs.nr, 3);
	assert_int_equal(rig.items[0].start, 1 * PAGE);
	assert_int_equal(rig.items[0].end, 4 * PAGE);
	assert_int_equal(rig.items[0].categories, TIDE_PAGE_FILE);
	assert_int_equal(rig.items[1].end, 5 * PAGE);
	assert_int_equal(rig.items[1].categories, 0);
	assert_int_equal(rig.items[2].start, 6 * PAGE);
	/* Full, but not for what joins, nor for what does not match. */
	assert_int_equal(add(&rig, 7, 9, 0), 9);
	assert_int_equal(add(&rig, 9, 10, TIDE_PAGE_FILE), 9);
	rig.query.all_of = TIDE_PAGE_HUGE;
	assert_int_equal(add(&rig, 9, 10, TIDE_PAGE_FILE), 10);
	assert_int_equal(rig.runs.nr, 3);
	assert_int_equal(rig.items[3].start, 0xa5a5a5a5a5a5a5a5);
}

static void a_bound_of_pages_cuts_a_run(void **unused)
{
	struct rig rig = { .query = { .all_of = TIDE_PAGE_PRESENT } };

	(void)unused;
	setup(&rig, 4, 5);
	assert_int_equal(add(&rig, 0, 100, TIDE_PAGE_FILE), 100);
	assert_int_equal(add(&rig, 100, 103, TIDE_PAGE_PRESENT), 103);
	assert_false(runs_full(&rig.runs));
	assert_int_equal(add(&rig, 200, 300, TIDE_PAGE_PRESENT), 202);
	assert_true(runs_full(&rig.runs));
	assert_int_equal(add(&rig, 400, 401, TIDE_PAGE_PRESENT), 400);
	assert_int_equal(rig.runs.nr, 2);
	assert_int_equal(rig.items[1].end, 202 * PAGE);
}

static void inverted_categories_count_as_their_opposite(void **unused)
{
	struct rig rig = { .query = { .all_of = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE,
		                      .any_of = TIDE_PAGE_HUGE | TIDE_PAGE_WRITTEN,
		                      .inverted = TIDE_PAGE_FILE | TIDE_PAGE_WRITTEN } };

	(void)unused;
	setup(&rig, 4, 0);
	add(&rig, 0, 1, TIDE_PAGE_PRESENT);
	add(&rig, 2, 3, TIDE_PAGE_PRESENT | TIDE_PAGE_WRITTEN);
	add(&rig, 4, 5, TIDE_PAGE_PRESENT | TIDE_PAGE_WRITTEN | TIDE_PAGE_HUGE);
	add(&rig, 6, 7, TIDE_PAGE_PRESENT | TIDE_PAGE_FILE | TIDE_PAGE_HUGE);
	add(&rig, 8, 9, TIDE_PAGE_HUGE);
	assert_int_equal(rig.runs.nr, 2);
	assert_int_equal(rig.items[0].start, 0);
	assert_int_equal(rig.items[1].start, 4 * PAGE);
}

static void every_category_has_a_name_and_a_sentence(void **unused)
{
	(void)unused;
	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = tide_page_category_name(1ull << bit);
		const char *sentence = tide_page_category_sentence(1ull << bit);

		assert_true((name != NULL) == (((1ull << bit) & TIDE_PAGE_EVERY) != 0));
		assert_true((sentence != NULL) == (name != NULL));
	}
	assert_null(tide_page_category_name(0));
	assert_null(tide_page_category_name(TIDE_PAGE_PRESENT | TIDE_PAGE_FILE));
	assert_null(tide_page_category_sentence(0));
	assert_string_equal(tide_page_category_name(TIDE_PAGE_SOFT_DIRTY), "soft-dirty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_read_as_the_kernel_documents_them),
		cmocka_unit_test(entries_join_by_category_alone),
		cmocka_unit_test(neighbours_that_agree_in_what_is_returned_join),
		cmocka_unit_test(a_bound_of_pages_cuts_a_run),
		cmocka_unit_test(inverted_categories_count_as_their_opposite),
		cmocka_unit_test(every_category_has_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
