/* SPDX-License-Identifier: MIT */
/* This file tests what soft-dirty tracking says of memory that changed between the reading and the clearing of bits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "need.h"
#include "watch-steps.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum {
	NR = 2 * BLOCK / PAGE,
	NR_FREED = 128, /* more than what a processor gathers before it frees lazily */
};

static const struct tide_watch_opts soft = { .size = sizeof(soft), .backend = "soft_dirty" };

/*
 * A filled area in a child that is watched, after an epoch: of base pages; or a huge page may take the place of some,
 * where khugepaged has no reason to hurry.
 */
static void begin(struct watched *self, bool may_be_huge)
{
	unsigned char *area = area_map(NR * PAGE, MAP_PRIVATE);

	watched_start(self, area, NR * PAGE);
	if (may_be_huge) {
		assert_int_equal(watched_order(self, do_unmap, area, NR * PAGE, 0), 0);
		assert_int_equal(watched_order(self, do_map, area, NR * PAGE, 0), 0);
	}
	assert_int_equal(watched_order(self, do_fill, area, NR * PAGE, 1), 0);
	watched_open(self, &soft);
	assert_int_equal(watched_collect(self), 0);
}

static void assert_all_doubtful(const struct watched *self)
{
	assert_pages(self, 0, NR, TIDE_OVER);
	for (size_t page = 0; page < NR; page++)
		assert_int_equal(self->whys[page], TIDE_WHY_ERROR);
}

/* An epoch whose bits are cleared by `clear`. */
static void collect_with(struct watched *self, ssize_t (*clear)(int fd, const void *buf, size_t size, off_t offset))
{
	static struct sys_table table; /* a test that fails leaves it behind */

	table = sys_table_linux;
	table.pwrite = clear;
	sys_table = &table;
	watched_collect(self);
	sys_table = &sys_table_linux;
}

static pid_t held;

static ssize_t kill_holder(int fd, const void *buf, size_t size, off_t offset)
{
	uint64_t tracer = held > 0 && size == 1 ? number_of(held, "status", "TracerPid") : 0;

	if (tracer > 0)
		kill((pid_t)tracer, SIGKILL);
	while (tracer > 0 && number_of(held, "status", "TracerPid") == tracer)
		usleep(1000);
	return sys_table_linux.pwrite(fd, buf, size, offset);
}

/* Whoever holds the process is killed, and it writes. */
static void C1_all_is_over_when_the_process_did_not_stand_still(void **state)
{
	struct watched *self = *state;

	begin(self, false);
	held = self->child.pid;
	watched_order(self, do_touch, self->area + 3 * PAGE, PAGE, 2);
	collect_with(self, kill_holder);
	assert_all_doubtful(self);
	assert_int_equal(number_of(self->child.pid, "status", "TracerPid"), 0);
	watched_order(self, do_touch, self->area + 4 * PAGE, PAGE, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

/* What reclaim and khugepaged may do to a process that stands still. */
static struct {
	struct watched *watched;
	size_t nr_discarded;
	int result; /* of the last call */
} kernel;

static int advise(size_t size, int advice)
{
	int pidfd = sys_pidfd_open(kernel.watched->child.pid);
	struct iovec range = { kernel.watched->area, size };
	ssize_t done = pidfd < 0 ? pidfd : sys_process_madvise(pidfd, &range, 1, advice);

	sys_close(pidfd);
	return done < 0 ? (int)done : 0;
}

static size_t nr_absent(const struct watched *watched)
{
	uint64_t entries[NR_FREED];
	off_t at = (off_t)((uintptr_t)watched->area / PAGE * sizeof(entries[0]));
	size_t nr = 0;

	assert_int_equal(pread(watched->pagemap, entries, sizeof(entries), at), sizeof(entries));
	for (size_t i = 0; i < NR_FREED; i++)
		nr += entries[i] >> 62 == 0;
	return nr;
}

static ssize_t discard_and_collapse(int fd, const void *buf, size_t size, off_t offset)
{
	if (size == 1 && kernel.nr_discarded == 0) {
		kernel.result = advise(NR_FREED * PAGE, MADV_PAGEOUT);
		kernel.nr_discarded = nr_absent(kernel.watched);
		if (kernel.result == 0)
			kernel.result = advise(BLOCK, MADV_COLLAPSE);
	}
	return sys_table_linux.pwrite(fd, buf, size, offset);
}

/* Lazily freed pages are discarded; then a huge page, with zeros in their place, is marked, and cleared. */
static void C1_all_is_over_when_zeros_may_have_taken_the_place_of_pages(void **state)
{
	struct watched *self = *state;

	begin(self, true);
	assert_int_equal(watched_order(self, do_advise, self->area, NR_FREED * PAGE, MADV_FREE), 0);
	/* What cannot be written anywhere is not collapsed. */
	watched_order(self, do_touch, self->area + BLOCK - PAGE, PAGE, 2);
	kernel.watched = self;
	collect_with(self, discard_and_collapse);
	if (kernel.result == -EPERM)
		skip();
	assert_int_equal(kernel.result, 0);
	assert_true(kernel.nr_discarded > 0);
	assert_all_doubtful(self);
	watched_collect(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_all_is_over_when_the_process_did_not_stand_still),
		WATCHED_TEST(C1_all_is_over_when_zeros_may_have_taken_the_place_of_pages),
	};
	int skipped = need_backend("soft_dirty");

	if (skipped != 0)
		return skipped;
	return cmocka_run_group_tests_name("soft-dirty-still", tests, NULL, NULL);
}
