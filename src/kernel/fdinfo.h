/* SPDX-License-Identifier: MIT */
/*
 * What /proc/PID/fdinfo says of an io_uring: the buffers registered with it, which stay pinned until they are
 * unregistered. It names them by the addresses they had at registration, in the process that registered them.
 */
#ifndef KERNEL_FDINFO_H
#define KERNEL_FDINFO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* [start, end), whole pages. Returns 0 to go on, anything else ends the listing and is returned by it. */
typedef int fdinfo_buffer_fn(void *arg, uint64_t start, uint64_t end);

/* 0 or 1, where 1 says that the ring was busy and the kernel left the list out, or part of it; what `fn` returned. */
int fdinfo_parse_buffers(const char *text, size_t size, fdinfo_buffer_fn *fn, void *arg);

/*
 * Calls `fn` for each buffer of each io_uring among the descriptors of thread `tid`, in no order; `dir` is a descriptor
 * of its /proc/PID. `*nr_looked` is how many descriptors there were. 0 or 1 as above, what `fn` returned, or -errno.
 */
int fdinfo_each_buffer(int dir, pid_t tid, fdinfo_buffer_fn *fn, void *arg, size_t *nr_looked);

#endif
