/* SPDX-License-Identifier: MIT */
/* This file asks pagemap. */
#include "kernel/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/fault.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"

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

uint64_t pagemap_categories(uint64_t entry)
{
	uint64_t categories = 0;

	if (entry & PAGEMAP_SOFT_DIRTY)
		categories |= PAGESCAN_SOFT_DIRTY;
	if (entry & PAGEMAP_PRESENT)
		categories |= PAGESCAN_PRESENT;
	else if (entry & PAGEMAP_SWAPPED)
		categories |= PAGESCAN_SWAPPED;
	else
		return categories;
	if (entry & PAGEMAP_FILE)
		categories |= PAGESCAN_FILE;
	if (!(entry & PAGEMAP_UFFD_WP))
		categories |= PAGESCAN_WRITTEN;
	return categories;
}

bool pagemap_may_be_zeros(uint64_t entry, uint64_t zero_pfn)
{
	uint64_t pfn = entry & PAGEMAP_PFN;

	if (!(entry & PAGEMAP_PRESENT))
		return (entry & PAGEMAP_UFFD_WP) != 0;
	if (entry & PAGEMAP_EXCLUSIVE)
		return false;
	return zero_pfn == 0 || pfn == 0 || pfn == zero_pfn;
}

int pagemap_zero_pfn(uint64_t *pfn)
{
	void *memory;
	int result = sys_mmap(&memory, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*pfn = 0;
	if (result < 0)
		return result;
	(void)*(volatile char *)memory;
	result = pagemap_own_pfn(memory, pfn);
	sys_munmap(memory, 4096);
	if (result == -EACCES)
		*pfn = 0;
	return result == -EACCES ? 0 : result;
}

size_t pagemap_run(const uint64_t *entries, size_t at, size_t nr)
{
	uint64_t categories = pagemap_categories(entries[at]);

	do
		at++;
	while (at < nr && pagemap_categories(entries[at]) == categories);
	return at;
}

long pagemap_read(int fd, uint64_t start, uint64_t *entries, size_t nr)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	ssize_t got = sys_pread(fd, entries, nr * sizeof(*entries), (off_t)(start / page * sizeof(*entries)));

	return got < 0 ? got : got / (ssize_t)sizeof(*entries);
}

int pagemap_soft_dirty_probe(void)
{
	volatile uint64_t entry = 0;
	long got;
	scope_sys_fd int fd = -1;

	if (fault_forced("no-soft-dirty"))
		return 0;
	fd = sys_open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return fd;
	/* Written now, also when somebody has cleared our soft-dirty bits a moment ago. */
	entry = 1;
	got = pagemap_read(fd, (uint64_t)(uintptr_t)&entry & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1), (uint64_t *)&entry,
	                   1);
	if (got != 1)
		return got < 0 ? (int)got : -ENODATA;
	return (entry & PAGEMAP_SOFT_DIRTY) != 0;
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
