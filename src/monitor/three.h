/* SPDX-License-Identifier: MIT */
/* The three regions of an address space. */
#ifndef MONITOR_THREE_H
#define MONITOR_THREE_H

#include <tidemark/target.h>

/*
 * Covers the ascending, disjoint `ranges` with at most three that leave out the two biggest gaps between them (the gaps
 * below the heap and above the mmap area, as a rule: terabytes of nothing). Returns how many: fewer gaps, fewer
 * regions.
 */
size_t three_regions(const struct tide_range *ranges, size_t nr, struct tide_range out[3]);

#endif
