/* SPDX-License-Identifier: MIT */
/* This file tracks writes with nothing but the kernel's calls: the least that anybody can need. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "write-tracking.h"

int bare_arm(void *start, uint64_t size)
{
	uint64_t from = (uint64_t)(uintptr_t)start;
	int uffd = sys_userfaultfd(O_CLOEXEC | O_NONBLOCK | UFFD_USER_ONLY);
	int result = uffd < 0 ? uffd : uffd_api(uffd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED);

	if (result == 0)
		result = uffd_register(uffd, from, from + size);
	if (result == 0)
		result = uffd_protect(uffd, from, from + size);
	if (result < 0)
		fail("userfaultfd", result);
	return uffd;
}

uint64_t bare_harvest(int pagemap, const void *start, uint64_t size)
{
	static struct pagescan_region regions[NR_RUNS];
	uint64_t nr_pages = 0;
	struct pagescan scan = {
		.start = (uint64_t)(uintptr_t)start,
		.end = (uint64_t)(uintptr_t)start + size,
		.flags = PAGESCAN_REARM | PAGESCAN_CHECK_ASYNC,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
	};

	for (; scan.start < scan.end; scan.start = scan.next) {
		long nr = pagescan(pagemap, &scan, regions, NR_RUNS);

		if (nr < 0)
			fail("PAGEMAP_SCAN", (int)nr);
		for (long i = 0; i < nr; i++)
			nr_pages += (regions[i].end - regions[i].start) / PAGE;
	}
	return nr_pages;
}

int open_pagemap(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		fail("cannot open pagemap", fd);
	return fd;
}
