/* SPDX-License-Identifier: MIT */
/* This file compares what is in memory with what a tracker reported. */
#include "verify/shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "verify/hash-store.h"
#include "verify/page-hash.h"

#define PAGE        UINT64_C(4096)
#define BLOCK_BYTES (HASH_BLOCK_PAGES * PAGE)

/* Stands for the hash of a page that could not be read, or, where absence does not mean zeros, is absent. */
#define UNKNOWN UINT64_C(0)

typedef VEC(struct tide_range) range_vec;

struct shadow {
	struct tide_watch *watch;
	struct tide_target *target;
	range_vec ranges;
	range_vec reported; /* in this epoch, ascending */
	VEC(uint64_t) lost;
	struct hash_store store;
	struct shadow_counts counts;
	uint64_t zero_hash;
	bool looked;
	int pagemap;
	unsigned char *contents; /* of a block */
	uint8_t certainty[HASH_BLOCK_PAGES];
};

static int out_of_memory(struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for the contents of pages");
}

static int by_start(const void *a, const void *b)
{
	const struct tide_range *x = a;
	const struct tide_range *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Ascending, and none touches another. */
static void tidy(range_vec *ranges)
{
	size_t to = 0;

	if (ranges->nr == 0)
		return;
	qsort(ranges->items, ranges->nr, sizeof(ranges->items[0]), by_start);
	for (size_t i = 1; i < ranges->nr; i++) {
		struct tide_range *last = &ranges->items[to];

		if (ranges->items[i].start > last->end)
			ranges->items[++to] = ranges->items[i];
		else if (ranges->items[i].end > last->end)
			last->end = ranges->items[i].end;
	}
	ranges->nr = to + 1;
}

int shadow_new(struct shadow **out, struct tide_watch *watch, struct tide_target *target,
               const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err)
{
	struct shadow *shadow = calloc(1, sizeof(*shadow));

	if (shadow == NULL)
		return out_of_memory(err);
	shadow->watch = watch;
	shadow->target = target;
	shadow->pagemap = -1;
	shadow->contents = calloc(1, BLOCK_BYTES);
	if (shadow->contents == NULL || vec_reserve(&shadow->ranges, nr_ranges) < 0) {
		shadow_free(shadow);
		return out_of_memory(err);
	}
	if (nr_ranges > 0)
		memcpy(shadow->ranges.items, ranges, nr_ranges * sizeof(*ranges));
	shadow->ranges.nr = nr_ranges;
	tidy(&shadow->ranges);
	shadow->zero_hash = page_hash(shadow->contents);
	*out = shadow;
	return 0;
}

void shadow_free(struct shadow *shadow)
{
	if (shadow == NULL)
		return;
	hash_store_fini(&shadow->store);
	vec_free(&shadow->ranges);
	vec_free(&shadow->reported);
	vec_free(&shadow->lost);
	sys_close(shadow->pagemap);
	free(shadow->contents);
	free(shadow);
}

int shadow_note(struct shadow *shadow, const struct tide_run *runs, size_t nr, struct tide_error *err)
{
	range_vec *reported = &shadow->reported;

	for (size_t i = 0; i < nr; i++) {
		struct tide_range range = { runs[i].start, runs[i].end };

		if (reported->nr > 0 && reported->items[reported->nr - 1].end == range.start)
			reported->items[reported->nr - 1].end = range.end;
		else if (vec_push(reported, range) < 0)
			return out_of_memory(err);
	}
	return 0;
}

static bool is_reported(const struct shadow *shadow, uint64_t addr)
{
	size_t low = 0;
	size_t high = shadow->reported.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (shadow->reported.items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < shadow->reported.nr && shadow->reported.items[low].start <= addr;
}

/* Private anonymous memory that is not there reads as zeros: to appear with other contents it must be written. */
static bool begins_as_zeros(const struct tide_mapping *mapping)
{
	return mapping->inode == 0 && (mapping->flags & TIDE_MAPPING_SHARED) == 0;
}

/* A descriptor of its pagemap, or negative. */
static int open_pagemap(struct shadow *shadow)
{
	if (shadow->pagemap < 0)
		shadow->pagemap = sys_openat(target_procfs(shadow->target), "pagemap", O_RDONLY);
	return shadow->pagemap;
}

/* Is the page of a private file mapping still the file's? Then who wrote the file changed it. */
static bool is_files_page(struct shadow *shadow, const struct tide_mapping *mapping, uint64_t addr)
{
	uint64_t entry;

	if (mapping->inode == 0 || (mapping->flags & TIDE_MAPPING_SHARED) != 0)
		return false;
	if (pagemap_read(open_pagemap(shadow), addr, &entry, 1) != 1)
		return true; /* it cannot be told: no suspicion without a ground */
	return (pagemap_categories(entry) & PAGESCAN_FILE) != 0;
}

/* Has a page of private anonymous memory gone? A marker of write protection looks as if swapped, and is not written. */
static bool has_gone(struct shadow *shadow, const struct tide_mapping *mapping, uint64_t addr)
{
	uint64_t entry, categories;

	if (!begins_as_zeros(mapping) || pagemap_read(open_pagemap(shadow), addr, &entry, 1) != 1)
		return false;
	categories = pagemap_categories(entry);
	return (categories & PAGESCAN_PRESENT) == 0 &&
	       (categories & (PAGESCAN_SWAPPED | PAGESCAN_WRITTEN)) != (PAGESCAN_SWAPPED | PAGESCAN_WRITTEN);
}

/*
 * A page that was unmapped since it was suspected cannot be reported any more; nobody can miss its contents. Nor those
 * of one that came and went between two collects, in memory that was not armed, where it had been zeros.
 */
static int judge_page(void *arg, uint64_t addr)
{
	struct shadow *shadow = arg;
	const struct tide_mapping *mapping = tide_layout_find(tide_watch_layout(shadow->watch), addr);

	if (is_reported(shadow, addr) || mapping == NULL || has_gone(shadow, mapping, addr))
		return 0;
	shadow->counts.nr_lost++;
	return vec_push(&shadow->lost, addr);
}

int shadow_judge(struct shadow *shadow, const uint64_t **lost, size_t *nr, struct tide_error *err)
{
	tidy(&shadow->reported);
	shadow->lost.nr = 0;
	if (hash_store_marked(&shadow->store, judge_page, shadow) < 0)
		return out_of_memory(err);
	shadow->counts.nr_suspected = 0;
	*lost = shadow->lost.items;
	*nr = shadow->lost.nr;
	return 0;
}

/* Compares a page of the open block with what it was, and keeps what it is: UNKNOWN where it could not be read. */
static void look_at_page(struct shadow *shadow, const struct tide_mapping *mapping, size_t page, uint64_t is)
{
	bool zeros = begins_as_zeros(mapping);
	uint64_t addr = shadow->store.open.start + page * PAGE;
	uint64_t was = zeros && shadow->looked ? shadow->zero_hash : UNKNOWN;
	bool was_known = hash_store_last(&shadow->store, page, &was);

	if (was != UNKNOWN && is != UNKNOWN && was != is && !is_reported(shadow, addr) &&
	    !is_files_page(shadow, mapping, addr)) {
		hash_store_mark(&shadow->store, page);
		shadow->counts.nr_suspected++;
	}
	if (is == (zeros ? shadow->zero_hash : UNKNOWN)) {
		shadow->counts.nr_verified += was_known && is != UNKNOWN;
		return; /* kept by not being kept */
	}
	shadow->counts.nr_verified += is != UNKNOWN;
	hash_store_keep(&shadow->store, page, is);
}

/* [start, end) lies in one block and in `mapping`. */
static int look_at_piece(struct shadow *shadow, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                         struct tide_error *err)
{
	uint64_t block = start / BLOCK_BYTES * BLOCK_BYTES;
	struct tide_error why = { 0 };
	int result = tide_watch_copy(shadow->watch, start, end, shadow->contents, shadow->certainty, &why);

	if (result < 0 && (why.cause == TIDE_CAUSE_GONE || why.cause == TIDE_CAUSE_LIMIT)) {
		if (err != NULL)
			*err = why;
		return result;
	}
	if (result < 0) {
		shadow->counts.unreadable_bytes += end - start;
		memset(shadow->certainty, TIDE_LOST, sizeof(shadow->certainty));
	}
	if (hash_store_block(&shadow->store, block) < 0)
		return out_of_memory(err);
	for (size_t i = 0; i < (end - start) / PAGE; i++) {
		bool was_read = shadow->certainty[i] == TIDE_EXACT || shadow->certainty[i] == TIDE_TORN;

		look_at_page(shadow, mapping, (start - block) / PAGE + i,
		             was_read ? page_hash(shadow->contents + i * PAGE) : UNKNOWN);
	}
	return 0;
}

/* Where there is something to look at in [start, end), which is not empty: contents now, or at the last look. */
static uint64_t find_contents(struct shadow *shadow, uint64_t start, uint64_t end)
{
	struct pagescan scan = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
		.max_pages = 1,
	};
	struct pagescan_region found;
	uint64_t known = hash_store_next(&shadow->store, start);
	long nr = pagescan(open_pagemap(shadow), &scan, &found, 1);

	if (nr < 0)
		return start;
	if (nr > 0 && found.start < known)
		return found.start;
	return known < end ? known : end;
}

static int look_at_range(struct shadow *shadow, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                         struct tide_error *err)
{
	int result = 0;

	while (result == 0 && start < end) {
		uint64_t at = find_contents(shadow, start, end);
		uint64_t stop = at / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES;

		if (stop > end)
			stop = end;
		if (at < stop)
			result = look_at_piece(shadow, mapping, at, stop, err);
		start = stop;
	}
	return result;
}

/* The kernel's own pages change by themselves, and nobody writes them through a mapping. */
static bool is_kernels(const struct tide_mapping *mapping)
{
	return strncmp(mapping->name, "[vvar", 5) == 0 || strcmp(mapping->name, "[vsyscall]") == 0;
}

static int look_at_mapping(struct shadow *shadow, const struct tide_mapping *mapping, struct tide_error *err)
{
	int result = 0;

	if (is_kernels(mapping))
		return 0;
	if (shadow->ranges.nr == 0)
		return look_at_range(shadow, mapping, mapping->start, mapping->end, err);
	for (size_t i = 0; result == 0 && i < shadow->ranges.nr; i++) {
		const struct tide_range *range = &shadow->ranges.items[i];
		uint64_t start = range->start > mapping->start ? range->start : mapping->start;
		uint64_t end = range->end < mapping->end ? range->end : mapping->end;

		result = look_at_range(shadow, mapping, start, end, err);
	}
	return result;
}

int shadow_look(struct shadow *shadow, struct tide_error *err)
{
	const struct tide_layout *layout = tide_watch_layout(shadow->watch);
	int result = 0;

	hash_store_begin(&shadow->store);
	shadow->counts = (struct shadow_counts){ .nr_lost = shadow->counts.nr_lost };
	for (size_t i = 0; result == 0 && i < layout->nr_mappings; i++)
		result = look_at_mapping(shadow, &layout->mappings[i], err);
	if (result == 0 && hash_store_end(&shadow->store) < 0)
		result = out_of_memory(err);
	if (result < 0)
		return result;
	shadow->reported.nr = 0;
	shadow->looked = true;
	return 0;
}

void shadow_count(const struct shadow *shadow, struct shadow_counts *out)
{
	*out = shadow->counts;
	out->memory_bytes = hash_store_memory(&shadow->store);
}
