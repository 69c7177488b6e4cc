/* SPDX-License-Identifier: MIT */
/* This file drives an io_uring, one request at a time. */
#include "kernel/uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "kernel/sys.h"

/* Queues of so few entries lie within a page each. */
#define NR_ENTRIES  1u
#define QUEUE_BYTES 4096u

static unsigned *word(const struct uring *ring, unsigned offset)
{
	return (unsigned *)(void *)((char *)ring->queues + offset);
}

static int map(void **out, int fd, off_t what)
{
	return sys_mmap(out, QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

int uring_open(struct uring *ring)
{
	struct io_uring_params params = { 0 };
	int result;

	memset(ring, 0, sizeof(*ring));
	ring->fd = sys_io_uring_setup(NR_ENTRIES, &params);
	if (ring->fd < 0)
		return ring->fd;
	/* One mapping for both queues; Linux 5.4 and later. */
	result = (params.features & IORING_FEAT_SINGLE_MMAP) == 0 ? -ENOSYS : 0;
	if (result == 0)
		result = map(&ring->queues, ring->fd, IORING_OFF_SQ_RING);
	if (result == 0)
		result = map(&ring->entries, ring->fd, IORING_OFF_SQES);
	if (result < 0) {
		uring_close(ring);
		return result;
	}
	ring->sq_tail = params.sq_off.tail;
	ring->sq_array = params.sq_off.array;
	ring->cq_head = params.cq_off.head;
	ring->cq_tail = params.cq_off.tail;
	ring->cq_entries = params.cq_off.cqes;
	ring->cq_mask = *word(ring, params.cq_off.ring_mask);
	return 0;
}

void uring_close(struct uring *ring)
{
	sys_munmap(ring->queues, QUEUE_BYTES);
	sys_munmap(ring->entries, QUEUE_BYTES);
	sys_close(ring->fd);
	*ring = (struct uring){ .fd = -1 };
}

int uring_pin(struct uring *ring, void *start, size_t size)
{
	struct iovec buffer = { start, size };

	return sys_io_uring_register(ring->fd, IORING_REGISTER_BUFFERS, &buffer, 1);
}

int uring_unpin(struct uring *ring)
{
	return sys_io_uring_register(ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

/* The one entry there is; the kernel has taken the last request before it came back. */
static void put(struct uring *ring, const struct io_uring_sqe *entry)
{
	unsigned *tail = word(ring, ring->sq_tail);

	memcpy(ring->entries, entry, sizeof(*entry));
	*word(ring, ring->sq_array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static int take(struct uring *ring, int *result)
{
	unsigned *head = word(ring, ring->cq_head);
	const struct io_uring_cqe *all = (const void *)word(ring, ring->cq_entries);

	if (__atomic_load_n(word(ring, ring->cq_tail), __ATOMIC_ACQUIRE) == *head)
		return -EAGAIN;
	*result = all[*head & ring->cq_mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 0;
}

static int request(struct uring *ring, unsigned char opcode, int file, off_t offset, uint64_t memory, unsigned size)
{
	struct io_uring_sqe entry = {
		.opcode = opcode,
		.fd = file,
		.off = (uint64_t)offset,
		.addr = memory,
		.len = size,
	};
	int done = 0;
	int result;

	put(ring, &entry);
	result = sys_io_uring_enter(ring->fd, 1, 1, IORING_ENTER_GETEVENTS);
	if (result >= 0)
		result = take(ring, &done);
	if (result < 0)
		return result;
	if (done < 0)
		return done;
	return (unsigned)done == size ? 0 : -EIO;
}

int uring_read_pinned(struct uring *ring, int file, off_t offset, void *to, unsigned size)
{
	return request(ring, IORING_OP_READ_FIXED, file, offset, (uint64_t)(uintptr_t)to, size);
}

int uring_write_pinned(struct uring *ring, int file, off_t offset, const void *from, unsigned size)
{
	return request(ring, IORING_OP_WRITE_FIXED, file, offset, (uint64_t)(uintptr_t)from, size);
}
