/* SPDX-License-Identifier: MIT */
/*
 * This file reads soft-dirty bits.
 *
 * The kernel's answers, of pagemap as of PAGEMAP_SCAN, say that the page's own bit or that of its mapping
 * (VM_SOFTDIRTY) is set; a page that is not there has none of its own.
 */
#include "watch/soft_look.h"

#include <errno.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"

enum {
	NR_REGIONS = 512,
	NR_ENTRIES = 512,
	PAGE_BYTES = 4096,
};

#define KINDS                                                                                                          \
	(PAGESCAN_PRESENT | PAGESCAN_SWAPPED | PAGESCAN_FILE | PAGESCAN_ZERO | PAGESCAN_WRITTEN | PAGESCAN_SOFT_DIRTY)

/* In shared mappings nothing is asked but whether it is marked. */
static unsigned kind_of(uint64_t categories, bool is_shared)
{
	bool is_own = is_shared || (categories & (PAGESCAN_FILE | PAGESCAN_ZERO)) == 0;

	if (categories & PAGESCAN_PRESENT)
		return is_own ? SOFT_THERE : categories & PAGESCAN_ZERO ? SOFT_EMPTY | SOFT_ZERO : SOFT_EMPTY;
	/* A marker of the target's own userfaultfd looks as if swapped, and protected. */
	return is_own && (categories & PAGESCAN_WRITTEN) ? SOFT_THERE : 0;
}

static unsigned flags_of(const struct soft_look *look, uint64_t entry, bool is_shared)
{
	uint64_t categories = pagemap_categories(entry);
	unsigned flags;

	if (!is_shared && pagemap_may_be_zeros(entry, look->zero_pfn))
		categories |= PAGESCAN_ZERO;
	flags = kind_of(categories, is_shared);
	if (look->zero_pfn == 0)
		flags &= ~(unsigned)SOFT_ZERO;
	return flags != 0 && (categories & PAGESCAN_SOFT_DIRTY) ? flags | SOFT_MARKED : flags;
}

/* Is there a page in [start, end), a few, that is not there and marked all the same? 1, 0, or -errno. */
static int has_marked_hole(const struct soft_look *look, uint64_t start, uint64_t end)
{
	uint64_t entries[NR_ENTRIES];
	long nr = pagemap_read(look->pagemap, start, entries, (end - start) / PAGE_BYTES);

	for (long i = 0; i < nr; i++)
		if ((pagemap_categories(entries[i]) & (PAGESCAN_PRESENT | PAGESCAN_SWAPPED | PAGESCAN_SOFT_DIRTY)) ==
		    PAGESCAN_SOFT_DIRTY)
			return 1;
	return nr < 0 ? (int)nr : 0;
}

static int find_reused(const struct soft_look *look, uint64_t start, uint64_t end)
{
	uint64_t few = (uint64_t)NR_ENTRIES * PAGE_BYTES;
	int result = has_marked_hole(look, start, end - start > few ? start + few : end);

	return result == 0 && end - start > few ? has_marked_hole(look, end - few, end) : result;
}

static int look_by_entries(const struct soft_look *look, uint64_t start, uint64_t end, bool is_shared, unsigned more,
                           soft_run_fn *fn, void *arg)
{
	uint64_t entries[NR_ENTRIES];

	while (start < end) {
		uint64_t wanted = (end - start) / PAGE_BYTES;
		long nr = pagemap_read(look->pagemap, start, entries, wanted < NR_ENTRIES ? wanted : NR_ENTRIES);
		long after;

		if (nr <= 0) /* 0: above all that a process can map */
			return (int)nr;
		for (long i = 0; i < nr; i = after) {
			unsigned flags = flags_of(look, entries[i], is_shared);
			int result = 0;

			for (after = i + 1; after < nr && flags_of(look, entries[after], is_shared) == flags; after++)
				;
			if (flags != 0)
				result = fn(arg, start + (uint64_t)i * PAGE_BYTES, start + (uint64_t)after * PAGE_BYTES,
				            flags | more);
			if (result != 0)
				return result;
		}
		start += (uint64_t)nr * PAGE_BYTES;
	}
	return 0;
}

static int look_by_scan(const struct soft_look *look, uint64_t start, uint64_t end, bool is_shared, unsigned more,
                        soft_run_fn *fn, void *arg)
{
	struct pagescan_region regions[NR_REGIONS];
	struct pagescan scan = {
		.start = start, .end = end, .any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED, .returned = KINDS
	};

	for (; scan.start < end; scan.start = scan.next) {
		long nr = pagescan(look->pagemap, &scan, regions, NR_REGIONS);

		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++) {
			unsigned flags = kind_of(regions[i].categories, is_shared) | more;
			int result;

			if (regions[i].categories & PAGESCAN_SOFT_DIRTY)
				flags |= SOFT_MARKED;
			/* From Linux 7.3 on nothing is called written where no userfaultfd is: not that it is
			 * protected. */
			if ((regions[i].categories & (PAGESCAN_PRESENT | PAGESCAN_WRITTEN)) == 0)
				result = look_by_entries(look, regions[i].start, regions[i].end, is_shared, more, fn,
				                         arg);
			else
				result = fn(arg, regions[i].start, regions[i].end, flags);
			if (result != 0)
				return result;
		}
		if (scan.next <= scan.start)
			return -EIO;
	}
	return 0;
}

int soft_look(const struct soft_look *look, uint64_t start, uint64_t end, bool is_shared, soft_run_fn *fn, void *arg)
{
	int reused = find_reused(look, start, end);
	unsigned more = reused > 0 ? SOFT_REUSED : 0;

	if (reused < 0)
		return reused;
	return look->has_scan ? look_by_scan(look, start, end, is_shared, more, fn, arg)
	                      : look_by_entries(look, start, end, is_shared, more, fn, arg);
}
