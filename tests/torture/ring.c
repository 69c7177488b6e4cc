/* SPDX-License-Identifier: MIT */
/* This file is as much of io_uring as fixed reads need, on its system calls alone. */
#include "ring.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	ENTRIES = 4,
};

struct ring {
	int fd;
	bool registered;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static struct ring the_ring;

static void *map_ring(struct ring *ring, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);

	must(at != MAP_FAILED, "mmap of a ring");
	return at;
}

void ring_open(struct mutator *m)
{
	struct ring *ring = &the_ring;
	size_t size;

	ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		return;
	must((ring->params.features & IORING_FEAT_SINGLE_MMAP) != 0, "io_uring with one mapping");
	size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	if (size < ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t))
		size = ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t);
	ring->rings = map_ring(ring, size, IORING_OFF_SQ_RING);
	ring->sqes = map_ring(ring, ENTRIES * sizeof(*ring->sqes), IORING_OFF_SQES);
	m->ring = ring;
}

bool ring_registered(const struct mutator *m)
{
	return m->ring->registered;
}

void ring_register(struct mutator *m)
{
	struct iovec buffers[MAX_AREAS];
	unsigned nr = 0;

	for (unsigned i = 0; i < m->nr_areas; i++)
		if ((m->areas[i].kinds & AREA_RING) != 0)
			buffers[nr++] = (struct iovec){ m->areas[i].at, m->areas[i].size };
	must(syscall(SYS_io_uring_register, m->ring->fd, IORING_REGISTER_BUFFERS, buffers, nr) == 0,
	     "IORING_REGISTER_BUFFERS");
	m->ring->registered = true;
}

void ring_unregister(struct mutator *m)
{
	must(syscall(SYS_io_uring_register, m->ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0) == 0,
	     "IORING_UNREGISTER_BUFFERS");
	m->ring->registered = false;
}

/* The buffers are the areas of the kind, in their order. */
static unsigned buffer_of(const struct mutator *m, const char *at)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < m->nr_areas; i++) {
		const struct area *area = &m->areas[i];

		if ((area->kinds & AREA_RING) == 0)
			continue;
		if (at >= area->at && at < area->at + area->size)
			break;
		nr++;
	}
	return nr;
}

void ring_read_fixed(struct mutator *m, int fd, void *at, size_t size, bool async)
{
	struct ring *ring = m->ring;
	_Atomic uint32_t *sq_tail = (void *)(ring->rings + ring->params.sq_off.tail);
	uint32_t mask = *(uint32_t *)(ring->rings + ring->params.sq_off.ring_mask);
	uint32_t *array = (void *)(ring->rings + ring->params.sq_off.array);
	_Atomic uint32_t *cq_head = (void *)(ring->rings + ring->params.cq_off.head);
	_Atomic uint32_t *cq_tail = (void *)(ring->rings + ring->params.cq_off.tail);
	uint32_t cq_mask = *(uint32_t *)(ring->rings + ring->params.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(ring->rings + ring->params.cq_off.cqes);
	uint32_t tail = *sq_tail;

	ring->sqes[tail & mask] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = fd,
		.addr = (uint64_t)(uintptr_t)at,
		.len = (uint32_t)size,
		.buf_index = (uint16_t)buffer_of(m, at),
		.flags = async ? IOSQE_ASYNC : 0,
	};
	array[tail & mask] = tail & mask;
	atomic_store(sq_tail, tail + 1);
	must(syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1, "io_uring_enter");
	/* A stop by a tracer ends the wait early. */
	while (atomic_load(cq_tail) == *cq_head)
		syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	must(cqes[*cq_head & cq_mask].res == (int32_t)size, "READ_FIXED");
	atomic_store(cq_head, *cq_head + 1);
}
