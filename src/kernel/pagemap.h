/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst): 64 bits for each page, as far as the walker's proof of
 * itself and the questions about pages need them.
 */
#ifndef KERNEL_PAGEMAP_H
#define KERNEL_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What an entry says. */
#define PAGEMAP_PFN        ((1ull << 55) - 1)
#define PAGEMAP_SOFT_DIRTY (1ull << 55)
#define PAGEMAP_EXCLUSIVE  (1ull << 56)
#define PAGEMAP_UFFD_WP    (1ull << 57)
#define PAGEMAP_FILE       (1ull << 61)
#define PAGEMAP_SWAPPED    (1ull << 62)
#define PAGEMAP_PRESENT    (1ull << 63)

/* The page frame behind a present page of our own. -EACCES: hidden (needs CAP_SYS_ADMIN, or the fault
 * no-pagemap-pfn is forced); -ENODATA: not present. */
int pagemap_own_pfn(const void *addr, uint64_t *pfn);

/* What entries can tell, of enum pagescan_category. */
#define PAGEMAP_CATEGORIES                                                                                             \
	(PAGESCAN_WRITTEN | PAGESCAN_FILE | PAGESCAN_PRESENT | PAGESCAN_SWAPPED | PAGESCAN_SOFT_DIRTY)

/* An entry as enum pagescan_category. */
uint64_t pagemap_categories(uint64_t entry);

/* One past the last of entries[at .. nr) that have the same categories as entries[at]. pre: at < nr */
size_t pagemap_run(const uint64_t *entries, size_t at, size_t nr);

/*
 * Reads the entries of `nr` pages from address `start` on, from a descriptor of a pagemap file. How many were read: 0
 * when the memory is gone, or ends there; or -errno.
 */
long pagemap_read(int fd, uint64_t start, uint64_t *entries, size_t nr);

struct pagescan;
struct pagescan_region;

/*
 * As pagescan() (pagescan.h), without flags: for kernels that have no PAGEMAP_SCAN. A page has PAGEMAP_CATEGORIES at
 * most, soft-dirty also when only its mapping says so. Takes an entry for each page, holes too.
 */
long pagemap_scan(int fd, struct pagescan *scan, struct pagescan_region *regions, size_t nr);

/*
 * May a present or swapped page that is not a file's be the zero page, or (with a userfaultfd) a mere marker?
 * `zero_pfn` is the zero page's; where entries hide frames, what is not mapped here alone may be it.
 */
bool pagemap_may_be_zeros(uint64_t entry, uint64_t zero_pfn);

/* The zero page's frame; 0: hidden. Or -errno. */
int pagemap_zero_pfn(uint64_t *pfn);

/*
 * Is this kernel built with soft-dirty bits? Shown by a page of our own that was just written. 1, 0 (also with the
 * fault no-soft-dirty forced), -errno could not be asked.
 */
int pagemap_soft_dirty_probe(void);

/* A descriptor of the page map of a thread; `dir` is that of its /proc/PID. */
int pagemap_open(int dir, pid_t tid);

enum {
	PAGEMAP_WINDOW = 128,
};

/* Some consecutive entries, read at once. Zeroed to begin with. */
struct pagemap_window {
	uint64_t addr; /* that entries[0] describes */
	uint64_t nr;
	uint64_t entries[PAGEMAP_WINDOW];
};

/*
 * Is the page at `addr` mapped? Asked under the lock of its page table, at this call or an earlier one with the same
 * window. 1, 0, or -errno; -ESRCH: no memory any more.
 */
int pagemap_is_present(int fd, struct pagemap_window *window, uint64_t addr);

#endif
