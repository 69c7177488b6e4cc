/* SPDX-License-Identifier: MIT */
/* This file drives an io_uring. */
#include "ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUEUE_BYTES 4096u
#define NR_ENTRIES  4u

static int enroll(struct ring *ring, unsigned what, const void *arg, unsigned nr)
{
	return syscall(SYS_io_uring_register, ring->fd, what, arg, nr) < 0 ? -errno : 0;
}

int ring_open(struct ring *ring)
{
	struct io_uring_params params = { 0 };
	char *queue;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, NR_ENTRIES, &params);
	if (ring->fd < 0)
		return -errno;
	queue = mmap(NULL, QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
	             IORING_OFF_SQ_RING);
	ring->entries =
	        mmap(NULL, QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (queue == MAP_FAILED || ring->entries == MAP_FAILED || !(params.features & IORING_FEAT_SINGLE_MMAP))
		return -ENOSYS;
	ring->queue = queue;
	ring->sq_tail = (void *)(queue + params.sq_off.tail);
	ring->sq_mask = (void *)(queue + params.sq_off.ring_mask);
	ring->sq_array = (void *)(queue + params.sq_off.array);
	ring->cq_head = (void *)(queue + params.cq_off.head);
	ring->cq_tail = (void *)(queue + params.cq_off.tail);
	ring->cq_mask = (void *)(queue + params.cq_off.ring_mask);
	ring->cqes = queue + params.cq_off.cqes;
	return 0;
}

void ring_close(struct ring *ring)
{
	munmap(ring->queue, QUEUE_BYTES);
	munmap(ring->entries, QUEUE_BYTES);
	close(ring->fd);
}

int ring_register(struct ring *ring, const struct iovec *buffers, unsigned nr)
{
	return enroll(ring, IORING_REGISTER_BUFFERS, buffers, nr);
}

int ring_unregister(struct ring *ring)
{
	return enroll(ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

int ring_read_fixed(struct ring *ring, int fd, void *buf, unsigned size, unsigned long offset, unsigned index)
{
	unsigned tail = *ring->sq_tail;
	struct io_uring_sqe *sqe = (struct io_uring_sqe *)ring->entries + (tail & *ring->sq_mask);
	struct io_uring_cqe *cqe;
	unsigned to_submit = 1;
	int result;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_READ_FIXED;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = size;
	sqe->off = offset;
	sqe->buf_index = (uint16_t)index;
	ring->sq_array[tail & *ring->sq_mask] = tail & *ring->sq_mask;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	do { /* a stop or a signal ends the wait early, also when it has submitted */
		result = (int)syscall(SYS_io_uring_enter, ring->fd, to_submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		if (result < 0 && errno != EINTR)
			return -errno;
		if (result > 0)
			to_submit = 0;
	} while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == *ring->cq_head);
	cqe = (struct io_uring_cqe *)ring->cqes + (*ring->cq_head & *ring->cq_mask);
	result = cqe->res;
	__atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
	return result;
}
