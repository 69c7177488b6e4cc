/* SPDX-License-Identifier: MIT */
/* This file asks pagemap. */
#include "kernel/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

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

int pagemap_open(int dir, pid_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "task/%d/pagemap", tid);
	return sys_openat(dir, path, O_RDONLY);
}

int pagemap_is_present(int fd, struct pagemap_window *window, uint64_t addr)
{
	uint64_t at = (addr - window->addr) / 4096;

	if (addr < window->addr || at >= window->nr) {
		ssize_t got = sys_pread(fd, window->entries, sizeof(window->entries),
		                        (off_t)(addr / 4096 * sizeof(window->entries[0])));

		if (got < (ssize_t)sizeof(window->entries[0]))
			return got < 0 ? (int)got : -ESRCH;
		window->addr = addr;
		window->nr = (size_t)got / sizeof(window->entries[0]);
		at = 0;
	}
	return (window->entries[at] & PAGEMAP_PRESENT) != 0;
}
