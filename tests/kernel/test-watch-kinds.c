/* SPDX-License-Identifier: MIT */
/* This file tests that no write is lost, and none invented, for each kind of memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
	PER_BLOCK = BLOCK / PAGE,
};

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static void advise(struct watched *self, size_t page, size_t nr, int advice)
{
	if (watched_order(self, do_advise, self->area + page * PAGE, nr * PAGE, advice) < 0)
		fail_msg("advice %d is not taken", advice);
}

/* An area that is filled, in a child that is watched. */
static void begin(struct watched *self)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

/* The same of huge pages; false: this machine gives none. */
static bool begin_huge(struct watched *self, size_t size)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	advise(self, 0, NR, MADV_HUGEPAGE);
	watched_order(self, do_fill, self->area, size, 1);
	if (number_of(self->child.pid, "smaps_rollup", "AnonHugePages") < size / 1024) {
		fprintf(stderr, "no huge pages to be had here\n");
		return false;
	}
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
	return true;
}

static void C1_a_page_given_up_is_reported_once(void **state)
{
	struct watched *self = *state;

	begin(self);
	advise(self, 33, 1, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 33, 34, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 33, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
	advise(self, 40, 1, MADV_DONTNEED);
	touch(self, 40, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
	advise(self, 41, 1, MADV_DONTNEED);
	watched_order(self, do_read, self->area + 41 * PAGE, PAGE, 0);
	assert_int_equal(watched_collect(self), PAGE);
	touch(self, 41, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_a_page_table_given_up_is_reported_once(void **state)
{
	struct watched *self = *state;

	begin(self);
	advise(self, PER_BLOCK, PER_BLOCK, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), BLOCK);
	assert_pages(self, PER_BLOCK, 2 * PER_BLOCK, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
	touch(self, PER_BLOCK + 5, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, PER_BLOCK + 5, PER_BLOCK + 6, TIDE_EXACT);
	advise(self, 2 * PER_BLOCK, PER_BLOCK, MADV_DONTNEED);
	touch(self, 2 * PER_BLOCK + 7, 1, 4);
	assert_int_equal(watched_collect(self), BLOCK);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_lazily_freed_pages_lose_no_write(void **state)
{
	struct watched *self = *state;

	begin(self);
	for (int i = 0; i < 10; i++) {
		advise(self, 0, NR, MADV_FREE);
		touch(self, (size_t)(17 * i), 2, 2 + i);
		watched_collect(self);
		assert_pages(self, (size_t)(17 * i), (size_t)(17 * i + 2), TIDE_EXACT);
	}
}

static void E1_only_the_written_page_of_a_huge_page_is_reported(void **state)
{
	struct watched *self = *state;

	if (!begin_huge(self, AREA / 2))
		skip();
	touch(self, 5, 1, 2);
	touch(self, PER_BLOCK + 9, 3, 2);
	assert_int_equal(watched_collect(self), 4 * PAGE);
	assert_pages(self, 5, 6, TIDE_EXACT);
	assert_pages(self, PER_BLOCK + 9, PER_BLOCK + 12, TIDE_EXACT);
	assert_int_equal(self->told.huge_lost_bytes, 2 * BLOCK);
	touch(self, 6, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_int_equal(self->told.huge_lost_bytes, 2 * BLOCK);
	assert_int_equal(watched_collect(self), 0);
}

static void B3_huge_pages_that_appear_or_go_are_reported(void **state)
{
	struct watched *self = *state;

	if (!begin_huge(self, AREA / 2))
		skip();
	/* Appears: the page fault wrote one page of it, and cleared the others. */
	touch(self, NR / 2 + 3, 1, 2);
	assert_int_equal(watched_collect(self), BLOCK);
	assert_pages(self, NR / 2, NR / 2 + PER_BLOCK, TIDE_OVER);
	assert_int_equal(self->whys[NR / 2], TIDE_WHY_HUGE);
	touch(self, NR / 2 + 4, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	/* Goes, whole and in part. */
	advise(self, PER_BLOCK, PER_BLOCK, MADV_DONTNEED);
	advise(self, 2 * PER_BLOCK + 10, 5, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), BLOCK + 5 * PAGE);
	assert_pages(self, PER_BLOCK, 2 * PER_BLOCK, TIDE_EXACT);
	assert_pages(self, 2 * PER_BLOCK + 10, 2 * PER_BLOCK + 15, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
	touch(self, PER_BLOCK + 1, 2, 3);
	touch(self, 2 * PER_BLOCK + 11, 1, 3);
	assert_int_equal(watched_collect(self), 3 * PAGE);
}

static long make_file(void)
{
	char name[] = "/var/tmp/tidemark-test-XXXXXX";
	unsigned char page[PAGE];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	memset(page, 0xf1, sizeof(page));
	for (int i = 0; i < NR; i++)
		assert_int_equal(write(fd, page, PAGE), PAGE);
	return fd;
}

/* The area becomes a mapping of this descriptor. */
static long do_map_file(struct order *order)
{
	return mmap(order->at, AREA, PROT_READ | PROT_WRITE, MAP_FIXED | (int)order->size, (int)order->value, 0) ==
	                       order->at
	               ? 0
	               : -1;
}

static void begin_file(struct watched *self, int fd, int flags)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	assert_int_equal(watched_order(self, do_map_file, self->area, (size_t)flags, fd), 0);
	watched_order(self, do_read, self->area, AREA / 2, 0);
	close(fd);
}

static void C1_copies_of_file_pages_are_exact_and_their_loss_is_told(void **state)
{
	struct watched *self = *state;

	self->hole = 0xf1;
	begin_file(self, (int)make_file(), MAP_PRIVATE);
	watched_order(self, do_touch, self->area + 90 * PAGE, PAGE, 2);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 7, 2, 3);
	touch(self, NR / 2 + 600, 1, 3);
	assert_int_equal(watched_collect(self), 3 * PAGE);
	assert_pages(self, 7, 9, TIDE_EXACT);
	assert_pages(self, NR / 2 + 600, NR / 2 + 601, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
	/* The kernel says nothing of these. */
	advise(self, 7, 1, MADV_DONTNEED);
	advise(self, 90, 1, MADV_DONTNEED);
	watched_order(self, do_read, self->area, 100 * PAGE, 0);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 7, 8, TIDE_OVER);
	assert_int_equal(self->whys[7], TIDE_WHY_FREED);
	assert_pages(self, 90, 91, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 7, 1, 5);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 7, 8, TIDE_EXACT);
	advise(self, 0, PER_BLOCK, MADV_DONTNEED);
	watched_order(self, do_read, self->area, BLOCK, 0);
	watched_collect(self);
	assert_pages(self, 7, 9, TIDE_OVER);
	assert_pages(self, 9, 90, NOT_WRITTEN);
}

static void C1_shared_memory_is_exact_where_seen_and_over_elsewhere(void **state)
{
	struct watched *self = *state;
	int fd = (int)make_file();
	unsigned char *alias = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(alias != MAP_FAILED);
	begin_file(self, fd, MAP_SHARED);
	watched_open(self, NULL);
	for (int i = 0; i < 3; i++) {
		touch(self, 7, 2, 3 + i);
		alias[100 * PAGE] = (unsigned char)(50 + i);
		assert_int_equal(watched_collect(self), AREA);
		assert_pages(self, 0, 7, TIDE_OVER);
		assert_int_equal(self->whys[0], TIDE_WHY_SHARED);
		assert_pages(self, 7, 9, TIDE_EXACT);
		assert_pages(self, 9, NR, TIDE_OVER);
		assert_int_equal(self->told.over_bytes >= AREA - 2 * PAGE, 1);
	}
	munmap(alias, AREA);
}

/* Grows or shrinks from `size` to `value`. */
static long do_remap(struct order *order)
{
	return mremap(order->at, order->size, (size_t)order->value, MREMAP_MAYMOVE) == order->at ? 0 : -1;
}

static long do_move(struct order *order)
{
	void *to = order->at + order->value;

	return mremap(order->at, order->size, order->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to ? 0 : -1;
}

static long do_move_and_keep(struct order *order)
{
	void *to = order->at + order->value;

	return mremap(order->at, order->size, order->size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to
	               ? 0
	               : -1;
}

/* The lower half of the area is there, the other not. */
static void begin_half(struct watched *self)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_unmap, self->area + AREA / 2, AREA / 2, 0);
	watched_order(self, do_fill, self->area, AREA / 2, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_a_mapping_that_grows_and_shrinks_is_followed(void **state)
{
	struct watched *self = *state;

	begin_half(self);
	touch(self, 1, 1, 2);
	assert_int_equal(watched_order(self, do_remap, self->area, AREA / 2, AREA), 0);
	touch(self, NR / 2 + 1, 1, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 1, 2, TIDE_EXACT);
	assert_pages(self, NR / 2 + 1, NR / 2 + 2, TIDE_OVER);
	assert_int_equal(watched_order(self, do_remap, self->area, AREA, AREA / 4), 0);
	touch(self, 2, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 2, 3, TIDE_EXACT);
	assert_int_equal(watched_order(self, do_remap, self->area, AREA / 4, AREA / 2), 0);
	touch(self, NR / 4 + 2, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, NR / 4 + 2, NR / 4 + 3, TIDE_OVER);
}

static void C1_a_mapping_that_moves_is_followed(void **state)
{
	struct watched *self = *state;

	begin_half(self);
	touch(self, 1, 1, 2);
	assert_int_equal(watched_order(self, do_move, self->area, AREA / 2, AREA / 2), 0);
	touch(self, NR / 2 + 2, 1, 2);
	assert_int_equal(watched_collect(self), AREA / 2);
	assert_pages(self, NR / 2, NR, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
	touch(self, NR / 2 + 2, 1, 3);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, NR / 2 + 2, NR / 2 + 3, TIDE_EXACT);
	/* A part of it, and back to where something was. */
	assert_int_equal(watched_order(self, do_move, self->area + AREA / 2, BLOCK, -(AREA / 2)), 0);
	touch(self, NR / 2 + PER_BLOCK + 1, 1, 3);
	touch(self, 4, 1, 3);
	assert_int_equal(watched_collect(self), BLOCK + PAGE);
	assert_pages(self, 0, PER_BLOCK, TIDE_OVER);
	assert_pages(self, NR / 2 + PER_BLOCK + 1, NR / 2 + PER_BLOCK + 2, TIDE_EXACT);
	/* Onto a part that is watched. */
	assert_int_equal(watched_order(self, do_move, self->area, BLOCK, AREA - BLOCK), 0);
	assert_int_equal(watched_collect(self), BLOCK);
	assert_pages(self, NR - PER_BLOCK, NR, TIDE_OVER);
}

static void C1_pages_that_move_and_leave_their_place_mapped_are_reported_there_too(void **state)
{
	struct watched *self = *state;

	begin_half(self);
	assert_int_equal(watched_order(self, do_move_and_keep, self->area, AREA / 2, AREA / 2), 0);
	touch(self, 3, 1, 7);
	touch(self, NR / 2 + 3, 1, 8);
	assert_int_equal(watched_collect(self), AREA);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 3, 1, 9);
	touch(self, NR / 2 + 3, 1, 9);
	assert_int_equal(watched_collect(self), 2 * PAGE);
}

/* What comes back joins its neighbour, which so loses its tracking, and keeps the marks of its pages. */
static void C1_a_mapping_that_lost_its_tracking_is_not_believed(void **state)
{
	struct watched *self = *state;
	unsigned char *top, contents[PAGE];
	uint64_t start, address = 0;
	size_t count = 1;
	uint8_t certainty = TIDE_EXACT;

	if (getenv("WATCHED_BACKEND") != NULL) /* uffd_log does not lose it */
		skip();
	begin_half(self);
	top = self->area + AREA / 2 - BLOCK;
	start = (uint64_t)(uintptr_t)self->area + PAGE;
	assert_int_equal(watched_order(self, do_move, top, BLOCK, 2 * BLOCK), 0);
	watched_collect(self);
	assert_int_equal(watched_order(self, do_move, top + 2 * BLOCK, BLOCK, -2 * BLOCK), 0);
	touch(self, 1, 1, 2);
	assert_int_equal(tide_watch_copy(self->watch, start, start + PAGE, contents, &certainty, NULL), 0);
	assert_int_equal(certainty, TIDE_OVER);
	assert_int_equal(tide_watch_get(self->watch, 0, start, start + PAGE, &address, &count, NULL, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(address, start);
	watched_collect(self);
	assert_pages(self, 1, 2, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
}

static void C2_a_mapping_watched_in_part_can_be_moved_whole(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = { .size = sizeof(opts), .nr_ranges = 1 };
	struct tide_range range;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_unmap, self->area + AREA / 2, AREA / 2, 0);
	watched_order(self, do_fill, self->area, AREA / 2, 1);
	range.start = (uint64_t)(uintptr_t)self->area + 10 * PAGE;
	range.end = range.start + 5 * PAGE;
	opts.ranges = &range;
	watched_open(self, &opts);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(watched_order(self, do_move, self->area, AREA / 2, AREA / 2), 0);
		assert_int_equal(watched_order(self, do_move, self->area + AREA / 2, AREA / 2, -(AREA / 2)), 0);
		touch(self, 12, 1, i + 2);
		assert_int_equal(watched_collect(self), 5 * PAGE);
		assert_int_equal(watched_collect(self), 0);
		touch(self, 13, 1, i + 2);
		assert_int_equal(watched_collect(self), PAGE);
		assert_pages(self, 13, 14, TIDE_EXACT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_a_page_given_up_is_reported_once),
		WATCHED_TEST(C1_a_page_table_given_up_is_reported_once),
		WATCHED_TEST(C1_lazily_freed_pages_lose_no_write),
		WATCHED_TEST(E1_only_the_written_page_of_a_huge_page_is_reported),
		WATCHED_TEST(B3_huge_pages_that_appear_or_go_are_reported),
		WATCHED_TEST(C1_copies_of_file_pages_are_exact_and_their_loss_is_told),
		WATCHED_TEST(C1_shared_memory_is_exact_where_seen_and_over_elsewhere),
		WATCHED_TEST(C1_a_mapping_that_grows_and_shrinks_is_followed),
		WATCHED_TEST(C1_a_mapping_that_moves_is_followed),
		WATCHED_TEST(C1_pages_that_move_and_leave_their_place_mapped_are_reported_there_too),
		WATCHED_TEST(C1_a_mapping_that_lost_its_tracking_is_not_believed),
		WATCHED_TEST(C2_a_mapping_watched_in_part_can_be_moved_whole),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-kinds", tests, NULL, NULL);
}
