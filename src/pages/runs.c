/* SPDX-License-Identifier: MIT */
/* This file selects, joins and bounds runs of pages. */
#include "pages/runs.h"

void runs_begin(struct runs *runs, const struct tide_pages_query *query, struct tide_page_run *items, size_t max,
                uint64_t page_bytes)
{
	*runs = (struct runs){
		.query = query,
		.items = items,
		.max = max,
		.page_bytes = page_bytes,
		.left = query->max_pages > 0 ? query->max_pages : UINT64_MAX / page_bytes,
	};
}

bool runs_match(const struct tide_pages_query *query, uint64_t categories)
{
	categories ^= query->inverted;
	return (categories & query->all_of) == query->all_of &&
	       (query->any_of == 0 || (categories & query->any_of) != 0);
}

uint64_t runs_add(struct runs *runs, uint64_t start, uint64_t end, uint64_t categories)
{
	struct tide_page_run *items = runs->items;
	uint64_t returned = categories & runs->query->returned;
	bool joins = runs->nr > 0 && items[runs->nr - 1].end == start && items[runs->nr - 1].categories == returned;

	if (!runs_match(runs->query, categories))
		return end;
	if (runs->left == 0 || (!joins && runs->nr == runs->max))
		return start;
	if ((end - start) / runs->page_bytes > runs->left)
		end = start + runs->left * runs->page_bytes;
	runs->left -= (end - start) / runs->page_bytes;
	if (joins)
		items[runs->nr - 1].end = end;
	else
		items[runs->nr++] = (struct tide_page_run){ start, end, returned };
	return end;
}

bool runs_full(const struct runs *runs)
{
	return runs->left == 0;
}
