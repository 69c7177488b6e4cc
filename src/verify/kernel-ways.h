/* SPDX-License-Identifier: MIT */
/* In what kernels differ from each other, each for good reason: asked by making it happen. */
#ifndef VERIFY_KERNEL_WAYS_H
#define VERIFY_KERNEL_WAYS_H

#include <stdbool.h>

/* A mapping that is new, and so marked as soft-dirty, loses that when one that is not takes it in. Clears our marks. */
bool ways_merges_lose_marks(void);

/* mprotect() to read-only lets go of what was accounted and not used. Can be asked where merges lose marks only. */
bool ways_unaccounts(void);

/* A mapping with pages merges with one that never had any, when it becomes like it. The same. */
bool ways_merges_used(void);

/* io_uring pins memory of several files at once. */
bool ways_pins_files(void);

/* What MREMAP_DONTUNMAP leaves merges with the mapping beside it, when it becomes like that. */
bool ways_leaves_as_new(void);

/* mmap() between a mapping that never had pages and one that has merges with the latter, and not with both. */
bool ways_maps_to_next(void);

/* A huge page is to be had at once where it is asked for. */
bool ways_has_huge(void);

/* One mremap() moves two mappings. */
bool ways_moves_many(void);

/* A huge page's place, empty, that may be filled: MADV_COLLAPSE takes pages none of which is writable. */
bool ways_collapses_read_only(void *huge);

/* The same: MADV_DONTNEED of all of it leaves no table, so that a huge page comes with the next access. */
bool ways_frees_tables(void *huge);

/* The same: a write to the huge zero page makes a huge page of it. */
bool ways_zeros_stay_huge(char *huge);

/* A write takes over a page of what was a huge page, when all who shared it have gone. Asked with io_uring. */
bool ways_reuses_large(void);

/* Pages of a split huge page that hold zeros become the zero page. */
bool ways_splits_map_zeros(void);

/* Entries that come of a dirty huge one are not marked as soft-dirty by that. Clears our marks. */
bool ways_splits_clean(void);

/*
 * The same, and mprotect() leaves those read-only: a pin of the folio keeps the mark of what is writable, and not of
 * that. Asked with io_uring. Clears our marks.
 */
bool ways_protects_clean(void);

/* When a huge page is split, its dirty pages are marked. Clears our marks. */
bool ways_moves_mark(void);

/*
 * KSM finds no page equal to one that nobody may access, and nothing that it would have found behind that; here it
 * passes over all memory. Where KSM may run.
 */
bool ways_stops_at_forbidden(void);

/* What it merged is taken apart by a write, which marks it. The same; clears our marks. */
bool ways_unmerges_by_write(void);

/*
 * madvise() takes a large folio for its caller's alone when one of its pages is mapped once. Where that is not so: when
 * it is not mapped more often than it has pages, and its first page once.
 */
bool ways_shared_by_page(void);
bool ways_shared_likely(void);

/* pagemap says of all pages of a huge entry that they are mapped once, or not, as it is with the first of them. */
bool ways_once_of_first(void);

#endif
