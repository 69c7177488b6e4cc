/* SPDX-License-Identifier: MIT */
/* This file tests write tracking by soft-dirty bits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 4 << 20,
	NR = AREA / PAGE,
};

static const struct tide_watch_opts soft = { .size = sizeof(soft), .backend = "soft_dirty" };

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static void order(struct watched *self, long (*fn)(struct order *), size_t page, size_t nr, long value)
{
	assert_true(watched_order(self, fn, self->area + page * PAGE, nr * PAGE, value) >= 0);
}

/* A filled area in a child that is watched, after an epoch. */
static void begin(struct watched *self, const struct tide_watch_opts *opts)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	order(self, do_fill, 0, NR, 1);
	watched_open(self, opts);
	assert_int_equal(watched_collect(self), 0);
}

static void assert_why(const struct watched *self, size_t from, size_t to, enum tide_why why)
{
	assert_pages(self, from, to, TIDE_OVER);
	for (size_t page = from; page < to; page++)
		if (self->whys[page] != (int)why)
			fail_msg("page %zu is over for '%s', not '%s'", page, tide_why_name(self->whys[page]),
			         tide_why_name(why));
}

static void C1_soft_dirty_reports_what_was_written(void **state)
{
	struct watched *self = *state;
	uint64_t stopped_ns;

	begin(self, &soft);
	assert_string_equal(tide_watch_backend(self->watch), "soft_dirty");
	stopped_ns = self->told.stopped_ns;
	touch(self, 3, 2, 2);
	touch(self, 700, 100, 2);
	assert_int_equal(watched_collect(self), 102 * PAGE);
	assert_why(self, 3, 5, TIDE_WHY_SOFT);
	assert_why(self, 700, 800, TIDE_WHY_SOFT);
	assert_true(self->told.stopped_ns > stopped_ns);
	assert_true(self->told.blind & TIDE_BLIND_OTHERS);
	assert_false(self->told.blind & TIDE_BLIND_REUSED);
	assert_int_equal(watched_collect(self), 0);
}

/* Where PAGEMAP_SCAN is missing, it is the best there is, and reads entry by entry. */
static void C1_soft_dirty_takes_over_without_pagemap_scan(void **state)
{
	struct watched *self = *state;

	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	begin(self, NULL);
	assert_string_equal(tide_watch_backend(self->watch), "soft_dirty");
	touch(self, 3, 2, 2);
	order(self, do_advise, 9, 3, MADV_DONTNEED);
	order(self, do_read, 10, 1, 0);
	assert_int_equal(watched_collect(self), 5 * PAGE);
	assert_why(self, 3, 5, TIDE_WHY_SOFT);
	assert_why(self, 9, 12, TIDE_WHY_ABSENT);
	unsetenv("TIDEMARK_FAULT");
}

static void C1_what_was_given_up_is_reported_until_it_is_back(void **state)
{
	struct watched *self = *state;

	begin(self, &soft);
	order(self, do_advise, 9, 8, MADV_DONTNEED);
	order(self, do_read, 10, 2, 0); /* zero pages */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(watched_collect(self), 8 * PAGE);
		assert_why(self, 9, 17, TIDE_WHY_ABSENT);
	}
	touch(self, 9, 8, 3);
	assert_int_equal(watched_collect(self), 8 * PAGE);
	assert_why(self, 9, 17, TIDE_WHY_SOFT);
	assert_int_equal(watched_collect(self), 0);
}

/* Whoever was told of a page that was given up may find it there again, and copy it, before it goes once more. */
static void C1_a_page_that_came_and_went_unseen_is_not_lost(void **state)
{
	struct watched *self = *state;
	struct tide_run runs[64];
	long nr, all = 0;

	begin(self, &soft);
	order(self, do_advise, 9, 1, MADV_DONTNEED);
	while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0) {
		touch(self, 9, 1, 4);
		watched_take(self, runs, nr);
		all += nr;
	}
	assert_true(nr == 0 && all > 0);
	assert_int_equal(self->copy[9 * PAGE], 4);
	order(self, do_advise, 9, 1, MADV_DONTNEED);
	watched_collect(self);
}

/* The same of zero pages, which the first epoch reports. */
static void C1_a_page_that_came_in_a_zero_page_s_place_and_went_is_not_lost(void **state)
{
	struct watched *self = *state;
	struct tide_run runs[64];
	long nr;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	order(self, do_advise, 0, NR, MADV_NOHUGEPAGE);
	order(self, do_read, 9, 2, 0);
	watched_open(self, &soft);
	while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0) {
		touch(self, 9, 1, 4);
		watched_take(self, runs, nr);
	}
	assert_int_equal(nr, 0);
	assert_int_equal(self->copy[9 * PAGE], 4);
	order(self, do_advise, 9, 1, MADV_DONTNEED);
	order(self, do_read, 9, 1, 0);
	watched_collect(self);
	assert_pages(self, 9, 11, TIDE_OVER);
}

static long do_map_file(struct order *order)
{
	int fd = memfd_create("file", 0);
	bool good = fd >= 0 && ftruncate(fd, (off_t)order->size) == 0 &&
	            mmap(order->at, order->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == order->at;

	close(fd);
	return good ? 0 : -1;
}

static void C1_private_copies_that_are_given_up_are_reported(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	/* At bounds of huge pages, older kernels' mappings of files may be hugetlb. */
	order(self, do_map_file, 1, NR - 2, 0);
	order(self, do_read, 1, NR - 2, 0);
	touch(self, 5, 3, 2);
	watched_open(self, &soft);
	watched_collect(self);
	assert_int_equal(watched_collect(self), 0);
	order(self, do_advise, 5, 1, MADV_DONTNEED);
	order(self, do_read, 5, 1, 0);
	assert_int_equal(watched_collect(self), PAGE);
	assert_why(self, 5, 6, TIDE_WHY_ABSENT);
}

/* A mapping at the place of another one, at once: what was there is zeros now. */
static void C1_memory_that_was_replaced_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self, &soft);
	order(self, do_map, 100, 50, 0);
	touch(self, 110, 5, 5);
	watched_collect(self);
	assert_pages(self, 100, 150, TIDE_OVER);
}

/*
 * An area whose upper half is not mapped; what is mapped there later becomes one mapping with the lower half, which is
 * the child's alone: one that came by a fork does not merge.
 */
static void begin_half(struct watched *self, const struct tide_watch_opts *opts)
{
	unsigned char *memory = mmap(NULL, AREA + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	assert_int_equal(munmap(memory, PAGE), 0);
	assert_int_equal(munmap(memory + PAGE + AREA, PAGE), 0);
	watched_start(self, memory + PAGE, AREA);
	order(self, do_unmap, 0, NR, 0);
	order(self, do_map, 0, NR / 2, 0);
	order(self, do_fill, 0, NR / 2, 1);
	watched_open(self, opts);
	assert_int_equal(watched_collect(self), 0);
}

static long do_move(struct order *order)
{
	void *to = (void *)order->value; /* NOLINT(performance-no-int-to-ptr) */

	return mremap(order->at, order->size, order->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to ? 0 : -1;
}

/* Whole page tables are moved as they are, without marks, and become part of a clean mapping. */
static void C1_pages_that_were_moved_in_are_reported(void **state)
{
	struct watched *self = *state;
	unsigned char *away = mmap(NULL, 2 * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(away != MAP_FAILED);
	munmap(away, 2 * AREA);
	away = (unsigned char *)(((uintptr_t)away + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1));
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	order(self, do_unmap, 0, NR, 0);
	order(self, do_map, 0, NR, 0);
	order(self, do_advise, 0, NR, MADV_NOHUGEPAGE);
	order(self, do_fill, 0, NR, 3);
	watched_open(self, &soft);
	order(self, do_move, NR / 2, NR / 2, (long)(uintptr_t)away);
	watched_collect(self);
	assert_int_equal(watched_order(self, do_move, away, AREA / 2, (long)(uintptr_t)(self->area + AREA / 2)), 0);
	watched_collect(self);
	assert_pages(self, NR / 2, NR, TIDE_OVER);
}

/* The kernel marks all of a mapping when a new one is merged with it. */
static void C3_pages_of_a_merged_mapping_are_included(void **state)
{
	struct watched *self = *state;

	begin_half(self, &soft);
	order(self, do_map, NR / 2, NR / 2, 0);
	touch(self, 7, 1, 2);
	watched_collect(self);
	assert_pages(self, 0, NR / 2, TIDE_OVER);
	assert_why(self, 100, NR / 2, TIDE_WHY_REUSED);
	assert_false(self->told.blind & TIDE_BLIND_REUSED);
	assert_int_equal(watched_collect(self), 0);
}

/* The same, but only what has a mark of its own is asked for. */
static struct tide_watch_opts exclude(void)
{
	struct tide_watch_opts opts = soft;

	opts.reused = tide_reused_walker();
	return opts;
}

static void C3_clean_pages_of_a_merged_mapping_can_be_excluded(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = exclude();

	begin_half(self, &opts);
	order(self, do_map, NR / 2, NR / 2, 0);
	touch(self, 7, 1, 2);
	touch(self, NR / 2 + 7, 1, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_why(self, 7, 8, TIDE_WHY_SOFT);
	assert_pages(self, 8, NR / 2, NOT_WRITTEN);
	assert_true(self->told.blind & TIDE_BLIND_REUSED);
	assert_int_equal(watched_collect(self), 0);
	assert_false(self->told.blind & TIDE_BLIND_REUSED);
}

static void C3_only_soft_dirty_can_exclude(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = exclude();

	begin(self, &soft);
	tide_watch_close(self->watch);
	self->watch = NULL;
	opts.backend = "uffd_async";
	assert_true(tide_watch_open(&self->watch, self->target, &opts, &self->err) < 0);
	assert_int_equal(self->err.cause, pagescan_probe() == 1 ? TIDE_CAUSE_USAGE : TIDE_CAUSE_UNSUPPORTED);
}

/*
 * The bit of a page that lies: cleared; its mapping is marked again; then clean entries become writable without a
 * fault, as the kernel asks the mapping only; so the write that follows leaves the page's own bit clear.
 */
static void go_stale(struct watched *self)
{
	order(self, do_map, NR / 2, NR / 2, 0);
	order(self, do_protect, 0, NR / 2, PROT_READ);
	order(self, do_protect, 0, NR / 2, PROT_READ | PROT_WRITE);
	touch(self, 7, 1, 9);
}

static void C4_a_write_behind_a_stale_bit_is_included(void **state)
{
	struct watched *self = *state;

	begin_half(self, &soft);
	go_stale(self);
	watched_collect(self);
	assert_pages(self, 7, 8, TIDE_OVER);
	/* What is cleared now is write-protected again. */
	touch(self, 7, 1, 10);
	assert_int_equal(watched_collect(self), PAGE);
}

static void C4_a_write_behind_a_stale_bit_is_missed_when_excluded(void **state)
{
	struct watched *self = *state;
	struct tide_watch_opts opts = exclude();
	struct tide_run runs[64];
	long nr;

	begin_half(self, &opts);
	go_stale(self);
	touch(self, 9, 1, 0); /* also behind one */
	for (size_t page = 0; page < NR; page++)
		self->pages[page] = NOT_WRITTEN;
	while ((nr = tide_watch_collect(self->watch, runs, 64, &self->err)) > 0)
		watched_take(self, runs, nr);
	assert_int_equal(nr, 0);
	assert_pages(self, 0, NR / 2, NOT_WRITTEN);
	assert_int_equal(self->copy[7 * PAGE], 1); /* and holds 9 */
	/* It is said. */
	tide_watch_epoch(self->watch, &self->told);
	assert_true(self->told.blind & TIDE_BLIND_REUSED);
	assert_string_equal(tide_blind_name(TIDE_BLIND_REUSED), "reused");
}

/* A get clears the bits of the whole process: what it takes along is kept for the collect. */
static void B5_bits_that_were_taken_along_are_kept(void **state)
{
	struct watched *self = *state;
	uint64_t start, addresses[16];
	size_t count = 16;

	begin(self, &soft);
	start = (uint64_t)(uintptr_t)self->area;
	touch(self, 3, 1, 2);
	touch(self, 200, 2, 2);
	assert_int_equal(tide_watch_get(self->watch, 0, start, start + 10 * PAGE, addresses, &count, NULL, &self->err),
	                 0);
	assert_int_equal(count, 1);
	count = 16;
	assert_int_equal(tide_watch_get(self->watch, TIDE_GET_RESET, start, start + 10 * PAGE, addresses, &count, NULL,
	                                &self->err),
	                 0);
	assert_int_equal(count, 1);
	assert_int_equal(addresses[0], start + 3 * PAGE);
	watched_take(self, &(struct tide_run){ addresses[0], addresses[0] + PAGE, 0, 0 }, 1);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 200, 202, TIDE_OVER);
}

/* Two watches of one process take bits from each other: nobody is refused, and it is said (tidemark/watch.h). */
static void B5_another_user_of_the_bits_is_not_refused(void **state)
{
	struct watched *self = *state;
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;

	begin(self, &soft);
	assert_int_equal(tide_target_open(&target, self->child.pid, &self->err), 0);
	assert_int_equal(tide_watch_open(&watch, target, &soft, &self->err), 0);
	tide_watch_close(watch);
	tide_target_close(target);
	touch(self, 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

static void C1_ones_own_process_cannot_be_watched_by_soft_dirty(void **state)
{
	struct watched *self = *state;

	assert_int_equal(tide_target_open(&self->target, getpid(), &self->err), 0);
	assert_true(tide_watch_open(&self->watch, self->target, &soft, &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_UNSUPPORTED);
	assert_non_null(strstr(self->err.text, "let another one watch it"));
}

static void C1_a_copy_says_what_was_written_since(void **state)
{
	static unsigned char copied[8 * PAGE];
	struct watched *self = *state;
	uint64_t start;
	uint8_t certainty[8];

	begin(self, &soft);
	start = (uint64_t)(uintptr_t)self->area;
	touch(self, 3, 1, 2);
	order(self, do_advise, 5, 1, MADV_DONTNEED);
	assert_int_equal(tide_watch_copy(self->watch, start, start + sizeof(copied), copied, certainty, &self->err), 0);
	for (size_t page = 0; page < 8; page++)
		assert_int_equal(certainty[page], page == 3 ? TIDE_TORN : page == 5 ? TIDE_LOST : TIDE_EXACT);
	assert_int_equal(copied[3 * PAGE], 2);
	assert_int_equal(copied[5 * PAGE], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_soft_dirty_reports_what_was_written),
		WATCHED_TEST(C1_soft_dirty_takes_over_without_pagemap_scan),
		WATCHED_TEST(C1_what_was_given_up_is_reported_until_it_is_back),
		WATCHED_TEST(C1_a_page_that_came_and_went_unseen_is_not_lost),
		WATCHED_TEST(C1_a_page_that_came_in_a_zero_page_s_place_and_went_is_not_lost),
		WATCHED_TEST(C1_private_copies_that_are_given_up_are_reported),
		WATCHED_TEST(C1_memory_that_was_replaced_is_reported),
		WATCHED_TEST(C1_pages_that_were_moved_in_are_reported),
		WATCHED_TEST(C3_pages_of_a_merged_mapping_are_included),
		WATCHED_TEST(C3_clean_pages_of_a_merged_mapping_can_be_excluded),
		WATCHED_TEST(C3_only_soft_dirty_can_exclude),
		WATCHED_TEST(C4_a_write_behind_a_stale_bit_is_included),
		WATCHED_TEST(C4_a_write_behind_a_stale_bit_is_missed_when_excluded),
		WATCHED_TEST(B5_bits_that_were_taken_along_are_kept),
		WATCHED_TEST(B5_another_user_of_the_bits_is_not_refused),
		WATCHED_TEST(C1_ones_own_process_cannot_be_watched_by_soft_dirty),
		WATCHED_TEST(C1_a_copy_says_what_was_written_since),
	};
	int skipped = need_backend("soft_dirty");

	if (skipped != 0)
		return skipped;
	return cmocka_run_group_tests_name("soft-dirty", tests, NULL, NULL);
}
