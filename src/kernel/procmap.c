/* SPDX-License-Identifier: MIT */
/* This file asks for single VMAs with PROCMAP_QUERY. */
#include "kernel/procmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>

#include "kernel/fault.h"
#include "kernel/sys.h"

/* struct procmap_query of include/uapi/linux/fs.h, which Debian 12's headers do not have yet. */
struct query {
	uint64_t size;
	uint64_t flags; /* QUERY_*, or VMA_* as a filter */
	uint64_t addr;
	uint64_t vma_start; /* out, from here */
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t name_size; /* in: room, out: used, with the terminating zero */
	uint32_t build_id_size;
	uint64_t name_addr; /* in */
	uint64_t build_id_addr;
};

_Static_assert(sizeof(struct query) == 104, "the kernel's layout");

enum {
	QUERY_COVERING_OR_NEXT = 0x10,
	VMA_KNOWN = VMA_READ | VMA_WRITE | VMA_EXEC | VMA_SHARED,
};

#define PROCMAP_QUERY _IOWR('f', 17, struct query)

int procmap_query(int maps_fd, uint64_t addr, struct vma *out, char *name)
{
	struct query query = {
		.size = sizeof(query),
		.flags = QUERY_COVERING_OR_NEXT,
		.addr = addr,
		.name_size = name != NULL ? PROCMAP_NAME_SIZE : 0,
		.name_addr = (uint64_t)(uintptr_t)name,
	};
	int result = sys_ioctl(maps_fd, PROCMAP_QUERY, &query);

	if (result < 0)
		return result;
	*out = (struct vma){
		.start = query.vma_start,
		.end = query.vma_end,
		.offset = query.vma_offset,
		.inode = query.inode,
		.flags = (uint32_t)query.vma_flags & VMA_KNOWN,
		.page_bytes = (uint32_t)query.vma_page_size,
		.name = name,
		.name_size = query.name_size > 0 ? query.name_size - 1 : 0,
	};
	return 0;
}

int procmap_probe(void)
{
	scope_sys_fd int fd = -1;
	struct vma vma = { 0 };
	uint64_t here = (uint64_t)(uintptr_t)&vma;
	int result;

	if (fault_forced("no-procmap-query"))
		return 0;
	fd = sys_open("/proc/self/maps", O_RDONLY);
	if (fd < 0)
		return fd;
	/* The positive control: our own stack must be found, and be what a stack is. */
	result = procmap_query(fd, here, &vma, NULL);
	if (result == -ENOTTY || result == -EINVAL)
		return 0;
	if (result < 0)
		return result;
	return here >= vma.start && here < vma.end && (vma.flags & (VMA_READ | VMA_WRITE)) == (VMA_READ | VMA_WRITE);
}
