/* SPDX-License-Identifier: MIT */
/* This file checks what the sources of pages say of a kind of memory. */
#include "kinds-fixture.h"

#include <stdlib.h>
#include <string.h>

#include "pages/summary.h"

#define MAX_RUNS 4096u
#define OF_BOTH  (TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE)

static void ask(struct fixture *fix, struct said *said)
{
	struct tide_pages_query query = { .size = sizeof(query), .start = fix->place->start, .end = fix->place->end };
	struct tide_page_run *runs = malloc(MAX_RUNS * sizeof(*runs));

	assert_non_null(runs);
	memset(said, 0, sizeof(*said));
	said->known = tide_pages_categories(fix->pages) & OF_KIND;
	query.returned = said->known;
	for (; query.start < query.end; query.start = query.next) {
		long nr = tide_pages_get(fix->pages, &query, runs, MAX_RUNS, &fix->err);

		if (nr < 0)
			fail_msg("%s", fix->err.text);
		for (long i = 0; i < nr; i++)
			for (unsigned bit = 0; bit < 16; bit++)
				said->bytes[bit] += runs[i].categories >> bit & 1 ? runs[i].end - runs[i].start : 0;
	}
	free(runs);
}

static void open_pages(struct fixture *fix, const char *without)
{
	tide_pages_close(fix->pages);
	fix->pages = NULL;
	if (without != NULL)
		setenv("TIDEMARK_FAULT", without, 1);
	if (tide_pages_open(&fix->pages, fix->target, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	unsetenv("TIDEMARK_FAULT");
}

static void expect_categories(const struct fixture *fix, const struct said *said)
{
	for (unsigned bit = 0; bit < 16; bit++) {
		uint64_t category = UINT64_C(1) << bit;

		if ((said->known & fix->kind->must & category) && said->bytes[bit] != kinds_size(fix))
			fail_msg("'%s': %lu of %lu KiB by %s", tide_page_category_name(category),
			         said->bytes[bit] / 1024, kinds_size(fix) / 1024, tide_pages_source(fix->pages));
		if ((said->known & fix->kind->never & category) && said->bytes[bit] != 0)
			fail_msg("'%s': %lu KiB, should be none, by %s", tide_page_category_name(category),
			         said->bytes[bit] / 1024, tide_pages_source(fix->pages));
	}
}

static uint64_t bytes_of(const struct said *said, uint64_t category)
{
	return said->bytes[__builtin_ctzll(category)];
}

static int add_present(void *arg, const struct tide_block *block)
{
	*(uint64_t *)arg += (uint64_t)block->nr_present << block->entry_shift;
	return 0;
}

/* The same, out of the page tables, where there is no device memory. */
static void expect_tables(struct fixture *fix, const struct said *said)
{
	uint64_t present = 0;
	uint64_t next = fix->place->start;

	if (fix->kind->is_device)
		return;
	while (next < fix->place->end)
		if (fix->ops->scan(fix->sensor, next, fix->place->end, UINT64_MAX, add_present, &present, &next,
		                   &fix->err) != 0)
			fail_msg("%s", fix->err.text);
	assert_int_equal(present, bytes_of(said, TIDE_PAGE_PRESENT));
}

static void expect_summary(struct fixture *fix, const struct said *said)
{
	struct tide_range range = { fix->place->start, fix->place->end };
	uint64_t bytes[NR_SUMMARY_COUNTS] = { 0 };
	struct summary summary;

	if (summary_take(&summary, fix->target, fix->pages, &range, 1, NULL, NULL, &fix->err) != 0)
		fail_msg("%s", fix->err.text);
	for (size_t i = 0; i < summary.rows.nr; i++)
		for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
			bytes[c] += summary.rows.items[i].bytes[c];
	assert_int_equal(summary.told, (1u << NR_SUMMARY_COUNTS) - 1);
	assert_int_equal(bytes[SUMMARY_PRESENT], bytes_of(said, TIDE_PAGE_PRESENT));
	assert_int_equal(bytes[SUMMARY_SWAPPED], bytes_of(said, TIDE_PAGE_SWAPPED));
	if (said->known & TIDE_PAGE_HUGE)
		assert_int_equal(bytes[SUMMARY_HUGE], bytes_of(said, TIDE_PAGE_HUGE));
	else if (fix->kind->must & TIDE_PAGE_HUGE)
		assert_int_equal(bytes[SUMMARY_HUGE], kinds_size(fix));
	else if (fix->kind->never & TIDE_PAGE_HUGE)
		assert_int_equal(bytes[SUMMARY_HUGE], 0);
	if (fix->kind->dirty)
		assert_int_equal(bytes[SUMMARY_DIRTY], kinds_size(fix));
	assert_true(bytes[SUMMARY_YOUNG] <= bytes[SUMMARY_PRESENT]);
	summary_fini(&summary);
}

/* Both sources, and the sums. */
void kinds_check_pages(struct fixture *fix, struct said *said)
{
	struct said older;

	open_pages(fix, NULL);
	ask(fix, said);
	expect_categories(fix, said);
	expect_tables(fix, said);
	expect_summary(fix, said);
	open_pages(fix, "no-pagemap-scan");
	ask(fix, &older);
	expect_categories(fix, &older);
	/* A walker is dear, under emulation most of all: only where the sums come from elsewhere then. */
	if (fix->kind->must & TIDE_PAGE_HUGE)
		expect_summary(fix, &older);
	for (unsigned bit = 0; bit < 16; bit++)
		if ((OF_BOTH >> bit & 1) && !fix->kind->is_device)
			assert_int_equal(older.bytes[bit], said->bytes[bit]);
}
