/* SPDX-License-Identifier: MIT */
/* This file asks for the kernel interfaces about memory and processes that tidemark stands on. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/fault.h"
#include "kernel/iomem.h"
#include "kernel/pagemap.h"
#include "kernel/procmap.h"
#include "kernel/sys.h"
#include "verify/helper.h"
#include "verify/need.h"
#include "verify/place.h"
#include "verify/row.h"

#define PAGE_BYTES 4096u

static void hidden(struct doctor_row *row, const char *what)
{
	row_no(row, "the kernel hides them from this process");
	if (!need_remedy(row, what, NEED_ADDRESS))
		row_remedy(row,
		           "%s are hidden in spite of CAP_SYS_ADMIN: ask whoever set up this machine's security module",
		           what);
}

static void ask_pagemap(struct doctor_row *row)
{
	char here = 0;
	uint64_t pfn;
	int result = pagemap_own_pfn(&here, &pfn);

	if (result == 0)
		row_yes(row, "/proc/PID/pagemap shows the frame of a page of our own");
	else if (fault_forced("no-pagemap-pfn"))
		row_no(row, "switched off by TIDEMARK_FAULT=no-pagemap-pfn");
	else if (result == -EACCES || result == -EPERM)
		hidden(row, "page frame numbers");
	else
		row_errno(row, result, "reading /proc/self/pagemap");
}

static void ask_iomem(struct doctor_row *row)
{
	struct iomem_range ram[64];
	int result = iomem_system_ram(ram, sizeof(ram) / sizeof(ram[0]));

	if (result > 0)
		row_yes(row, "/proc/iomem shows where memory lies");
	else if (result == -EACCES || result == -EPERM)
		hidden(row, "physical addresses in /proc/iomem");
	else
		row_errno(row, result, "reading /proc/iomem");
}

static void judge_cold(struct doctor_row *row, ssize_t result)
{
	if (result == PAGE_BYTES) {
		row_yes(row, "the kernel took it for a page of another process");
	} else if (result == -EPERM) {
		row_no(row, "refused for another process");
		if (!need_remedy(row, "clearing accessed bits", NEED_CLEARING))
			row_remedy(row, PLACE_SECCOMP_REMEDY);
	} else if (result == -ENOSYS || result == -EINVAL) {
		row_no(row, "this kernel has no process_madvise(MADV_COLD)");
		row_remedy(row,
		           "clearing accessed bits needs process_madvise(MADV_COLD); Linux 5.10 and later have it");
	} else {
		row_errno(row, result < 0 ? (int)result : -EIO,
		          "process_madvise(MADV_COLD) on a page of another process");
	}
}

static void ask_cold(struct doctor_row *row)
{
	struct helper helper;
	int result = helper_start(&helper);
	struct iovec range = { helper.page, PAGE_BYTES };
	scope_sys_fd int pidfd = result < 0 ? result : sys_pidfd_open(helper.pid);

	if (pidfd < 0)
		row_errno(row, pidfd, "opening a child to ask about");
	else
		judge_cold(row, sys_process_madvise(pidfd, &range, 1, MADV_COLD));
	helper_end(&helper);
}

static void ask_procmap(struct doctor_row *row)
{
	int result = procmap_probe();

	if (result > 0)
		row_yes(row, "PROCMAP_QUERY found our own stack");
	else if (result < 0)
		row_errno(row, result, "asking PROCMAP_QUERY for our own stack");
	else if (fault_forced("no-procmap-query"))
		row_no(row,
		       "switched off by TIDEMARK_FAULT=no-procmap-query; the text of /proc/PID/maps is read instead");
	else
		row_no(row,
		       "not in this kernel (Linux 6.11 and later have it); the text of /proc/PID/maps is read instead");
}

/* A child is seen alive, its end is announced, and it is seen dead. */
static void ask_pidfd(struct doctor_row *row)
{
	struct helper helper;
	int result = helper_start(&helper);
	scope_sys_fd int pidfd = result < 0 ? result : sys_pidfd_open(helper.pid);
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	bool lived = pidfd >= 0 && poll(&end, 1, 0) == 0 && sys_pidfd_alive(pidfd) == 1;

	helper_end(&helper);
	if (pidfd == -ENOSYS) {
		row_no(row, "this kernel has no pidfd_open(2)");
		row_remedy(row, "processes are held by a pidfd; Linux 5.3 and later have them");
	} else if (pidfd < 0) {
		row_errno(row, pidfd, "opening a child");
	} else if (lived && poll(&end, 1, 0) == 1 && sys_pidfd_alive(pidfd) == 0) {
		row_yes(row, "a child was seen alive, and its end was announced");
	} else {
		row_no(row, "the end of a child was not announced");
		row_remedy(row,
		           "without pidfds that announce an exit no process can be watched: a seccomp filter or the "
		           "container's runtime may stand in the way");
	}
}

const struct doctor_question questions_memory[] = {
	{ "pagemap-pfn", ask_pagemap },   { "iomem", ask_iomem }, { "process-madvise-cold", ask_cold },
	{ "procmap-query", ask_procmap }, { "pidfd", ask_pidfd }, { 0 },
};
