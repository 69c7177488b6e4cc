/* SPDX-License-Identifier: MIT */
/* What the pages of a mapping are as far as soft-dirty tracking goes, read from /proc/PID/pagemap. */
#ifndef WATCH_SOFT_LOOK_H
#define WATCH_SOFT_LOOK_H

#include <stdbool.h>
#include <stdint.h>

/* Of a run of pages. */
enum soft_flags {
	SOFT_THERE = 1 << 0,  /* present, or swapped out, and the process's own: neither the file's nor the zero page */
	SOFT_MARKED = 1 << 1, /* its own bit is set, or that of its mapping, which vouches for nothing then */
	SOFT_REUSED = 1 << 2, /* its mapping's bit is set: as far as the first and the last pages show */
	SOFT_EMPTY = 1 << 3,  /* present, and not SOFT_THERE */
	SOFT_ZERO = 1 << 4,   /* ... and the zero page, for certain: not where frames are hidden */
};

struct soft_look {
	int pagemap;
	bool has_scan;     /* PAGEMAP_SCAN; else entry by entry, holes too */
	uint64_t zero_pfn; /* without it; 0: hidden */
};

/* Ascending runs. Non-zero ends the look, and is returned. */
typedef int soft_run_fn(void *arg, uint64_t start, uint64_t end, unsigned flags);

/*
 * Looks at [start, end) of one mapping: all pages that are present or swapped. 0, what `fn` returned, or -errno. In
 * shared mappings everything that is present or swapped is SOFT_THERE.
 */
int soft_look(const struct soft_look *look, uint64_t start, uint64_t end, bool is_shared, soft_run_fn *fn, void *arg);

#endif
