/* SPDX-License-Identifier: MIT */
/*
 * This file sums the pages of a target up by mapping: what is present comes from the kernel's answer about pages, which
 * everybody may ask for; young and dirty from the page tables themselves, where the walker may read them.
 */
#include "pages/summary_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "pages/entry.h"

static int add_name(struct summary *summary, const char *name, size_t *at)
{
	size_t size = strlen(name) + 1;

	if (vec_reserve(&summary->names, summary->names.nr + size) < 0)
		return -ENOMEM;
	*at = summary->names.nr;
	memcpy(summary->names.items + *at, name, size);
	summary->names.nr += size;
	return 0;
}

/* One row for each mapping in each range. */
static int make_rows(struct summary_work *work, const struct tide_layout *layout)
{
	for (size_t r = 0; r < work->nr_ranges; r++) {
		for (size_t i = 0; i < layout->nr_mappings; i++) {
			const struct tide_mapping *mapping = &layout->mappings[i];
			struct summary_row row = { .start = mapping->start, .end = mapping->end };

			if (row.start < work->ranges[r].start)
				row.start = work->ranges[r].start;
			if (row.end > work->ranges[r].end)
				row.end = work->ranges[r].end;
			if (row.start >= row.end)
				continue;
			if (add_name(work->summary, mapping->name, &row.name_at) < 0 ||
			    vec_push(&work->summary->rows, row) < 0)
				return -ENOMEM;
			work->all += row.end - row.start;
		}
	}
	return 0;
}

/* The first row that ends above `addr`. Most questions are about the row before, or the one after it. */
static size_t find_row(struct summary_work *work, uint64_t addr)
{
	const struct summary *summary = work->summary;
	size_t low = 0;
	size_t high = summary->rows.nr;

	if (work->row < high && summary->rows.items[work->row].start <= addr &&
	    addr < summary->rows.items[work->row].end)
		return work->row;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr >= summary->rows.items[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void summary_add(struct summary_work *work, uint64_t start, uint64_t end, const bool counts[NR_SUMMARY_COUNTS])
{
	for (size_t i = find_row(work, start); i < work->summary->rows.nr; i++) {
		struct summary_row *row = &work->summary->rows.items[i];
		uint64_t from = row->start > start ? row->start : start;
		uint64_t to = row->end < end ? row->end : end;

		if (row->start >= end)
			break;
		for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
			row->bytes[c] += counts[c] ? to - from : 0;
		work->row = i;
	}
}

/* How much of the rows lies below `addr`: how far the work is. */
static uint64_t bytes_below(const struct summary *summary, uint64_t addr)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < summary->rows.nr && summary->rows.items[i].start < addr; i++) {
		const struct summary_row *row = &summary->rows.items[i];

		bytes += (row->end < addr ? row->end : addr) - row->start;
	}
	return bytes;
}

int summary_pause(struct summary_work *work, uint64_t addr)
{
	if (work->pause == NULL)
		return 0;
	return work->pause(work->arg, work->done + bytes_below(work->summary, addr), work->all);
}

static int take_pages(struct summary_work *work, struct tide_pages *pages, struct tide_error *err)
{
	uint64_t huge = tide_pages_categories(pages) & TIDE_PAGE_HUGE;
	struct tide_pages_query query = {
		.size = sizeof(query),
		.start = work->range.start,
		.end = work->range.end,
		.any_of = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED,
		.returned = TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED | huge,
	};
	scope_free struct tide_page_run *runs = malloc(SUMMARY_NR_RUNS * sizeof(*runs));

	if (runs == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (; query.start < query.end; query.start = query.next) {
		long nr = tide_pages_get(pages, &query, runs, SUMMARY_NR_RUNS, err);
		int result;

		for (long i = 0; i < nr; i++) {
			bool counts[NR_SUMMARY_COUNTS] = {
				[SUMMARY_PRESENT] = (runs[i].categories & TIDE_PAGE_PRESENT) != 0,
				[SUMMARY_SWAPPED] = (runs[i].categories & TIDE_PAGE_SWAPPED) != 0,
				[SUMMARY_HUGE] = (runs[i].categories & TIDE_PAGE_HUGE) != 0,
			};

			summary_add(work, runs[i].start, runs[i].end, counts);
		}
		result = nr < 0 ? (int)nr : summary_pause(work, query.next);
		if (result != 0)
			return result;
	}
	return 0;
}

/* Without privileges there is less to say, which is no failure; that there is no process any more is one. */
static int open_walker(struct summary_work *work, struct tide_error *err)
{
	struct tide_error why = { 0 };
	int result = walker_open(&work->walker, work->target, &why);

	if (result == 0) {
		work->address_mask = entry_address_mask();
		return 0;
	}
	work->walker = NULL;
	if (why.cause != TIDE_CAUSE_GONE) {
		work->summary->lack = why;
		return 0;
	}
	if (err != NULL)
		*err = why;
	return result;
}

static int take_all(struct summary_work *work, struct tide_pages *pages, struct tide_error *err)
{
	struct summary *summary = work->summary;
	uint64_t mapped = work->all;
	int result = 0;

	summary->told = 1u << SUMMARY_PRESENT | 1u << SUMMARY_SWAPPED;
	if (tide_pages_categories(pages) & TIDE_PAGE_HUGE)
		summary->told |= 1u << SUMMARY_HUGE;
	work->all += work->walker != NULL ? 2 * mapped : 0;
	for (size_t r = 0; result == 0 && r < work->nr_ranges; r++) {
		work->range = work->ranges[r];
		result = take_pages(work, pages, err);
	}
	work->done = mapped;
	for (size_t r = 0; result == 0 && work->walker != NULL && r < work->nr_ranges; r++) {
		work->range = work->ranges[r];
		result = summary_take_tables(work, err);
	}
	work->done = 2 * mapped;
	for (size_t r = 0; result == 0 && work->walker != NULL && r < work->nr_ranges; r++) {
		work->range = work->ranges[r];
		result = summary_take_pins(work, pages, err);
	}
	if (result == 0 && work->walker != NULL)
		summary->told |= 1u << SUMMARY_YOUNG | 1u << SUMMARY_DIRTY | 1u << SUMMARY_HUGE | 1u << SUMMARY_PINNED;
	else if (work->walker != NULL)
		error_set(&summary->lack, TIDE_CAUSE_SYSTEM, -EINTR, "the look through the memory was ended early");
	return result;
}

int summary_take(struct summary *summary, struct tide_target *target, struct tide_pages *pages,
                 const struct tide_range *ranges, size_t nr_ranges, summary_pause_fn *pause, void *arg,
                 struct tide_error *err)
{
	const struct tide_range everything = { 0, TIDE_PAGES_END };
	struct summary_work work = {
		.summary = summary,
		.target = target,
		.ranges = nr_ranges > 0 ? ranges : &everything,
		.nr_ranges = nr_ranges > 0 ? nr_ranges : 1,
		.pause = pause,
		.arg = arg,
	};
	const struct tide_layout *layout;
	int result;

	*summary = (struct summary){ 0 };
	result = tide_target_refresh(target, &layout, err);
	if (result == 0 && make_rows(&work, layout) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for %zu mappings",
		                   layout->nr_mappings);
	if (result == 0)
		result = open_walker(&work, err);
	if (result == 0)
		result = take_all(&work, pages, err);
	walker_close(work.walker);
	return result;
}

void summary_fini(struct summary *summary)
{
	vec_free(&summary->rows);
	vec_free(&summary->names);
}

const char *summary_name(const struct summary *summary, const struct summary_row *row)
{
	return summary->names.items + row->name_at;
}
