/* SPDX-License-Identifier: MIT */
/* This file feeds garbage as pagemap entries and masks: runs must be sound, within bounds, and resume to the whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel/pagemap.h"
#include "pages/runs.h"

#define PAGE        4096ul
#define MAX_ENTRIES 512
#define HEAD        6 /* bytes: four masks, two bounds */

const char *const fuzz_seeds[] = {
	"\x08\x10\x08\xff\x02\x03"
	"\x01\x02\x03\x04\x05\x06\x80\x81\x01\x02\x03\x04\x05\x06\x80\x81\x01\x02\x03\x04\x05\x06\x40\x42",
	"\x10\x08\x01\x0e\x01\x40 12345678 2345678 345678 a45678 3456789 abcdef",
	NULL,
};

static void expect(bool good)
{
	if (!good)
		abort();
}

static bool matches(const struct tide_pages_query *query, uint64_t categories)
{
	uint64_t has = categories ^ query->inverted;

	return (query->all_of & ~has) == 0 && (query->any_of == 0 || (query->any_of & has) != 0);
}

/* One bounded pass from entry `first` on: where the next one begins. `*nr_taken` counts pages. */
static size_t pass(const struct tide_pages_query *query, const uint64_t *entries, size_t first, size_t nr, size_t max,
                   uint64_t *nr_taken)
{
	struct tide_page_run items[9];
	struct runs runs;
	size_t at = first;
	uint64_t pages = 0;

	memset(items, 0xa5, sizeof(items));
	runs_begin(&runs, query, items, max, PAGE);
	while (at < nr) {
		size_t after = pagemap_run(entries, at, nr);
		uint64_t got;

		expect(after > at && after <= nr);
		got = runs_add(&runs, at * PAGE, after * PAGE, pagemap_categories(entries[at])) / PAGE;
		expect(got >= at && got <= after);
		at = got;
		if (got < after || runs_full(&runs))
			break;
	}
	expect(runs.nr <= max && items[max].start == 0xa5a5a5a5a5a5a5a5);
	for (size_t i = 0; i < runs.nr; i++) {
		expect(items[i].start < items[i].end && items[i].start >= first * PAGE && items[i].end <= at * PAGE);
		expect(i == 0 || items[i - 1].end < items[i].start || items[i - 1].categories != items[i].categories);
		expect((items[i].categories & ~query->returned) == 0);
		pages += (items[i].end - items[i].start) / PAGE;
		for (uint64_t page = items[i].start / PAGE; page < items[i].end / PAGE; page++)
			expect(matches(query, pagemap_categories(entries[page])));
	}
	expect(query->max_pages == 0 || pages <= query->max_pages);
	*nr_taken += pages;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tide_pages_query query = { 0 };
	uint64_t entries[MAX_ENTRIES];
	uint64_t nr_taken = 0;
	uint64_t nr_matching = 0;
	size_t nr;

	if (size < HEAD)
		return 0;
	query.all_of = data[0];
	query.any_of = data[1];
	query.inverted = data[2];
	query.returned = data[3];
	query.max_pages = data[4];
	nr = (size - HEAD) / sizeof(entries[0]);
	if (nr > MAX_ENTRIES)
		nr = MAX_ENTRIES;
	memcpy(entries, data + HEAD, nr * sizeof(entries[0]));
	for (size_t i = 0; i < nr; i++)
		nr_matching += matches(&query, pagemap_categories(entries[i]));
	for (size_t at = 0; at < nr;) {
		size_t next = pass(&query, entries, at, nr, 1 + data[5] % 8, &nr_taken);

		expect(next > at);
		at = next;
	}
	expect(nr_taken == nr_matching);
	return 0;
}
