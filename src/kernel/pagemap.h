/* SPDX-License-Identifier: MIT */
/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst), as far as the walker's proof of itself needs it. */
#ifndef KERNEL_PAGEMAP_H
#define KERNEL_PAGEMAP_H

#include <stdint.h>

/* The page frame behind a present page of our own. -EACCES: hidden (needs CAP_SYS_ADMIN, or the fault
 * no-pagemap-pfn is forced); -ENODATA: not present. */
int pagemap_own_pfn(const void *addr, uint64_t *pfn);

#endif
