/* SPDX-License-Identifier: MIT */
/* This file tests forgetting accesses by the kernel's DAMON. It writes to DAMON's files: in a virtual machine only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "damon-steps.h"
#include "kernel/sys.h"
#include "need.h"
#include "sensor/way_damon.h"

#define MIB (1024ul * 1024)
/* Pages that wait in a per-CPU batch for their LRU list cannot be cleared. */
#define MAX_FRESH 64

/* The area lies where the test has it too: the child is forked. */
struct area {
	char *start;
	size_t size_bytes;
	bool locked;
	int advice;
};

static void touch(const struct area *area)
{
	for (size_t at = 0; at < area->size_bytes; at += 4096)
		((volatile char *)area->start)[at]++;
}

/* Uses its memory each time it is told. */
static int user(int in, int out, void *arg)
{
	const struct area *area = arg;

	if (area->locked && mlock(area->start, area->size_bytes) != 0)
		return 1;
	for (;;) {
		touch(area);
		child_say(out);
		child_pause(in);
		damon_steps_flush_tlb();
	}
}

static void area_map(struct area *area, size_t size_bytes, int flags, int advice)
{
	size_t huge = 2 * MIB;
	char *all = mmap(NULL, size_bytes + huge, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	assert_ptr_not_equal(all, MAP_FAILED);
	*area = (struct area){ .start = (char *)(((uintptr_t)all + huge - 1) / huge * huge), .size_bytes = size_bytes };
	(void)madvise(area->start, size_bytes, advice);
	/* Nothing of it is the test's own. */
	touch(area);
	if (!(flags & MAP_SHARED))
		(void)madvise(area->start, size_bytes, MADV_DONTNEED);
}

static uint64_t young_of(pid_t pid, const struct area *area)
{
	uint64_t start = (uint64_t)(uintptr_t)area->start;

	return damon_steps_young(pid, start, start + area->size_bytes);
}

static void clear(struct way_damon *way, const struct area *area)
{
	struct tide_range range = { (uint64_t)(uintptr_t)area->start,
		                    (uint64_t)(uintptr_t)area->start + area->size_bytes };
	struct tide_error err = { 0 };

	if (way_damon_clear(way, &range, 1, &err) != 0)
		fail_msg("%s", err.text);
}

/* One child uses the area, all of it young; one clear makes all of it old; used again it is young again. */
static void one_clear(const struct area *area)
{
	uint64_t nr_pages = area->size_bytes / 4096;
	struct child child = { 0 };
	struct tide_target *target;
	struct way_damon *way;
	struct tide_error err = { 0 };
	uint64_t left;

	child_start(&child, user, (void *)area);
	assert_int_equal(tide_target_open(&target, child.pid, &err), 0);
	if (way_damon_open(&way, target, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(young_of(child.pid, area), nr_pages);
	clear(way, area);
	left = young_of(child.pid, area);
	print_message("%zu MiB: %lu of %lu pages stay young; %.1f ms\n", area->size_bytes / MIB, (unsigned long)left,
	              (unsigned long)nr_pages, (double)way_damon_cost(way)->longest_ns / 1e6);
	assert_true(left <= MAX_FRESH);
	assert_int_equal(way_damon_cost(way)->nr_clears, 1);
	assert_int_equal(way_damon_cost(way)->nr_holds, area->size_bytes / WAY_DAMON_HOLD_BYTES +
	                                                        ((uintptr_t)area->start % WAY_DAMON_HOLD_BYTES != 0));
	/* DAMON samples a page a region meanwhile; those are old before they are counted, and may be huge. */
	assert_true(way_damon_cost(way)->cleared_bytes >= area->size_bytes / 2);
	assert_true(way_damon_cost(way)->cleared_bytes <= area->size_bytes);
	child_step(&child);
	assert_true(young_of(child.pid, area) > nr_pages / 2);
	way_damon_close(way);
	damon_steps_assert_free();
	tide_target_close(target);
	child_end(&child);
	munmap(area->start, area->size_bytes);
}

static void a_process_wholly_young_is_old_after_one_clear(void **state)
{
	struct area area;

	area_map(&area, 256 * MIB, MAP_PRIVATE, MADV_NOHUGEPAGE);
	one_clear(&area);
}

static void huge_pages_are_cleared_whole(void **state)
{
	struct area area;

	area_map(&area, 64 * MIB, MAP_PRIVATE, MADV_HUGEPAGE);
	one_clear(&area);
}

static void locked_memory_is_cleared(void **state)
{
	struct area area;

	area_map(&area, 64 * MIB, MAP_PRIVATE, MADV_NOHUGEPAGE);
	area.locked = true;
	one_clear(&area);
}

/* Both processes map the same pages; only the target's bits are cleared. */
static void shared_memory_is_cleared_and_others_keep_their_bits(void **state)
{
	struct area area;
	struct child other;
	uint64_t before;

	area_map(&area, 64 * MIB, MAP_SHARED, MADV_NOHUGEPAGE);
	child_start(&other, user, &area);
	before = young_of(other.pid, &area);
	assert_int_equal(before, area.size_bytes / 4096);
	{
		struct area same = area;

		one_clear(&same);
	}
	assert_int_equal(young_of(other.pid, &area), before);
	child_end(&other);
}

/* What is not in the ranges keeps its bits. */
static void what_was_not_asked_for_is_not_cleared(void **state)
{
	struct area area;
	struct area half;
	struct child child = { 0 };
	struct tide_target *target;
	struct way_damon *way;
	struct tide_error err = { 0 };

	area_map(&area, 128 * MIB, MAP_PRIVATE, MADV_NOHUGEPAGE);
	half = area;
	half.size_bytes /= 2;
	child_start(&child, user, &area);
	assert_int_equal(tide_target_open(&target, child.pid, &err), 0);
	assert_int_equal(way_damon_open(&way, target, &err), 0);
	clear(way, &half);
	assert_true(young_of(child.pid, &half) <= MAX_FRESH);
	half.start += half.size_bytes;
	assert_int_equal(young_of(child.pid, &half), half.size_bytes / 4096);
	clear(way, &half);
	assert_true(young_of(child.pid, &area) <= 2 * MAX_FRESH);
	way_damon_close(way);
	tide_target_close(target);
	child_end(&child);
	munmap(area.start, area.size_bytes);
}

static void A6_a_process_that_ended_is_gone(void **state)
{
	struct area area;
	struct child child = { 0 };
	struct tide_target *target;
	struct way_damon *way;
	struct tide_error err = { 0 };
	struct tide_range range;

	area_map(&area, 4 * MIB, MAP_PRIVATE, MADV_NOHUGEPAGE);
	range = (struct tide_range){ (uint64_t)(uintptr_t)area.start,
		                     (uint64_t)(uintptr_t)area.start + area.size_bytes };
	child_start(&child, user, &area);
	assert_int_equal(tide_target_open(&target, child.pid, &err), 0);
	assert_int_equal(way_damon_open(&way, target, &err), 0);
	child_end(&child);
	assert_true(way_damon_clear(way, &range, 1, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	way_damon_close(way);
	damon_steps_assert_free();
	tide_target_close(target);
	munmap(area.start, area.size_bytes);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_wholly_young_is_old_after_one_clear),
		cmocka_unit_test(huge_pages_are_cleared_whole),
		cmocka_unit_test(locked_memory_is_cleared),
		cmocka_unit_test(shared_memory_is_cleared_and_others_keep_their_bits),
		cmocka_unit_test(what_was_not_asked_for_is_not_cleared),
		cmocka_unit_test(A6_a_process_that_ended_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return damon_steps_main(run);
}
