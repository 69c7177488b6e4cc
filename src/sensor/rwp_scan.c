/* SPDX-License-Identifier: MIT */
/*
 * This file turns what PAGEMAP_SCAN says of a mapping into blocks of present and young bits.
 *
 * A page is young when its protection is gone, which the kernel tells of registered mappings only: in another one no
 * page is. So where a scan finds nothing young, the mark of one page is looked at: it is there, or the mapping is not
 * the one that was registered, and nothing can be said of it.
 */
#include <errno.h>
#include <string.h>

#include "sensor/rwp.h"

#define TABLE_SHIFT  9u /* entries of a page table, log2 */
#define SCAN_BYTES   (UINT64_C(1) << 30)
#define SCAN_PAGES   UINT64_C(16384) /* half a millisecond */
#define PAGES_OF_TWO UINT64_C(512)

struct blocks {
	tide_block_fn *fn;
	void *arg;
	uint64_t table; /* number of the page table of its size that is being filled; with nr_present 0: none is */
	struct tide_block block;
	uint64_t present[8];
	uint64_t young[8];
};

static int flush(struct blocks *blocks)
{
	struct tide_block *block = &blocks->block;
	int result = 0;

	if (block->nr_present > 0)
		result = blocks->fn(blocks->arg, block);
	block->nr_present = 0;
	return result;
}

static void begin(struct blocks *blocks, uint64_t table, const struct tide_block *like)
{
	memset(blocks->present, 0, sizeof(blocks->present));
	memset(blocks->young, 0, sizeof(blocks->young));
	blocks->table = table;
	blocks->block = *like;
	blocks->block.start = table << TABLE_SHIFT << like->entry_shift;
	blocks->block.nr_entries = 1u << TABLE_SHIFT;
	blocks->block.present = blocks->present;
	blocks->block.young = blocks->young;
}

/* Adds the entries of `like`'s size that begin in [start, end). */
static int add(struct blocks *blocks, uint64_t start, uint64_t end, const struct tide_block *like, bool is_young)
{
	uint64_t first = (start + (UINT64_C(1) << like->entry_shift) - 1) >> like->entry_shift;

	for (uint64_t entry = first; entry << like->entry_shift < end; entry++) {
		struct tide_block *block = &blocks->block;
		unsigned bit = (unsigned)(entry & ((1u << TABLE_SHIFT) - 1));

		if (block->nr_present == 0 || blocks->table != entry >> TABLE_SHIFT ||
		    block->entry_shift != like->entry_shift || block->reason != like->reason ||
		    block->is_file != like->is_file) {
			int result = flush(blocks);

			if (result != 0)
				return result;
			begin(blocks, entry >> TABLE_SHIFT, like);
		}
		blocks->present[bit / 64] |= UINT64_C(1) << bit % 64;
		block->nr_present++;
		if (!is_young)
			continue;
		blocks->young[bit / 64] |= UINT64_C(1) << bit % 64;
		block->nr_young++;
	}
	return 0;
}

static int add_region(struct blocks *blocks, const struct tracked_mapping *mapping,
                      const struct pagescan_region *region)
{
	bool unseen = mapping->standing != TRACKED_YES || rwp_unmaps(mapping, region->categories);
	const struct tide_block like = {
		.entry_shift = mapping->page_bytes > TRACKED_PAGE   ? (uint32_t)__builtin_ctz(mapping->page_bytes)
		               : region->categories & PAGESCAN_HUGE ? 21
		                                                    : 12,
		.reason = unseen ? TIDE_REASON_UNTRACKED : TIDE_REASON_NONE,
		.is_file = mapping->standing != TRACKED_YES && (region->categories & PAGESCAN_FILE) != 0,
	};

	return add(blocks, region->start, region->end, &like, !unseen && (region->categories & PAGESCAN_ACCESSED));
}

/* Is what was scanned registered? 1, 0, -errno. */
static int is_tracked(struct tracked *rwp, size_t nr)
{
	struct pagescan_region now = { 0 };
	struct pagescan scan = { .all_of = PAGESCAN_ACCESSED, .returned = PAGESCAN_ACCESSED };
	int64_t categories;
	long result;

	for (size_t i = 0; i < nr; i++)
		if (rwp->regions[i].categories & PAGESCAN_ACCESSED)
			return 1;
	categories = tracked_look(rwp, rwp->regions[0].start);
	if (categories < 0)
		return (int)categories;
	if (!(categories & PAGESCAN_WRITTEN))
		return 1; /* it is marked, or not there any more */
	/* Was it accessed in between? */
	scan.start = rwp->regions[0].start;
	scan.end = scan.start + TRACKED_PAGE;
	result = tracked_pagescan(rwp, &scan, &now, 1);
	return result < 0 ? (int)result : result > 0;
}

/* One call's worth of [*at, end), of one mapping. */
static int scan_step(struct tracked *rwp, struct tracked_mapping *mapping, uint64_t *at, uint64_t end, uint64_t *left,
                     struct blocks *blocks, struct tide_error *err)
{
	struct pagescan scan = {
		.start = *at,
		.end = end - *at < SCAN_BYTES ? end : *at + SCAN_BYTES,
		.all_of = PAGESCAN_PRESENT,
		.returned = PAGESCAN_PRESENT | PAGESCAN_ACCESSED | PAGESCAN_HUGE | PAGESCAN_FILE,
		.max_pages = *left < PAGES_OF_TWO ? PAGES_OF_TWO
		             : *left < SCAN_PAGES ? *left
		                                  : SCAN_PAGES,
	};
	long nr = tracked_pagescan(rwp, &scan, rwp->regions, TRACKED_NR_REGIONS);
	uint64_t nr_pages = 1;
	int tracked = 0;

	if (nr > 0 && mapping->standing == TRACKED_YES) {
		tracked = is_tracked(rwp, (size_t)nr);
		if (tracked == 0)
			tracked_lose(rwp, mapping->start, mapping->end);
	}
	if (nr < 0 || tracked < 0)
		return tracked_failed(rwp, nr < 0 ? (int)nr : tracked, "scan", err);
	for (long i = 0; i < nr; i++) {
		int result = add_region(blocks, mapping, &rwp->regions[i]);

		if (result != 0)
			return result;
		nr_pages += (rwp->regions[i].end - rwp->regions[i].start) / TRACKED_PAGE;
	}
	rwp->cost.nr_scanned += nr_pages - 1;
	*left -= nr_pages < *left ? nr_pages : *left;
	*at = scan.next;
	return 0;
}

int rwp_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
             uint64_t *next, struct tide_error *err)
{
	struct tracked *rwp = state;
	struct blocks blocks = { .fn = fn, .arg = arg };
	uint64_t left = max_entries;
	uint64_t at = start;

	while (at < end && left > 0) {
		struct tracked_mapping *mapping = tracked_mapping_from(rwp, at);
		int result;

		if (mapping == NULL || mapping->start >= end) {
			at = end;
			break;
		}
		at = at > mapping->start ? at : mapping->start;
		result = scan_step(rwp, mapping, &at, end < mapping->end ? end : mapping->end, &left, &blocks, err);
		if (result != 0)
			return result;
	}
	*next = at;
	return flush(&blocks);
}
