/* SPDX-License-Identifier: MIT */
/*
 * Regions as text: a JSON array, so that SQLite's own functions take it apart for people, but in one spelling only, so
 * that our reader is small and fast. "[[0,20,7],[96,0,199],288,[4000,1,0,19],4010]" are three regions, of pages 0 to
 * 96, 96 to 288 and 4000 to 4010. An array begins a region at its first number and goes on with nr_accesses, age,
 * nr_unobservable, nr_writes and nr_writes_unobservable, of which zeros at the end are left out; the region reaches to
 * the next item. A plain number ends the region before it where nothing follows: before a gap, and at the end.
 */
#ifndef RECORD_PACK_H
#define RECORD_PACK_H

#include <stddef.h>

#include <tidemark/monitor.h>

/*
 * A text ends at the first region that makes it so long: with the row's other columns, SQLite keeps it whole in a page
 * of 4 KiB, and four of them fill one.
 */
#define PACK_FULL 935
#define PACK_ROOM (PACK_FULL + 128)

/*
 * Writes regions[0], which begins the text, and as many more of the `nr` as there is room for: ordered, page-aligned,
 * of one target. Returns how many, at least 1; the text ends with NUL, *size is its length.
 */
size_t pack_regions(char text[PACK_ROOM], size_t *size, const struct tide_region *regions, size_t nr);

/*
 * Reads a text of `size` bytes, with a NUL behind it, that is to hold exactly `nr` regions of `target`, the first of
 * which begins at `start` and the last of which ends at `end`: in order, not empty, without overlaps. 0 or -EBADMSG.
 */
int pack_parse(const char *text, size_t size, uint32_t target, uint64_t start, uint64_t end, struct tide_region *out,
               size_t nr);

#endif
