/* SPDX-License-Identifier: MIT */
/* A child whose memory holds pages of every kind, at addresses and in an order that the test knows. */
#ifndef TESTS_KERNEL_MOSAIC_H
#define TESTS_KERNEL_MOSAIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "child.h"

#define MOSAIC_PAGE      4096ul
#define MOSAIC_START     0x200000000000ul
#define MOSAIC_END       (MOSAIC_START + (16ul << 20))
#define MOSAIC_NR        4096u /* page places in there */
#define MOSAIC_HUGE_AT   (MOSAIC_START + (4ul << 20))
#define MOSAIC_HUGE_SIZE (4ul << 20)

/* What the memory of a place is, and what was done to it. */
enum mosaic_kind {
	MOSAIC_UNMAPPED,
	MOSAIC_HOLE,    /* private, nothing there */
	MOSAIC_FREED,   /* ... any more */
	MOSAIC_ZERO,    /* ... and it was only read */
	MOSAIC_WRITTEN, /* ... and it was written */
	MOSAIC_NONE,    /* ... and then forbidden (PROT_NONE) */
	MOSAIC_SHARED_HOLE,
	MOSAIC_SHARED_WRITTEN,
	MOSAIC_FILE_HOLE, /* private, of a file */
	MOSAIC_FILE_READ,
	MOSAIC_FILE_WRITTEN,  /* so it is a copy */
	MOSAIC_TRACKED_HOLE,  /* private, registered for asynchronous write protection */
	MOSAIC_TRACKED_CLEAN, /* ... write-protected */
	MOSAIC_TRACKED_WRITTEN,
	MOSAIC_TRACKED_MARKER, /* ... write-protected, and nothing is there */
	MOSAIC_HUGE,           /* 4 MiB at MOSAIC_HUGE_AT, where huge pages are allowed */
	MOSAIC_NR_KINDS
};

struct mosaic {
	bool can_track;          /* this kernel has asynchronous write protection */
	bool is_huge;            /* MOSAIC_HUGE places were given huge pages */
	bool written_everywhere; /* this kernel calls all memory written that no userfaultfd is registered for */
	bool soft_dirty;
	uint8_t kinds[MOSAIC_NR];
	struct child child;
};

/* Runs of kinds, chosen at random by `seed`. Same seed, same plan. */
void mosaic_start(struct mosaic *mosaic, uint64_t seed, bool with_huge);
void mosaic_end(struct mosaic *mosaic);

/* The categories (enum tide_page_category) that the page at `addr` must have; false: it is not mapped. */
bool mosaic_categories(const struct mosaic *mosaic, uint64_t addr, uint64_t *categories);

#endif
