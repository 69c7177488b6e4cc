/* SPDX-License-Identifier: MIT */
/* This file tests that writes of devices are reported by the write tracker: reads of an io_uring into its buffers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "need.h"
#include "ring.h"
#include "watch/pins.h"

#define PAGE     4096ul
#define NR_PAGES 64u
#define FIRST    16u /* registered: [FIRST, FIRST + NR) */
#define NR       8u
#define WRITTEN  19u

/* The child's memory, at the same address in the test; and what went wrong in it. */
struct area {
	char *memory;
	bool *failed;
};

/* Writes all; registers some; lets the device write one of these; unregisters: one step each time it is told. */
static int use_device(int in, int out, void *arg)
{
	struct area *area = arg;
	struct iovec buffer = { area->memory + FIRST * PAGE, NR * PAGE };
	char *page = area->memory + WRITTEN * PAGE;
	struct ring ring;
	int fd = memfd_create("content", MFD_CLOEXEC);

	memset(area->memory, 1, NR_PAGES * PAGE);
	*area->failed = ring_open(&ring) < 0 || pwrite(fd, "device", 6, 0) != 6;
	child_say(out);
	child_pause(in);
	*area->failed |= ring_register(&ring, &buffer, 1) < 0;
	child_say(out);
	child_pause(in);
	*area->failed |= ring_read_fixed(&ring, fd, page, 6, 0, 0) != 6 || memcmp(page, "device", 6) != 0;
	child_say(out);
	child_pause(in);
	*area->failed |= ring_read_fixed(&ring, fd, page, 3, 3, 0) != 3 || memcmp(page, "iceice", 6) != 0;
	*area->failed |= ring_unregister(&ring) < 0;
	child_serve(in, out);
	return 0;
}

struct watching {
	struct area area;
	struct child child;
	struct tide_target *target;
	struct tide_watch *watch;
	int pages[NR_PAGES]; /* certainty in the last epoch; -1: not reported */
};

static void start(struct watching *self, const struct tide_pins_ops *ops)
{
	struct tide_watch_opts opts = { .size = sizeof(opts), .nr_ranges = 1, .pins = ops };
	struct tide_range range;
	struct tide_error err = { 0 };

	self->area.memory = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	self->area.failed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(self->area.memory != MAP_FAILED && self->area.failed != MAP_FAILED);
	madvise(self->area.memory, NR_PAGES * PAGE, MADV_NOHUGEPAGE);
	range.start = (uint64_t)(uintptr_t)self->area.memory;
	range.end = range.start + NR_PAGES * PAGE;
	opts.ranges = &range;
	child_start(&self->child, use_device, &self->area);
	if (tide_target_open(&self->target, self->child.pid, &err) < 0 ||
	    tide_watch_open(&self->watch, self->target, &opts, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct watching *self)
{
	assert_false(*self->area.failed);
	tide_watch_close(self->watch);
	tide_target_close(self->target);
	child_end(&self->child);
	munmap(self->area.memory, NR_PAGES * PAGE);
	munmap(self->area.failed, PAGE);
}

/* Collects an epoch. How many pages were reported. */
static unsigned epoch(struct watching *self)
{
	uint64_t from = (uint64_t)(uintptr_t)self->area.memory;
	struct tide_error err = { 0 };
	struct tide_run runs[16];
	unsigned found = 0;
	long nr;

	for (unsigned i = 0; i < NR_PAGES; i++)
		self->pages[i] = -1;
	while ((nr = tide_watch_collect(self->watch, runs, 16, &err)) > 0)
		for (long i = 0; i < nr; i++)
			for (uint64_t at = runs[i].start; at < runs[i].end; at += PAGE, found++)
				self->pages[(at - from) / PAGE] = (int)runs[i].certainty;
	if (nr < 0)
		fail_msg("%s", err.text);
	return found;
}

static void registered_are_pinned(const struct watching *self)
{
	for (unsigned i = 0; i < NR_PAGES; i++)
		assert_int_equal(self->pages[i] == TIDE_PINNED, i >= FIRST && i < FIRST + NR);
}

/* The page is armed again after it was registered, and no page table changes when the device writes. */
static void each_write_is_reported(const struct tide_pins_ops *ops)
{
	struct watching self = { 0 };
	struct tide_epoch told;

	start(&self, ops);
	epoch(&self);
	child_step(&self.child);
	epoch(&self);
	registered_are_pinned(&self);
	child_step(&self.child);
	epoch(&self);
	registered_are_pinned(&self);
	tide_watch_epoch(self.watch, &told);
	assert_int_equal(told.pinned_bytes, NR * PAGE);
	/* Written, and let go of, between two collects. */
	child_step(&self.child);
	epoch(&self);
	registered_are_pinned(&self);
	for (unsigned try = 0; try < 5000 && epoch(&self) != 0; try++)
		usleep(1000);
	assert_int_equal(epoch(&self), 0);
	tide_watch_epoch(self.watch, &told);
	assert_int_equal(told.pinned_bytes, 0);
	end(&self);
}

static void B4_a_device_write_is_reported(void **unused)
{
	(void)unused;
	each_write_is_reported(tide_pins_walker());
}

static void B4_a_device_write_into_a_registered_buffer_needs_no_privilege(void **unused)
{
	(void)unused;
	each_write_is_reported(tide_pins_fdinfo());
}

static void B4_an_epoch_says_what_it_is_blind_to(void **unused)
{
	struct watching self = { 0 };
	struct tide_epoch told;

	(void)unused;
	start(&self, tide_pins_walker());
	epoch(&self);
	tide_watch_epoch(self.watch, &told);
	assert_int_equal(told.blind, TIDE_BLIND_REFERENCES);
	assert_int_equal(told.nr_looked, 0);
	child_step(&self.child);
	epoch(&self);
	tide_watch_epoch(self.watch, &told);
	assert_false(told.blind & TIDE_BLIND_DEVICE_WRITES);
	assert_in_range(told.nr_looked, NR, NR_PAGES);
	end(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_a_device_write_is_reported),
		cmocka_unit_test(B4_a_device_write_into_a_registered_buffer_needs_no_privilege),
		cmocka_unit_test(B4_an_epoch_says_what_it_is_blind_to),
	};
	int skipped = need_walk();

	if (skipped == 0)
		skipped = need_watch();
	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
