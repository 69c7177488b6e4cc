/* SPDX-License-Identifier: MIT */
/* PROCMAP_QUERY (Linux 6.11): one VMA at a time, in binary, from a descriptor of /proc/PID/maps. */
#ifndef KERNEL_PROCMAP_H
#define KERNEL_PROCMAP_H

#include <limits.h>

#include "kernel/maps.h"

enum {
	PROCMAP_NAME_SIZE = PATH_MAX, /* the kernel uses no more */
};

/* 1 usable, 0 this kernel has not got it (or the fault no-procmap-query is forced), -errno could not be asked. */
int procmap_probe(void);

/*
 * The VMA that holds `addr`, or the next one above. `name` is NULL, or has PROCMAP_NAME_SIZE bytes; out->name then
 * points into it and is raw: a newline is a newline. 0; -ENOENT there is none; -ESRCH the memory is gone;
 * -ENAMETOOLONG.
 */
int procmap_query(int maps_fd, uint64_t addr, struct vma *out, char *name);

#endif
