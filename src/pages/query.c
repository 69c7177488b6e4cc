/* SPDX-License-Identifier: MIT */
/*
 * This file answers questions about the pages of a target.
 *
 * The kernel selects and joins pages by the query's masks, mapping by mapping and 16 MiB at a time, which keeps each
 * hold of the target's mmap lock below a millisecond (about 0.4 ms where every page is there). What it returns goes
 * through the same masks once more, where the entries of older kernels go for the first time: so both sources give the
 * same answer, and so do kernels that differ in what they call `written`: see choose_masks().
 */
#include <tidemark/pages.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "pages/runs.h"
#include "target/target.h"

enum {
	NR_REGIONS = 512,  /* the kernel collects so many before it hands them over */
	NR_ENTRIES = 4096, /* 16 MiB */
	NR_TRIES = 5,      /* how often a thread may exit just when its pagemap is opened */
};

#define PIECE_BYTES (UINT64_C(16) << 20)
#define SKIP_BYTES  (UINT64_C(1) << 30)
#define CALL_BYTES  (UINT64_C(4) << 30)

/* What a page that is not there can have, of its mapping. */
#define OF_MAPPING (TIDE_PAGE_WPALLOWED | TIDE_PAGE_SOFT_DIRTY)
#define IS_THERE   (TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED)

struct tide_pages {
	struct tide_target *target;
	int fd;    /* of a pagemap: stays with the memory it was opened on */
	bool scan; /* PAGEMAP_SCAN is there */
	uint64_t known;
	uint64_t page_bytes;
	union {
		struct pagescan_region regions[NR_REGIONS];
		uint64_t entries[NR_ENTRIES];
	};
};

/* One call of tide_pages_get(). */
struct call {
	struct tide_pages *pages;
	const struct tide_pages_query *query;
	struct runs runs;
	struct pagescan scan; /* the masks for the kernel */
	uint64_t at;          /* everything below was looked at */
	uint64_t left_bytes;  /* that may still be looked at */
	bool skips;           /* what is not there can be passed over */
	uint64_t cannot;      /* categories that no page of the mapping at hand has, whatever pagemap says */
};

/* The pagemap of a thread that has memory; a dead main thread has none. */
static int open_pagemap(struct tide_pages *pages, struct tide_error *err)
{
	struct tide_target *target = pages->target;
	pid_t tid;
	int result = -ESRCH;

	for (int tries = 0; result == -ESRCH && tries < NR_TRIES; tries++) {
		result = target_live_thread(target, &tid, err);
		if (result < 0)
			return result;
		result = pagemap_open(target_procfs(target), tid);
		if (result == -ENOENT)
			result = -ESRCH;
	}
	if (result == -ESRCH)
		return target_gone(target, err);
	if (result == -EACCES || result == -EPERM)
		return error_set(err, TIDE_CAUSE_DENIED, result,
		                 "not allowed to see the pages of process %d (%s): run as root or as its user",
		                 target->pid, target->name);
	if (result < 0)
		return error_system(err, result, "cannot open the page map of process %d (%s)", target->pid,
		                    target->name);
	pages->fd = result;
	return 0;
}

static int learn_kernel(struct tide_pages *pages, struct tide_error *err)
{
	int scan = pagescan_probe();
	int soft_dirty = pagemap_soft_dirty_probe();

	if (scan < 0 || soft_dirty < 0)
		return error_system(err, scan < 0 ? scan : soft_dirty,
		                    "cannot find out what this kernel can tell of pages");
	pages->scan = scan == 1;
	pages->known = pages->scan ? TIDE_PAGE_EVERY : PAGEMAP_CATEGORIES;
	if (soft_dirty == 0)
		pages->known &= ~(uint64_t)TIDE_PAGE_SOFT_DIRTY;
	pages->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int tide_pages_open(struct tide_pages **out, struct tide_target *target, struct tide_error *err)
{
	struct tide_pages *pages = calloc(1, sizeof(*pages));
	int result;

	if (pages == NULL)
		return error_system(err, -ENOMEM, "cannot look at the pages of process %d", tide_target_pid(target));
	pages->target = target;
	pages->fd = -1;
	result = learn_kernel(pages, err);
	if (result == 0)
		result = open_pagemap(pages, err);
	/* The memory that was opened is the target's if that is what it was before; only now is it sure. */
	if (result == 0) {
		int valid = tide_target_valid(target, err);

		result = valid > 0 ? 0 : valid < 0 ? valid : -ESRCH;
	}
	if (result < 0) {
		tide_pages_close(pages);
		return result;
	}
	*out = pages;
	return 0;
}

void tide_pages_close(struct tide_pages *pages)
{
	if (pages == NULL)
		return;
	sys_close(pages->fd);
	free(pages);
}

uint64_t tide_pages_categories(const struct tide_pages *pages)
{
	return pages->known;
}

const char *tide_pages_source(const struct tide_pages *pages)
{
	return pages->scan ? "pagemap-scan" : "pagemap";
}

static uint64_t masks_of(const struct tide_pages_query *query)
{
	return query->all_of | query->any_of | query->inverted | query->returned;
}

static int check_query(const struct tide_pages *pages, const struct tide_pages_query *query, size_t max,
                       struct tide_error *err)
{
	uint64_t unknown = masks_of(query) & ~pages->known;
	uint64_t first = unknown & -unknown;

	if (query->size != sizeof(*query) || max == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "a query of %zu bytes, %zu runs: not what is expected",
		                 query->size, max);
	if (query->start > query->end || query->end > TIDE_PAGES_END ||
	    ((query->start | query->end) & (pages->page_bytes - 1)) != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "0x%llx-0x%llx is no range of whole pages",
		                 (unsigned long long)query->start, (unsigned long long)query->end);
	if (unknown == 0)
		return 0;
	if ((unknown & ~(uint64_t)TIDE_PAGE_EVERY) != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no category 0x%llx",
		                 (unsigned long long)unknown);
	if (first == TIDE_PAGE_SOFT_DIRTY)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "'soft-dirty' cannot be told: this kernel is built without CONFIG_MEM_SOFT_DIRTY");
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "'%s' cannot be told: this kernel has no PAGEMAP_SCAN (Linux 6.7)",
	                 tide_page_category_name(first));
}

/* Can a page be selected that is not there? */
static bool selects_holes(const struct tide_pages_query *query)
{
	return runs_match(query, 0) || runs_match(query, TIDE_PAGE_WPALLOWED) ||
	       runs_match(query, TIDE_PAGE_SOFT_DIRTY) || runs_match(query, OF_MAPPING);
}

/*
 * A page that is not there is neither written nor not, but kernels call it written, or not, or depending on the masks,
 * where it is in a page table. Here it never is, so the kernel may not decide upon the opposite of `written` alone.
 */
static void choose_masks(struct call *call)
{
	const struct tide_pages_query *query = call->query;
	struct pagescan *scan = &call->scan;

	scan->all_of = query->all_of;
	scan->any_of = query->any_of;
	scan->inverted = query->inverted;
	scan->returned = query->all_of | query->any_of | query->returned;
	if ((scan->returned & TIDE_PAGE_WRITTEN) == 0)
		return;
	scan->returned |= IS_THERE;
	if ((query->inverted & TIDE_PAGE_WRITTEN) == 0)
		return;
	scan->all_of &= ~(uint64_t)TIDE_PAGE_WRITTEN;
	if (query->any_of & TIDE_PAGE_WRITTEN)
		scan->any_of = 0;
}

/* Takes what the kernel said of [start, end), as far as the bounds allow; false: no further. */
static bool take(struct call *call, uint64_t start, uint64_t end, uint64_t categories)
{
	if ((call->scan.returned & TIDE_PAGE_WRITTEN) != 0 && (categories & IS_THERE) == 0)
		categories &= OF_MAPPING;
	call->at = runs_add(&call->runs, start, end, categories);
	return call->at == end && !runs_full(&call->runs);
}

/* 1 looked at all of it, 0 a bound was reached, -errno. */
static int scan_piece(struct call *call, uint64_t end)
{
	struct pagescan_region *regions = call->pages->regions;
	struct runs *runs = &call->runs;

	while (call->at < end) {
		size_t room = runs->max - runs->nr + 1;
		long nr;

		call->scan.start = call->at;
		call->scan.end = end;
		call->scan.max_pages = call->query->max_pages > 0 ? runs->left : 0;
		nr = pagescan(call->pages->fd, &call->scan, regions, room < NR_REGIONS ? room : NR_REGIONS);
		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++)
			if (!take(call, regions[i].start, regions[i].end, regions[i].categories))
				return 0;
		/* An answer without progress would be asked for for ever. */
		if (call->scan.next <= call->at && nr == 0)
			return -EIO;
		call->at = call->scan.next > call->at ? call->scan.next : call->at;
	}
	return 1;
}

static int read_piece(struct call *call, uint64_t end)
{
	uint64_t *entries = call->pages->entries;
	uint64_t page = call->pages->page_bytes;

	while (call->at < end) {
		uint64_t start = call->at;
		uint64_t wanted = (end - start) / page;
		long nr = pagemap_read(call->pages->fd, start, entries, wanted < NR_ENTRIES ? wanted : NR_ENTRIES);

		if (nr <= 0)
			return nr < 0 ? (int)nr : -EIO;
		for (size_t i = 0; i < (size_t)nr;) {
			size_t after = pagemap_run(entries, i, (size_t)nr);

			if (!take(call, start + i * page, start + after * page,
			          pagemap_categories(entries[i]) & ~call->cannot))
				return 0;
			i = after;
		}
	}
	return 1;
}

static int look_at_piece(struct call *call, uint64_t end)
{
	int result = call->pages->scan ? scan_piece(call, end) : read_piece(call, end);

	if (result == 1 && runs_full(&call->runs))
		return 0;
	return result;
}

/*
 * Goes on to the first page that is there, at most to `end`. The kernel passes over missing page tables and stops at
 * the first page, so a gigabyte costs little whatever it holds; sanitizers and others map terabytes of which little is
 * used.
 */
static int skip_holes(struct call *call, uint64_t end)
{
	struct pagescan_region region = { 0 };
	struct pagescan scan = {
		.start = call->at, .end = end, .any_of = IS_THERE, .returned = IS_THERE, .max_pages = 1
	};
	long nr = pagescan(call->pages->fd, &scan, &region, 1);

	if (nr < 0)
		return (int)nr;
	call->at = nr > 0 ? region.start : end;
	return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next piece of a mapping that ends at `end`; pieces end where huge pages end. As look_at_piece(). */
static int look_at_next(struct call *call, uint64_t end)
{
	uint64_t start = call->at;
	uint64_t bound = smaller(end, start + call->left_bytes);
	int result = 1;

	if (call->left_bytes == 0)
		return 0;
	if (call->skips) {
		uint64_t far = smaller(bound, (start / SKIP_BYTES + 1) * SKIP_BYTES);

		result = skip_holes(call, far);
		if (result < 0)
			return result;
		bound = far;
		result = 1;
	}
	if (call->at < bound)
		result = look_at_piece(call, smaller(bound, (call->at / PIECE_BYTES + 1) * PIECE_BYTES));
	call->left_bytes -= call->at - start;
	return result;
}

/* pagemap calls the huge page of zeros a file's, as it is nobody's. */
static bool has_no_file(const struct tide_mapping *mapping)
{
	/* Of System V shared memory the inode is a number that begins with 0. */
	return mapping->inode == 0 && mapping->name[0] != '/' && strncmp(mapping->name, "[v", 2) != 0;
}

/* The part of a mapping from call->at on. As look_at_piece(). */
static int look_at_mapping(struct call *call, const struct tide_mapping *mapping)
{
	uint64_t end = smaller(mapping->end, call->query->end);
	int result = 1;

	/* PAGEMAP_SCAN passes over what has no struct pages. */
	if (!call->pages->scan && strncmp(mapping->name, "[vvar", 5) == 0)
		return 1;
	call->cannot = has_no_file(mapping) ? TIDE_PAGE_FILE : 0;
	if (call->at < mapping->start)
		call->at = mapping->start;
	while (result == 1 && call->at < end)
		result = look_at_next(call, end);
	return result;
}

static int look(struct call *call, const struct tide_layout *layout)
{
	for (size_t i = 0; i < layout->nr_mappings; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];
		int result;

		if (mapping->end <= call->query->start)
			continue;
		if (mapping->start >= call->query->end)
			break;
		result = look_at_mapping(call, mapping);
		if (result <= 0)
			return result;
	}
	call->at = call->query->end;
	return 1;
}

/* What was found before the failure counts, and the failure comes again if it is one; not for memory that is gone. */
static long conclude(struct call *call, int result, struct tide_error *err)
{
	struct tide_target *target = call->pages->target;
	int valid = tide_target_valid(target, err);

	if (valid <= 0)
		return valid < 0 ? valid : -ESRCH;
	if (result < 0 && call->runs.nr == 0)
		return error_system(err, result, "cannot read the page map of process %d (%s)", target->pid,
		                    target->name);
	return (long)call->runs.nr;
}

long tide_pages_get(struct tide_pages *pages, struct tide_pages_query *query, struct tide_page_run *runs, size_t max,
                    struct tide_error *err)
{
	struct call call = { .pages = pages, .query = query, .at = query->start, .left_bytes = CALL_BYTES };
	const struct tide_layout *layout;
	long result = check_query(pages, query, max, err);

	if (result < 0)
		return result;
	result = tide_target_refresh(pages->target, &layout, err);
	if (result < 0)
		return result;
	runs_begin(&call.runs, query, runs, max, pages->page_bytes);
	choose_masks(&call);
	call.skips = pages->scan && !selects_holes(query);
	result = conclude(&call, look(&call, layout), err);
	if (result >= 0)
		query->next = call.at;
	return result;
}
