/* SPDX-License-Identifier: MIT */
/* This file asks pagemap. */
#include "kernel/pagemap.h"

#include <errno.h>
#include <fcntl.h>

#include "kernel/fault.h"
#include "kernel/sys.h"

#define PAGEMAP_PFN     ((1ull << 55) - 1)
#define PAGEMAP_PRESENT (1ull << 63)

int pagemap_own_pfn(const void *addr, uint64_t *pfn)
{
	uint64_t entry = 0;
	ssize_t got;
	scope_sys_fd int fd = sys_open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		return fd;
	got = sys_pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)addr / 4096 * sizeof(entry)));
	if (got < 0)
		return (int)got;
	if (got != sizeof(entry) || !(entry & PAGEMAP_PRESENT))
		return -ENODATA;
	*pfn = entry & PAGEMAP_PFN;
	return *pfn == 0 || fault_forced("no-pagemap-pfn") ? -EACCES : 0;
}
