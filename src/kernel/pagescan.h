/* SPDX-License-Identifier: MIT */
/*
 * PAGEMAP_SCAN (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst): which pages of a range are what, and atomically
 * with it their write protection anew, from a descriptor of /proc/PID/pagemap.
 */
#ifndef KERNEL_PAGESCAN_H
#define KERNEL_PAGESCAN_H

#include <stddef.h>
#include <stdint.h>

/* Categories: PAGE_IS_* of the kernel. */
enum pagescan_category {
	PAGESCAN_WPALLOWED = 1 << 0, /* its mapping is registered for asynchronous write protection */
	PAGESCAN_WRITTEN = 1 << 1,   /* not write-protected by userfaultfd */
	PAGESCAN_FILE = 1 << 2,      /* of a file, or shared anonymous */
	PAGESCAN_PRESENT = 1 << 3,
	PAGESCAN_SWAPPED = 1 << 4, /* an entry without a page: swap, migration, a write-protect marker */
	PAGESCAN_ZERO = 1 << 5,    /* the zero page */
	PAGESCAN_HUGE = 1 << 6,    /* mapped by one huge entry, whole */
	PAGESCAN_SOFT_DIRTY = 1 << 7,
	PAGESCAN_ACCESSED =
	        1 << 9, /* not protected against access, where that is registered (Linux 7.3; else -EINVAL) */
};

enum pagescan_flags {
	PAGESCAN_REARM = 1 << 0, /* write-protect what matches */
	PAGESCAN_CHECK_ASYNC =
	        1 << 1, /* -EPERM where the mapping is not registered for asynchronous write protection */
};

/* struct page_region of the kernel. */
struct pagescan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories; /* those of `returned` that hold for all its pages */
};

struct pagescan {
	uint64_t start; /* in */
	uint64_t end;
	uint64_t flags;     /* enum pagescan_flags */
	uint64_t inverted;  /* categories that are to be taken as their opposite, by all_of and any_of */
	uint64_t all_of;    /* a page matches when it has all of these ... */
	uint64_t any_of;    /* ... and one of these, if any is given */
	uint64_t returned;  /* categories to report */
	uint64_t max_pages; /* 0: as many as the regions hold */
	uint64_t next;      /* out: where the scan ended; start of the next one */
};

/*
 * One call, never repeated by itself: with PAGESCAN_REARM an error, -EINTR too, means that pages before the one that
 * failed are protected again and their writes forgotten. Returns how many of `regions` were filled; the scan is
 * complete when scan->next == scan->end. With nothing to return pass nr 0 and PAGESCAN_REARM: no region is reported
 * then. -ENOTTY, -EINVAL: this kernel cannot.
 */
long pagescan(int pagemap_fd, struct pagescan *scan, struct pagescan_region *regions, size_t nr);

/* 1: the call is there (or 0: it is not, or the fault no-pagemap-scan is forced), -errno could not be asked. */
int pagescan_probe(void);

#endif
