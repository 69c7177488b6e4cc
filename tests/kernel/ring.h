/* SPDX-License-Identifier: MIT */
/* An io_uring without its library: buffers that stay pinned, and reads into them that no page table sees. */
#ifndef TESTS_KERNEL_RING_H
#define TESTS_KERNEL_RING_H

#include <stddef.h>
#include <sys/uio.h>

struct ring {
	int fd;
	void *queue; /* both queues */
	void *entries;
	unsigned *sq_tail;
	unsigned *sq_mask;
	unsigned *sq_array;
	unsigned *cq_head;
	unsigned *cq_tail;
	unsigned *cq_mask;
	void *cqes;
};

/* 0, or -errno where the kernel has no io_uring or forbids it. */
int ring_open(struct ring *ring);
void ring_close(struct ring *ring);

/* Pins all of it, for as long as it is registered. 0 or -errno. */
int ring_register(struct ring *ring, const struct iovec *buffers, unsigned nr);
int ring_unregister(struct ring *ring);

/* Reads from `fd` at `offset` into a part of registered buffer `index`, and waits. Bytes read, or -errno. */
int ring_read_fixed(struct ring *ring, int fd, void *buf, unsigned size, unsigned long offset, unsigned index);

#endif
