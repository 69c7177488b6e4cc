/* SPDX-License-Identifier: MIT */
/* This file tests that no write is lost, and none invented, whatever becomes of the mappings under watch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
	HALF = NR / 2,
};

/* An area of which the first part is filled, in a child that is watched. */
static void begin(struct watched *self, size_t filled)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, filled, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static void C1_first_touches_are_exact(void **state)
{
	struct watched *self = *state;

	begin(self, 0);
	touch(self, 7, 3, 2);
	watched_order(self, do_read, self->area + HALF * PAGE, 5 * PAGE, 0);
	assert_int_equal(watched_collect(self), 3 * PAGE);
	assert_pages(self, 7, 10, TIDE_EXACT);
	assert_int_equal(self->told.over_bytes, 0);
	touch(self, 8, 1, 3);
	touch(self, HALF + 1, 1, 3);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 8, 9, TIDE_EXACT);
	assert_pages(self, HALF + 1, HALF + 2, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_a_new_mapping_is_reported_once(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_unmap, self->area, AREA, 0);
	watched_open(self, NULL);
	assert_int_equal(watched_order(self, do_map, self->area, AREA, 0), 0);
	touch(self, 3, 2, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 3, 5, TIDE_OVER);
	assert_int_equal(self->whys[3], TIDE_WHY_NEW);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 4, 2, 3);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 4, 6, TIDE_EXACT);
}

static void C1_memory_mapped_anew_at_its_old_place_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self, AREA);
	for (int i = 0; i < 3; i++) {
		watched_order(self, do_unmap, self->area, AREA, 0);
		assert_int_equal(watched_order(self, do_map, self->area, AREA, 0), 0);
		touch(self, 11, 2, 2 + i);
		/* All that was there has changed, and nobody can say more. */
		assert_int_equal(watched_collect(self), AREA);
		assert_pages(self, 0, NR, TIDE_OVER);
		assert_int_equal(watched_collect(self), 0);
		touch(self, 12, 1, 9);
		assert_int_equal(watched_collect(self), PAGE);
		assert_pages(self, 12, 13, TIDE_EXACT);
		watched_order(self, do_fill, self->area, AREA, 1);
		watched_collect(self);
	}
}

static long replace_whole(struct order *order)
{
	return do_unmap(order) == 0 ? do_map(order) : -1;
}

/* It was full, and armed by its page tables; what takes its place is not, and must not get them. */
static void C1_an_empty_mapping_in_the_place_of_a_full_one_gets_no_page_tables(void **state)
{
	size_t size = (size_t)640 << 20, hole = BLOCK * 4;
	struct watched *self = *state;
	struct tide_run runs[64];
	uint64_t tables, over = 0;
	unsigned char *area = area_map(size, MAP_PRIVATE);
	long nr;

	watched_start(self, area, PAGE);
	/* A page in each page table, and a gap in them. */
	for (size_t at = 0; at < size; at += BLOCK)
		if (at != hole)
			watched_order(self, do_touch, area + at, PAGE, 1);
	watched_open(self, NULL);
	watched_order(self, replace_whole, area, size, 0);
	tables = number_of(self->child.pid, "status", "VmPTE");
	watched_order(self, do_touch, area + (size - BLOCK), PAGE, 2);
	while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
		for (long i = 0; i < nr; i++)
			if (runs[i].start >= (uintptr_t)area && runs[i].end <= (uintptr_t)area + size) {
				assert_int_equal(runs[i].certainty, TIDE_OVER);
				over += runs[i].end - runs[i].start;
			}
	assert_int_equal(nr, 0);
	assert_true(over >= size - BLOCK);
	assert_true(number_of(self->child.pid, "status", "VmPTE") <= tables + 64);
	munmap(area + PAGE, size - PAGE);
}

static void C1_a_part_unmapped_is_gone_and_the_rest_exact(void **state)
{
	struct watched *self = *state;

	begin(self, AREA);
	watched_order(self, do_unmap, self->area + 100 * PAGE, 50 * PAGE, 0);
	touch(self, 99, 1, 2);
	touch(self, 150, 1, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 99, 100, TIDE_EXACT);
	assert_pages(self, 150, 151, TIDE_EXACT);
	assert_int_equal(watched_order(self, do_map, self->area + 100 * PAGE, 50 * PAGE, 0), 0);
	touch(self, 120, 1, 3);
	touch(self, 160, 1, 3);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 120, 121, TIDE_OVER);
	assert_pages(self, 160, 161, TIDE_EXACT);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_half_of_a_mapping_replaced_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self, AREA);
	assert_int_equal(watched_order(self, do_map, self->area + HALF * PAGE, AREA / 2, 0), 0);
	touch(self, 5, 1, 2);
	touch(self, HALF + 5, 1, 2);
	assert_int_equal(watched_collect(self), AREA / 2 + PAGE);
	assert_pages(self, 5, 6, TIDE_EXACT);
	assert_pages(self, HALF, NR, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
	touch(self, HALF + 6, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, HALF + 6, HALF + 7, TIDE_EXACT);
}

/* What is mapped over a part of it, and around it, is one mapping that begins and ends elsewhere. */
static long remap_wider(struct order *order)
{
	if (munmap(order->at, AREA) < 0)
		return -1;
	return mmap(order->at + BLOCK, AREA - BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	            -1, 0) == order->at + BLOCK
	               ? 0
	               : -1;
}

static void C1_a_mapping_in_the_place_of_a_smaller_one_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self, AREA);
	watched_order(self, do_unmap, self->area + HALF * PAGE, AREA / 2, 0);
	assert_int_equal(watched_collect(self), 0);
	assert_int_equal(watched_order(self, remap_wider, self->area, 0, 0), 0);
	touch(self, BLOCK / PAGE + 3, 1, 2);
	touch(self, NR - 1, 1, 2);
	assert_int_equal(watched_collect(self), AREA / 2 - BLOCK + PAGE);
	assert_pages(self, BLOCK / PAGE, HALF, TIDE_OVER);
	assert_pages(self, NR - 1, NR, TIDE_OVER);
	assert_int_equal(watched_collect(self), 0);
}

/* Half a registration would keep its halves apart, and fail the target's own calls. */
static void C2_a_mapping_is_never_registered_in_part(void **state)
{
	struct watched *self = *state;
	const struct tide_mapping *mapping;

	begin(self, 0);
	watched_order(self, do_unmap, self->area + HALF * PAGE, AREA / 2, 0);
	assert_int_equal(watched_collect(self), 0);
	watched_order(self, do_unmap, self->area, AREA / 2, 0);
	assert_int_equal(watched_order(self, do_map, self->area, AREA, 0), 0);
	assert_int_equal(watched_collect(self), 0);
	assert_int_equal(watched_collect(self), 0);
	mapping = tide_layout_find(tide_watch_layout(self->watch), (uint64_t)(uintptr_t)self->area);
	assert_true(mapping->end >= (uint64_t)(uintptr_t)self->area + AREA);
	touch(self, HALF + 5, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, HALF + 5, HALF + 6, TIDE_EXACT);
}

static void C1_protection_changed_and_back_loses_nothing(void **state)
{
	struct watched *self = *state;

	begin(self, AREA);
	touch(self, 20, 1, 2);
	watched_order(self, do_protect, self->area, 100 * PAGE, PROT_READ);
	assert_int_equal(watched_collect(self), PAGE);
	watched_order(self, do_protect, self->area, 100 * PAGE, PROT_NONE);
	assert_int_equal(watched_collect(self), 0);
	watched_order(self, do_protect, self->area, 100 * PAGE, PROT_READ | PROT_WRITE);
	touch(self, 21, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 21, 22, TIDE_EXACT);
	for (int i = 0; i < 20; i++) {
		touch(self, 30, 1, i + 3);
		watched_order(self, do_protect, self->area, 100 * PAGE, i % 2 ? PROT_NONE : PROT_READ);
		watched_order(self, do_protect, self->area, 100 * PAGE, PROT_READ | PROT_WRITE);
		assert_int_equal(watched_collect(self), PAGE);
	}
}

static long grow_heap(struct order *order)
{
	unsigned char *old = sbrk(order->value);

	if (old == (void *)-1)
		return -1;
	if (order->value > 0)
		memset(old, 7, (size_t)order->value);
	return (long)(uintptr_t)sbrk(0);
}

static void C1_the_heap_grows_and_shrinks(void **state)
{
	struct watched *self = *state;
	uint64_t top, bytes = 0;
	struct tide_run runs[64];
	long nr;

	begin(self, 0);
	for (int i = 0; i < 4; i++) {
		top = (uint64_t)watched_order(self, grow_heap, NULL, 0, 1 << 20);
		bytes = 0;
		while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
			for (long k = 0; k < nr; k++)
				if (runs[k].start < top && runs[k].end > top - (1 << 20))
					bytes += (runs[k].end < top ? runs[k].end : top) -
					         (runs[k].start > top - (1 << 20) ? runs[k].start : top - (1 << 20));
		assert_int_equal(nr, 0);
		assert_true(bytes >= (1 << 20) - PAGE);
	}
	assert_true(watched_order(self, grow_heap, NULL, 0, -(3 << 20)) > 0);
	assert_int_equal(watched_collect(self), 0);
	assert_true(watched_order(self, grow_heap, NULL, 0, 2 << 20) > 0);
	assert_int_equal(watched_collect(self), 0);
}

static long deepen(struct order *order)
{
	volatile unsigned char frame[64 << 10];

	uintptr_t here = (uintptr_t)frame;

	memset((void *)frame, 5, sizeof(frame));
	if (order->value-- > 0)
		return deepen(order) + frame[9] - 5;
	return (long)here;
}

static void C1_the_stack_grows(void **state)
{
	struct watched *self = *state;
	struct tide_run runs[64];
	uint64_t bottom;
	bool seen = false;
	long nr;

	begin(self, 0);
	for (int depth = 20; depth <= 60; depth += 20) {
		bottom = (uint64_t)watched_order(self, deepen, NULL, 0, depth);
		seen = false;
		while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
			for (long k = 0; k < nr; k++)
				seen |= runs[k].start <= bottom + PAGE && runs[k].end > bottom + PAGE;
		assert_int_equal(nr, 0);
		assert_true(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_first_touches_are_exact),
		WATCHED_TEST(C1_a_new_mapping_is_reported_once),
		WATCHED_TEST(C1_memory_mapped_anew_at_its_old_place_is_reported),
		WATCHED_TEST(C1_an_empty_mapping_in_the_place_of_a_full_one_gets_no_page_tables),
		WATCHED_TEST(C1_a_part_unmapped_is_gone_and_the_rest_exact),
		WATCHED_TEST(C1_half_of_a_mapping_replaced_is_reported),
		WATCHED_TEST(C1_a_mapping_in_the_place_of_a_smaller_one_is_reported),
		WATCHED_TEST(C2_a_mapping_is_never_registered_in_part),
		WATCHED_TEST(C1_protection_changed_and_back_loses_nothing),
		WATCHED_TEST(C1_the_heap_grows_and_shrinks),
		WATCHED_TEST(C1_the_stack_grows),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-life", tests, NULL, NULL);
}
