/* SPDX-License-Identifier: MIT */
/* This file makes the PAGEMAP_SCAN call. */
#include "kernel/pagescan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <unistd.h>

#include "kernel/fault.h"
#include "kernel/sys.h"

/* struct pm_scan_arg of include/uapi/linux/fs.h, which Debian 12's headers do not have yet. */
struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

_Static_assert(sizeof(struct scan_arg) == 96, "the kernel's layout");
_Static_assert(sizeof(struct pagescan_region) == 24, "the kernel's layout");

#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_arg)

long pagescan(int pagemap_fd, struct pagescan *scan, struct pagescan_region *regions, size_t nr)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		.flags = scan->flags,
		.start = scan->start,
		.end = scan->end,
		.walk_end = scan->start,
		.vec = nr > 0 ? (uint64_t)(uintptr_t)regions : 0,
		.vec_len = nr,
		.max_pages = scan->max_pages,
		.category_inverted = scan->inverted,
		.category_mask = scan->all_of,
		.category_anyof_mask = scan->any_of,
		.return_mask = scan->returned,
	};
	int result = sys_ioctl_once(pagemap_fd, PAGEMAP_SCAN, &arg);

	scan->next = arg.walk_end;
	return result;
}

int pagescan_probe(void)
{
	scope_sys_fd int fd = -1;
	struct pagescan_region region = { 0 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t here = (uint64_t)(uintptr_t)&region & ~(page - 1);
	struct pagescan scan = {
		.start = here, .end = here + page, .all_of = PAGESCAN_PRESENT, .returned = PAGESCAN_PRESENT
	};
	long result;

	if (fault_forced("no-pagemap-scan"))
		return 0;
	fd = sys_open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return fd;
	/* The positive control: the page of our own stack that we are on is present. */
	result = pagescan(fd, &scan, &region, 1);
	if (result == -ENOTTY || result == -EINVAL)
		return 0;
	if (result < 0)
		return (int)result;
	return result == 1 && region.start == here && (region.categories & PAGESCAN_PRESENT) != 0;
}
