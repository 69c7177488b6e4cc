/* SPDX-License-Identifier: MIT */
/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst), as far as the walker's proof of itself needs it. */
#ifndef KERNEL_PAGEMAP_H
#define KERNEL_PAGEMAP_H

#include <stdint.h>
#include <sys/types.h>

/* The page frame behind a present page of our own. -EACCES: hidden (needs CAP_SYS_ADMIN, or the fault
 * no-pagemap-pfn is forced); -ENODATA: not present. */
int pagemap_own_pfn(const void *addr, uint64_t *pfn);

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
