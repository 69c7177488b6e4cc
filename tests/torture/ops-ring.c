/* SPDX-License-Identifier: MIT */
/* This file lets io_uring write to pages that it keeps pinned: no page table knows of these writes. */
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

enum {
	MOST = 32 << 10,
};

static void read_fixed(struct mutator *m, int fd, size_t align, bool async)
{
	size_t size;
	char *at = pick(m, AREA_RING, MOST, align, &size);

	if (!ring_registered(m))
		ring_register(m);
	scribble(m, m->bounce, size);
	must(pwrite(fd, m->bounce, size, 0) == (ssize_t)size, "pwrite");
	ring_read_fixed(m, fd, at, size, async);
}

static void fixed(struct mutator *m)
{
	read_fixed(m, m->source, 8, false);
}

static void fixed_async(struct mutator *m)
{
	read_fixed(m, m->source, 8, true);
}

static void fixed_direct(struct mutator *m)
{
	read_fixed(m, m->direct, PAGE, false);
}

static void register_buffers(struct mutator *m)
{
	if (!ring_registered(m))
		ring_register(m);
}

static void unregister_buffers(struct mutator *m)
{
	if (ring_registered(m))
		ring_unregister(m);
}

static void store(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_RING, MOST, PAGE, &size);

	touch(m, at, size);
}

/* Pinned, written to by the device and let go, as fast as it goes. */
static void brief(struct mutator *m)
{
	unregister_buffers(m);
	fixed(m);
	ring_unregister(m);
}

static const char *no_ring(struct mutator *m)
{
	if (m->ring == NULL)
		ring_open(m);
	return m->ring == NULL ? "no io_uring here" : NULL;
}

static const char *no_direct_ring(struct mutator *m)
{
	return m->direct < 0 ? "no O_DIRECT on the file system of TMPDIR" : no_ring(m);
}

static void setup(struct mutator *m)
{
	if (no_ring(m) != NULL)
		return;
	touch(m, area_add(m, AREA_ANON | AREA_RING, 256 << 10)->at, 256 << 10);
	touch(m, area_add(m, AREA_THP | AREA_RING, HUGE)->at, HUGE);
	touch(m, area_add(m, AREA_MEMFD | AREA_RING, 256 << 10)->at, 256 << 10);
	if (draw_below(m, 2) == 0)
		ring_register(m);
}

static const struct op OPS[] = {
	{ .name = "read-fixed", .flags = OP_PINS | OP_SHARED, .run = fixed, .lacks = no_ring },
	{ .name = "read-fixed-async", .flags = OP_PINS | OP_SHARED, .run = fixed_async, .lacks = no_ring },
	{ .name = "read-fixed-direct", .flags = OP_PINS | OP_SHARED, .run = fixed_direct, .lacks = no_direct_ring },
	{ .name = "register", .flags = OP_PINS | OP_SHARED, .run = register_buffers, .lacks = no_ring },
	{ .name = "unregister", .flags = OP_PINS | OP_SHARED, .run = unregister_buffers, .lacks = no_ring },
	{ .name = "read-fixed-brief", .flags = OP_PINS | OP_SHARED, .run = brief, .lacks = no_ring },
	{ .name = "ring-store", .flags = OP_PINS | OP_SHARED, .run = store, .lacks = no_ring },
	{ 0 },
};

const struct family family_ring = { .name = "ring", .ops = OPS, .setup = setup };
