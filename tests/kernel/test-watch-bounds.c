/* SPDX-License-Identifier: MIT */
/* This file tests what bounds the watch: room for runs and addresses, page tables, mappings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/maps.h"
#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
	HALF = NR / 2,
};

/* Mappings: just as many as a process may have (65,000 by default), and so few that they can be watched. */
static size_t many(void)
{
	return maps_limit() / 100 * 99;
}

static size_t some(void)
{
	return maps_limit() / 100 * 60;
}

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static void begin(struct watched *self, size_t filled)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, filled, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

/* Pages that make as many runs as can be. */
static long do_scatter(struct order *order)
{
	for (size_t page = 0; page < NR; page += 2 + page % 5)
		order->at[page * PAGE] = (unsigned char)order->value;
	return 0;
}

static void C1_room_for_eight_runs_reports_what_room_for_thousands_does(void **state)
{
	struct watched *self = *state;
	int *first = calloc(NR, sizeof(int));
	uint64_t bytes;

	begin(self, AREA);
	self->max = 4096;
	watched_order(self, do_scatter, self->area, 0, 2);
	bytes = watched_collect(self);
	assert_true(bytes > 1000 * PAGE);
	memcpy(first, self->pages, NR * sizeof(int));
	self->max = 8;
	watched_order(self, do_scatter, self->area, 0, 3);
	assert_int_equal(watched_collect(self), bytes);
	assert_memory_equal(first, self->pages, NR * sizeof(int));
	assert_int_equal(watched_collect(self), 0);
	free(first);
}

/* Gets the written pages [from, to) of the area: their numbers, and what get returned. */
static int get(struct watched *self, unsigned flags, size_t from, size_t to, size_t *pages, size_t *count)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area, granularity = 0, addresses[NR];
	int result = tide_watch_get(self->watch, flags, start + from * PAGE, start + to * PAGE, addresses, count,
	                            &granularity, &self->err);

	if (result < 0)
		fail_msg("%s", self->err.text);
	assert_int_equal(granularity, PAGE);
	for (size_t i = 0; i < *count; i++) {
		assert_true(addresses[i] >= start + from * PAGE && addresses[i] < start + to * PAGE);
		pages[i] = (addresses[i] - start) / PAGE;
		if (flags & TIDE_GET_RESET)
			watched_take(self, &(struct tide_run){ addresses[i], addresses[i] + PAGE, 0, 0 }, 1);
	}
	return result;
}

static void assert_got(struct watched *self, unsigned flags, size_t room, int result, size_t nr, const size_t *wanted)
{
	size_t pages[NR], count = room;

	assert_int_equal(get(self, flags, 0, NR, pages, &count), result);
	assert_int_equal(count, nr);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(pages[i], wanted[i]);
}

static void C1_get_tells_and_resets_what_it_returns_and_no_more(void **state)
{
	struct watched *self = *state;
	const size_t written[] = { 3, 5, 9 };

	begin(self, AREA / 2);
	for (int i = 0; i < 3; i++)
		touch(self, written[i], 1, 2);
	assert_got(self, 0, 8, 0, 3, written);
	assert_got(self, 0, 8, 0, 3, written);
	assert_got(self, 0, 2, 1, 2, written);
	assert_got(self, TIDE_GET_RESET, 2, 1, 2, written);
	assert_got(self, 0, 8, 0, 1, written + 2);
	touch(self, 3, 1, 3);
	assert_got(self, TIDE_GET_RESET, 1, 1, 1, (size_t[]){ 3 });
	/* The epoch has the rest. */
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 9, 10, TIDE_EXACT);
	assert_got(self, TIDE_GET_RESET, 8, 0, 0, written);
}

static void C1_get_loses_nothing_that_it_has_no_room_for(void **state)
{
	struct watched *self = *state;
	size_t pages[NR], count;

	begin(self, AREA / 2);
	for (int round = 0; round < 3; round++) {
		touch(self, 20, 10, 2 + round);
		touch(self, HALF + (size_t)round * BLOCK / PAGE + 3, 5, 2 + round); /* first touches */
		watched_order(self, do_advise, self->area + 40 * PAGE, 3 * PAGE, MADV_DONTNEED);
		/* The last of these gets arms five pages, and returns one of them. */
		for (int i = 0; i < 7; i++) {
			count = 2;
			get(self, TIDE_GET_RESET, 0, NR, pages, &count);
			assert_int_equal(count, 2);
		}
		assert_int_equal(watched_collect(self), 4 * PAGE);
		assert_int_equal(watched_collect(self), 0);
	}
}

static void C1_get_alone_follows_new_mappings(void **state)
{
	struct watched *self = *state;
	const size_t written[] = { HALF + 7, HALF + 9 };

	begin(self, AREA / 4);
	watched_order(self, do_unmap, self->area + AREA / 2, AREA / 2, 0);
	assert_got(self, TIDE_GET_RESET, 8, 0, 0, written);
	watched_order(self, do_map, self->area + AREA / 2, AREA / 2, 0);
	touch(self, HALF + 7, 1, 3);
	touch(self, HALF + 9, 1, 3);
	assert_got(self, 0, 8, 0, 2, written);
	assert_got(self, TIDE_GET_RESET, 8, 0, 2, written);
	assert_got(self, TIDE_GET_RESET, 8, 0, 0, written);
	touch(self, HALF + 9, 1, 4);
	assert_got(self, TIDE_GET_RESET, 8, 0, 1, written + 1);
	assert_int_equal(watched_collect(self), 0);
}

static void C1_get_between_the_calls_of_a_collect_loses_nothing(void **state)
{
	struct watched *self = *state;
	struct tide_run runs[8];
	size_t pages[NR], count;
	long nr;

	begin(self, AREA);
	for (int round = 0; round < 5; round++) {
		watched_order(self, do_scatter, self->area, 0, 2 + round);
		do {
			nr = tide_watch_collect(self->watch, runs, 8, &self->err);
			assert_true(nr >= 0);
			watched_take(self, runs, nr);
			touch(self, (size_t)(round * 7), 40, 100 + round);
			count = 11;
			get(self, TIDE_GET_RESET, 0, NR, pages, &count);
		} while (nr > 0);
		watched_collect(self);
	}
}

static void C1_get_returns_what_cannot_be_seen(void **state)
{
	struct watched *self = *state;
	size_t pages[NR], count = NR;

	watched_start(self, area_map(AREA, MAP_SHARED), AREA);
	watched_open(self, NULL);
	assert_int_equal(get(self, 0, 5, 15, pages, &count), 0);
	assert_int_equal(count, 10);
	count = NR;
	assert_int_equal(get(self, TIDE_GET_RESET, 5, 15, pages, &count), 0);
	assert_int_equal(count, 10);
}

static void C2_untouched_memory_gets_no_page_tables(void **state)
{
	size_t huge = (size_t)64 << 30;
	struct watched *self = *state;
	uint64_t before;
	unsigned char *memory;
	struct tide_run runs[64];
	long nr;

	memory = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(memory != MAP_FAILED);
	madvise(memory, huge, MADV_NOHUGEPAGE);
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_touch, memory + (huge / 2), PAGE, 1);
	before = number_of(self->child.pid, "status", "VmPTE");
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
	watched_order(self, do_touch, memory + (huge / 4), PAGE, 1);
	nr = tide_watch_collect(self->watch, runs, 64, &self->err);
	assert_true(nr >= 1);
	for (long i = 0; i < nr; i++)
		if (runs[i].start >= (uintptr_t)memory && runs[i].end <= (uintptr_t)memory + huge) {
			assert_int_equal(runs[i].start, (uintptr_t)memory + huge / 4);
			assert_int_equal(runs[i].end - runs[i].start, PAGE);
			assert_int_equal(runs[i].certainty, TIDE_EXACT);
		}
	while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
		;
	assert_true(number_of(self->child.pid, "status", "VmPTE") < before + 256);
	munmap(memory, huge);
}

/* Every other page is only readable: as many mappings. */
static long do_shatter(struct order *order)
{
	for (size_t at = 0; at < order->size; at += 2 * PAGE)
		if (mprotect(order->at + at, PAGE, (int)order->value) < 0)
			return -1;
	return 0;
}

static uint64_t nr_mappings(struct watched *self)
{
	const struct tide_layout *layout = tide_watch_layout(self->watch);

	return layout->nr_mappings;
}

/* Pages that were given up with their page tables count as written, and cost no memory. */
static void C2_a_call_takes_a_gigabyte_of_what_was_written_in_one_piece(void **state)
{
	struct watched *self = *state;
	size_t size = (size_t)2 << 30;
	unsigned char *area = area_map(size, MAP_PRIVATE | MAP_NORESERVE);
	struct tide_range range = { (uint64_t)(uintptr_t)area, (uint64_t)(uintptr_t)area + size };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .arm_holes = 1 };
	struct tide_run runs[8];
	uint64_t at = range.start;
	long nr;

	watched_start(self, area, BLOCK);
	watched_open(self, &opts);
	watched_order(self, do_advise, area, size, MADV_DONTNEED);
	while ((nr = tide_watch_collect(self->watch, runs, 8, &self->err)) > 0) {
		assert_int_equal(nr, 1);
		assert_int_equal(runs[0].start, at);
		assert_true(runs[0].end - runs[0].start <= (size_t)1 << 30);
		at = runs[0].end;
	}
	assert_int_equal(nr, 0);
	assert_int_equal(at, range.end);
}

static void C2_a_process_with_too_many_mappings_is_left_alone(void **state)
{
	struct watched *self = *state;
	size_t size = many() * PAGE;

	watched_start(self, area_map(size, MAP_PRIVATE), size);
	watched_order(self, do_fill, self->area, size, 1);
	assert_int_equal(watched_order(self, do_shatter, self->area, size, PROT_READ), 0);
	watched_open(self, NULL);
	assert_true(nr_mappings(self) > many());
	watched_order(self, do_touch, self->area + PAGE, PAGE, 2);
	assert_int_equal(watched_collect(self), size);
	assert_pages(self, 0, many(), TIDE_OVER);
	assert_int_equal(self->whys[1], TIDE_WHY_BOUND);
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
	/* It gives most of them up: now there is room, and the last of the doubt is told. */
	assert_int_equal(watched_order(self, do_protect, self->area, size, PROT_READ | PROT_WRITE), 0);
	watched_order(self, do_advise, self->area + 9 * PAGE, PAGE, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), size);
	assert_int_equal(watched_collect(self), 0);
	watched_order(self, do_touch, self->area + PAGE, PAGE, 3);
	assert_int_equal(watched_collect(self), PAGE);
	assert_pages(self, 1, 2, TIDE_EXACT);
}

static void C2_as_many_mappings_as_allowed_are_watched_and_can_grow(void **state)
{
	struct watched *self = *state;
	size_t size = many() * PAGE, part = some() * PAGE;

	watched_start(self, area_map(size, MAP_PRIVATE), size);
	watched_order(self, do_fill, self->area, size, 1);
	assert_int_equal(watched_order(self, do_shatter, self->area, part, PROT_READ), 0);
	watched_open(self, NULL);
	watched_order(self, do_touch, self->area + 7 * PAGE, PAGE, 2);
	watched_order(self, do_touch, self->area + size - PAGE, PAGE, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 7, 8, TIDE_EXACT);
	/* The target may have as many as without us. */
	assert_int_equal(watched_order(self, do_shatter, self->area + part, size - part, PROT_READ), 0);
	watched_order(self, do_touch, self->area + 9 * PAGE, PAGE, 2);
	watched_collect(self);
	assert_pages(self, 9, 10, TIDE_EXACT);
	watched_close(self);
	assert_int_equal(mappings_with_flag(self->child.pid, "uw"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_room_for_eight_runs_reports_what_room_for_thousands_does),
		WATCHED_TEST(C1_get_tells_and_resets_what_it_returns_and_no_more),
		WATCHED_TEST(C1_get_loses_nothing_that_it_has_no_room_for),
		WATCHED_TEST(C1_get_alone_follows_new_mappings),
		WATCHED_TEST(C1_get_between_the_calls_of_a_collect_loses_nothing),
		WATCHED_TEST(C1_get_returns_what_cannot_be_seen),
		WATCHED_TEST(C2_untouched_memory_gets_no_page_tables),
		WATCHED_TEST(C2_a_call_takes_a_gigabyte_of_what_was_written_in_one_piece),
		WATCHED_TEST(C2_a_process_with_too_many_mappings_is_left_alone),
		WATCHED_TEST(C2_as_many_mappings_as_allowed_are_watched_and_can_grow),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-bounds", tests, NULL, NULL);
}
