/* SPDX-License-Identifier: MIT */
/*
 * This file lets the kernel write into pinned pages as a device does, past the page tables. Two questions: is such a
 * write reported (no kernel does), and does it arrive: a page that is copied away from its pin loses what is written.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/sys.h"
#include "kernel/uring.h"
#include "verify/hazards.h"
#include "verify/helper.h"

/* Few enough for the smallest limit on locked memory. */
#define NR_PINNED 4u

struct device {
	struct uring ring;
	int data; /* a file of what it writes: one byte */
};

#define DATA 0x5a

static int plug_in(struct arena *arena, struct device *device)
{
	static const char data = DATA;
	ssize_t put;
	int result;

	*device = (struct device){ .ring.fd = -1, .data = -1 };
	if (arena->error < 0)
		return arena->error;
	result = uring_open(&device->ring);
	if (result == -ENOSYS || result == -EPERM || result == -EACCES)
		arena_cannot(arena, "io_uring, to pin memory with, is not there or not allowed");
	if (result == 0)
		result = uring_pin(&device->ring, (void *)(uintptr_t)arena->start, (size_t)NR_PINNED * ARENA_PAGE);
	arena_failed(arena, result, "pinning memory with io_uring");
	if (result < 0)
		return result;
	device->data = sys_memfd_create("tidemark-device");
	put = device->data < 0 ? device->data : sys_pwrite(device->data, &data, sizeof(data), 0);
	arena_failed(arena, (int)put, "making a file for a device to read");
	return arena->error;
}

static void unplug(struct device *device)
{
	uring_close(&device->ring);
	sys_close(device->data);
}

/* The second byte of the page; the first belongs to other steps. Each page only once: the byte is 0 before. */
static volatile char *byte_of(const struct arena *arena, unsigned page)
{
	return arena->start + (size_t)page * ARENA_PAGE + 1;
}

static void write_past_tables(struct arena *arena, struct device *device, unsigned page)
{
	void *to = (void *)(uintptr_t)byte_of(arena, page);

	if (arena->error == 0)
		arena_failed(arena, uring_read_pinned(&device->ring, device->data, 0, to, 1),
		             "reading into pinned memory");
}

/* The owner sees what the device wrote, or it is lost. */
static void must_arrive(struct arena *arena, struct device *device, unsigned page)
{
	write_past_tables(arena, device, page);
	if (arena->error < 0)
		return;
	arena->nr_changes++;
	arena->nr_lost += *byte_of(arena, page) != DATA;
}

void hazard_device_write(struct arena *arena)
{
	struct device device;

	plug_in(arena, &device);
	arena_arm(arena);
	write_past_tables(arena, &device, 1);
	arena_changed(arena, 1, 1);
	arena_collect(arena);
	unplug(&device);
}

void hazard_pinned_fork(struct arena *arena)
{
	struct device device;
	struct helper helper;

	if (plug_in(arena, &device) == 0)
		arena_arm(arena);
	arena_write(arena, 1);
	if (arena->error == 0) {
		arena_failed(arena, helper_start(&helper), "fork()");
		arena_write(arena, 1);
		arena_write(arena, 2);
		must_arrive(arena, &device, 1);
		arena_collect(arena);
		must_arrive(arena, &device, 3);
		helper_end(&helper);
		must_arrive(arena, &device, 2);
	}
	unplug(&device);
}
