/* SPDX-License-Identifier: MIT */
/* This file makes pages of our own, and looks at their entries. */
#include "verify/own-page.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "kernel/pagemap.h"
#include "kernel/sys.h"

bool own_entry_of_is(pid_t pid, const char *page, uint64_t bits, uint64_t value)
{
	char path[64];
	uint64_t entry = 0;
	int fd;
	bool is;

	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = sys_open(pid > 0 ? path : "/proc/self/pagemap", O_RDONLY);
	is = pagemap_read(fd, (uint64_t)(uintptr_t)page, &entry, 1) == 1 && (entry & bits) == value;
	sys_close(fd);
	return is;
}

bool own_entry_is(const char *page, uint64_t bits, uint64_t value)
{
	return own_entry_of_is(0, page, bits, value);
}

bool own_clear_marks(void)
{
	int fd = sys_open("/proc/self/clear_refs", O_WRONLY);
	bool cleared = sys_pwrite(fd, "4", 1, 0) == 1;

	sys_close(fd);
	return cleared;
}

char *own_map_apart(void **around, int protection)
{
	char *page;

	*around = NULL;
	if (sys_mmap(around, APART_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	page = (char *)*around + 2 * PAGE_BYTES;
	return sys_mprotect(page, PAGE_BYTES, protection) == 0 ? page : NULL;
}

char *own_huge(void **memory)
{
	char *huge;

	*memory = NULL;
	if (sys_mmap(memory, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	huge = (char *)(((uintptr_t)*memory + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	(void)sys_madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
	*(volatile char *)huge = 1;
	/* The last page is there with the first one. */
	if (!own_entry_is(huge + HUGE_BYTES - PAGE_BYTES, PAGEMAP_PRESENT, PAGEMAP_PRESENT))
		(void)sys_madvise(huge, HUGE_BYTES, MADV_COLLAPSE);
	return own_entry_is(huge + HUGE_BYTES - PAGE_BYTES, PAGEMAP_PRESENT, PAGEMAP_PRESENT) ? huge : NULL;
}

bool own_is_once(const char *page)
{
	return own_entry_is(page, PAGEMAP_EXCLUSIVE, PAGEMAP_EXCLUSIVE);
}

pid_t own_share(void (*before)(char *), char *huge, int *hold)
{
	int ends[2], byte = 0;
	pid_t child;

	*hold = -1;
	if (sys_socketpair(ends) < 0)
		return -1;
	child = sys_clone(SIGCHLD);
	if (child < 0) {
		sys_close(ends[0]);
		sys_close(ends[1]);
		return child;
	}
	if (child == 0) {
		if (before != NULL)
			before(huge);
		(void)sys_send(ends[1], &byte, sizeof(byte));
		sys_close(ends[0]);
		(void)sys_receive(ends[1], &byte, sizeof(byte));
		sys_exit(0);
	}
	sys_close(ends[1]);
	*hold = ends[0];
	(void)sys_receive(ends[0], &byte, sizeof(byte));
	return child;
}

void own_part(pid_t child, int hold)
{
	int status;

	if (child <= 0)
		return;
	sys_close(hold);
	(void)sys_wait4(child, &status, 0);
}
