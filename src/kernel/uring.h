/* SPDX-License-Identifier: MIT */
/*
 * io_uring(7), as far as it pins memory of our own and lets the kernel write into it as a device would: past the page
 * tables.
 */
#ifndef KERNEL_URING_H
#define KERNEL_URING_H

#include <stddef.h>
#include <sys/types.h>

struct uring {
	int fd;
	void *queues;
	void *entries;
	unsigned sq_tail; /* offsets into `queues`, in bytes */
	unsigned sq_array;
	unsigned cq_head;
	unsigned cq_tail;
	unsigned cq_entries;
	unsigned cq_mask;
};

/* 0 or -errno: -ENOSYS, -EPERM, -EACCES: not in this kernel, or not allowed. */
int uring_open(struct uring *ring);
void uring_close(struct uring *ring); /* unpins, in time; one that did not open is fine */

/* One range for each ring at a time. 0 or -errno; -ENOMEM: more than RLIMIT_MEMLOCK allows; -EBUSY: there is one. */
int uring_pin(struct uring *ring, void *start, size_t size);
int uring_unpin(struct uring *ring); /* at once; -ENXIO: nothing is pinned */

/* Has the kernel read `size` bytes of `file` into pinned memory, and waits for it. 0 or -errno. */
int uring_read_pinned(struct uring *ring, int file, off_t offset, void *to, unsigned size);
/* The other way round: into `file`, out of pinned memory. */
int uring_write_pinned(struct uring *ring, int file, off_t offset, const void *from, unsigned size);

#endif
