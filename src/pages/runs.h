/* SPDX-License-Identifier: MIT */
/* Pages that come in ascending order, whoever saw them, become the bounded list of runs that a query asks for. */
#ifndef PAGES_RUNS_H
#define PAGES_RUNS_H

#include <stdbool.h>

#include <tidemark/pages.h>

struct runs {
	const struct tide_pages_query *query;
	struct tide_page_run *items;
	size_t nr;
	size_t max;
	uint64_t page_bytes;
	uint64_t left; /* pages that may still be taken */
};

void runs_begin(struct runs *runs, const struct tide_pages_query *query, struct tide_page_run *items, size_t max,
                uint64_t page_bytes);

/* Is a page with these categories one that the query selects? */
bool runs_match(const struct tide_pages_query *query, uint64_t categories);

/*
 * Pages [start, end) all have `categories`: takes them if they match. Returns how far it got: `end`, or less when a
 * bound was reached; what lies from there on was not taken.
 */
uint64_t runs_add(struct runs *runs, uint64_t start, uint64_t end, uint64_t categories);

/* No page more can be taken, whatever it is. */
bool runs_full(const struct runs *runs);

#endif
