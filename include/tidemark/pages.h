/* SPDX-License-Identifier: MIT */
/*
 * What each page of a process is now: present, swapped out, of a file, huge, and so on. Nothing in the process changes.
 *
 * Rests on PAGEMAP_SCAN (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst); on older kernels the same answer comes
 * from the entries of /proc/PID/pagemap, as far as these tell. A question names categories by four masks, like the
 * kernel's: a page matches when, after the categories of `inverted` were taken as their opposite, it has all of
 * `all_of` and, unless that is 0, one of `any_of`. Neighbouring matching pages whose `returned` categories are the same
 * become one run.
 *
 *     struct tide_pages_query query = { .size = sizeof(query), .end = TIDE_PAGES_END,
 *                                       .all_of = TIDE_PAGE_PRESENT, .returned = TIDE_PAGE_HUGE };
 *
 *     tide_target_open(&target, pid, &err);
 *     tide_pages_open(&pages, target, &err);
 *     for (; query.start < query.end; query.start = query.next) {
 *             nr = tide_pages_get(pages, &query, runs, 256, &err);
 *             if (nr < 0)
 *                     break;
 *             ... runs[0 .. nr) ...
 *     }
 *
 * This only looks. To get the written pages and to begin to watch them anew in one atomic step, without a lost write,
 * is the work of <tidemark/watch.h>.
 *
 * Threads: one at a time may use a tide_pages and its target; different ones may be used at the same time.
 */
#ifndef TIDEMARK_PAGES_H
#define TIDEMARK_PAGES_H

#include <tidemark/target.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_pages;

/*
 * The categories: identifier, bit (the kernel's, PAGE_IS_*), name in reports, sentence. A page that is neither present
 * nor swapped has none of them but wpallowed and soft-dirty, which it may have from its mapping.
 */
#define TIDE_PAGE_CATEGORIES(X)                                                                                        \
	X(PRESENT, 3, "present", "in memory and mapped")                                                               \
	X(SWAPPED, 4, "swapped", "an entry without a page: in swap, on its way to another place, or a marker")         \
	X(FILE, 2, "file", "of a file, or shared memory")                                                              \
	X(HUGE, 6, "huge", "part of a huge page that is mapped as one")                                                \
	X(ZERO, 5, "zero", "the page of zeros that stands in where memory was only read")                              \
	X(SOFT_DIRTY, 7, "soft-dirty", "written, or its mapping made, since somebody cleared soft-dirty")              \
	X(WRITTEN, 1, "written", "not write-protected by userfaultfd")                                                 \
	X(WPALLOWED, 0, "wpallowed", "in a mapping whose writes userfaultfd tracks, asynchronously")

enum tide_page_category {
#define TIDE_PAGE_ENUM(id, bit, name, sentence) TIDE_PAGE_##id = 1 << (bit),
	TIDE_PAGE_CATEGORIES(TIDE_PAGE_ENUM)
#undef TIDE_PAGE_ENUM
	        TIDE_PAGE_EVERY = 0xff
};

/* Name and sentence of one category; static storage; NULL for anything but one bit of enum tide_page_category. */
TIDE_EXPORT const char *tide_page_category_name(uint64_t category);
TIDE_EXPORT const char *tide_page_category_sentence(uint64_t category);

/* Above every address that a process can have. */
#define TIDE_PAGES_END (UINT64_C(1) << 63)

struct tide_pages_query {
	size_t size;    /* sizeof(struct tide_pages_query) */
	uint64_t start; /* look at [start, end) only, whole pages; what is not mapped is passed over */
	uint64_t end;
	uint64_t all_of; /* masks of enum tide_page_category, see above */
	uint64_t any_of;
	uint64_t inverted;
	uint64_t returned;  /* what to say of the pages that match; 0: only where they are */
	uint64_t max_pages; /* return at most so many base pages; 0: no such bound */
	uint64_t next;      /* out: everything below was looked at; `end` when all was */
};

/* A run of whole pages, [start, end), that match and are alike. */
struct tide_page_run {
	uint64_t start;
	uint64_t end;
	uint64_t categories; /* those of `returned` that hold for all its pages, as they are: never inverted */
};

/*
 * Looks at `target`, which outlives the result and may be used between the calls. The memory is the one the target has
 * now: after an exec every call says GONE. Errors: GONE; DENIED not ours to look at (ptrace(2), "access mode
 * checking"); LIMIT; SYSTEM. Needs no privilege beyond that.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_pages_open(struct tide_pages **out, struct tide_target *target,
                                              struct tide_error *err);

/* Accepts NULL. */
TIDE_EXPORT void tide_pages_close(struct tide_pages *pages);

/*
 * The categories that can be told here. Without PAGEMAP_SCAN: not wpallowed, zero and huge; where the kernel was built
 * without it: not soft-dirty, though a kernel asked for it would answer, that nothing is.
 */
TIDE_EXPORT uint64_t tide_pages_categories(const struct tide_pages *pages);

/* "pagemap-scan" or "pagemap": what answers. Static storage. */
TIDE_EXPORT const char *tide_pages_source(const struct tide_pages *pages);

/*
 * Fills `runs` with at most `max` (at least 1) ascending runs that do not overlap, and sets query->next, from which the
 * next call goes on. A call looks at 4 GiB of mapped addresses at most, so it may return 0 before the end is reached;
 * the target's mmap lock is held for a few hundred microseconds at a time. Two calls may divide what would be one run.
 * Each page is seen at a moment of its own: of a process that runs, the answer is no snapshot.
 *
 * Categories depend on the kernel in places: of memory that no userfaultfd is registered for every page is `written`
 * before Linux 7.3, none from then on; guard regions (6.13) are `swapped`; device memory without struct pages is passed
 * over, of which the older interface only knows [vvar]: other device mappings are pages with no category there.
 *
 * Reads the mappings again, as tide_target_refresh() does: pointers into the target's layout are valid until here. That
 * costs each call about a microsecond for each mapping, so give it room for many runs.
 *
 * Returns how many runs were filled, or negative, and then nothing of `runs` counts: USAGE a range that is no whole
 * pages, unknown categories; UNSUPPORTED a category that cannot be told here; GONE the process has exited or executed
 * another program; LIMIT; SYSTEM.
 */
TIDE_EXPORT TIDE_MUST_USE long tide_pages_get(struct tide_pages *pages, struct tide_pages_query *query,
                                              struct tide_page_run *runs, size_t max, struct tide_error *err);

#ifdef __cplusplus
}
#endif
#endif
