/* SPDX-License-Identifier: MIT */
/* This file tests write tracking by mprotect: what it reports, and what it does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mprotect-steps.h"

enum {
	AREA = 4 << 20,
	NR = AREA / PAGE,
	READ_WRITE = PROT_READ | PROT_WRITE,
};

static void C1_mprotect_writes_are_got_and_cleared(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE), *other = guard_map(AREA, READ_WRITE);
	struct guard self;

	(void)state;
	memset(memory, 1, AREA / 2); /* the rest are holes */
	guard_open(&self, memory, AREA);
	assert_int_equal(guard_collect(&self), 0);
	for (int i = 0; i < 50; i++) {
		memory[i * PAGE] = 2;
		memory[(NR - 1 - i) * PAGE + PAGE - 1] = 3;
		other[i * PAGE] = 2;
		assert_int_equal(guard_collect(&self), 2);
		assert_int_equal(self.pages[i], TIDE_EXACT);
		assert_int_equal(self.pages[NR - 1 - i], TIDE_EXACT);
		assert_int_equal(self.told.over_bytes, 0);
		guard_compare(&self);
	}
	assert_int_equal(self.told.written_bytes, 2 * PAGE);
	assert_true(self.told.blind & TIDE_BLIND_GIVEN_UP);
	assert_string_equal(tide_blind_name(TIDE_BLIND_GIVEN_UP), "given-up");
	assert_string_equal(tide_watch_backend(self.watch), "mprotect");
	memset(memory, 4, AREA);
	assert_int_equal(guard_collect(&self), NR);
	assert_int_equal(self.told.over_bytes, 0);
	assert_int_equal(guard_collect(&self), 0);
	guard_close(&self);
	munmap(memory, AREA);
	munmap(other, AREA);
}

/* Pieces that come and go must not stay mappings for ever, wherever memory was first touched. */
static void C1_mprotect_leaves_no_more_mappings_than_are_written(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct guard self;
	unsigned before;

	(void)state;
	guard_open(&self, memory, AREA);
	guard_collect(&self);
	before = nr_mappings();
	for (int i = 1; i < NR; i += 2)
		memory[i * PAGE] = 2;
	assert_true(nr_mappings() >= before + NR / 2);
	assert_int_equal(guard_collect(&self), NR / 2);
	assert_in_range(nr_mappings(), 0, before + NR / 16); /* a sanitizer maps some, too */
	guard_close(&self);
	munmap(memory, AREA);
}

static void C1_mprotect_replaced_memory_is_over(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct guard self;

	(void)state;
	memset(memory, 1, AREA);
	guard_open(&self, memory, AREA);
	assert_ptr_equal(mmap(memory + 8 * PAGE, 4 * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	                 memory + 8 * PAGE);
	memory[9 * PAGE] = 2;
	assert_int_equal(mprotect(memory + 20 * PAGE, PAGE, READ_WRITE), 0);
	memory[20 * PAGE] = 2;
	assert_int_equal(guard_collect(&self), 5);
	guard_compare(&self);
	for (int i = 8; i < 12; i++)
		assert_int_equal(self.whys[i], TIDE_WHY_NEW);
	assert_int_equal(self.whys[20], TIDE_WHY_NEW);
	assert_int_equal(self.told.over_bytes, 5 * PAGE);
	/* From now on it is as the rest. */
	assert_int_equal(guard_collect(&self), 0);
	memory[9 * PAGE] = memory[20 * PAGE] = 3;
	assert_int_equal(guard_collect(&self), 2);
	assert_int_equal(self.told.over_bytes, 0);
	/* What is not mapped is not reported; what comes in its place is. */
	munmap(memory + 8 * PAGE, PAGE);
	assert_int_equal(guard_collect(&self), 0);
	assert_ptr_equal(mmap(memory + 8 * PAGE, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	                 memory + 8 * PAGE);
	memory[8 * PAGE] = 4;
	assert_int_equal(guard_collect(&self), 1);
	assert_int_equal(self.whys[8], TIDE_WHY_NEW);
	guard_compare(&self);
	guard_close(&self);
	munmap(memory, AREA);
}

static uint64_t max_mappings(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long nr = 65530;

	if (file != NULL && fscanf(file, "%lu", &nr) != 1)
		nr = 65530;
	if (file != NULL)
		fclose(file);
	return nr;
}

/* More pieces than a quarter of the process's mappings: all is over, and few mappings again. */
static void C1_mprotect_too_many_pieces_are_over(void **state)
{
	size_t nr = max_mappings() / 4 + 1000, size = 2 * nr * PAGE;
	unsigned char *memory;
	struct guard self;
	unsigned before;

	(void)state;
	if (size > (size_t)1 << 30)
		skip(); /* the limit was raised: that would take long */
	memory = guard_map(size, READ_WRITE);
	guard_open(&self, memory, size);
	guard_collect(&self);
	before = nr_mappings();
	for (size_t i = 0; i < nr; i++)
		memory[2 * i * PAGE] = 2;
	assert_in_range(nr_mappings(), 0, before + 10);
	assert_int_equal(guard_collect(&self), 2 * nr);
	guard_compare(&self);
	assert_int_equal(self.pages[0], TIDE_EXACT);
	assert_int_equal(self.pages[1], TIDE_OVER);
	assert_int_equal(self.whys[1], TIDE_WHY_BOUND);
	memory[PAGE] = 3;
	assert_int_equal(guard_collect(&self), 1);
	assert_int_equal(self.told.over_bytes, 0);
	guard_close(&self);
	munmap(memory, size);
}

/* The program has nearly all mappings that it may have: writes go on all the same. */
static void C1_mprotect_no_mapping_left_is_over(void **state)
{
	size_t size = (max_mappings() + 1000) * PAGE, at = 0;
	unsigned char *memory, *other;
	struct guard self;

	(void)state;
	if (size > (size_t)1 << 30)
		skip();
	memory = guard_map(AREA, READ_WRITE);
	guard_open(&self, memory, AREA);
	guard_collect(&self);
	other = guard_map(size, PROT_NONE);
	while (at < size && mprotect(other + at, PAGE, READ_WRITE) == 0)
		at += 2 * PAGE;
	assert_true(at < size);
	for (size_t i = 1; i < NR; i += 2)
		memory[i * PAGE] = 2;
	munmap(other, size);
	assert_int_equal(guard_collect(&self), NR);
	guard_compare(&self);
	assert_int_equal(self.pages[1], TIDE_EXACT);
	assert_int_equal(self.whys[NR - 2], TIDE_WHY_BOUND);
	guard_close(&self);
	assert_true(is_writable(memory));
	munmap(memory, AREA);
}

/* As the header says: a system call does not come to the handler; a byte written first helps. */
static void C1_mprotect_system_calls_into_watched_memory_fail(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct guard self;
	int fds[2];

	(void)state;
	memset(memory, 1, AREA);
	guard_open(&self, memory, AREA);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "abcd", 4), 4);
	assert_int_equal(read(fds[0], memory, 4), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(guard_collect(&self), 0);
	memory[5] = 0;
	errno = 0;
	assert_int_equal(read(fds[0], memory, 4), 4);
	assert_int_equal(guard_collect(&self), 1);
	guard_compare(&self);
	assert_memory_equal(self.copy, "abcd", 4);
	close(fds[0]);
	close(fds[1]);
	guard_close(&self);
	munmap(memory, AREA);
}

static void C1_mprotect_copies_and_answers_are_what_they_say(void **state)
{
	unsigned char *area = guard_map(AREA, READ_WRITE), *memory = area + 16 * PAGE;
	uint64_t start = (uint64_t)(uintptr_t)memory, addresses[8];
	unsigned char *copied = malloc(20 * PAGE);
	uint8_t certainty[20];
	struct guard self;
	size_t count = 8;

	(void)state;
	memset(area, 1, AREA);
	guard_open(&self, memory, 16 * PAGE);
	memory[2 * PAGE] = 2;
	assert_ptr_equal(mmap(memory + 4 * PAGE, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	                 memory + 4 * PAGE);
	memory[4 * PAGE] = 2;
	assert_int_equal(tide_watch_copy(self.watch, start, start + 20 * PAGE, copied, certainty, &self.err), 0);
	assert_memory_equal(copied, memory, 20 * PAGE);
	assert_int_equal(certainty[0], TIDE_EXACT);
	assert_int_equal(certainty[2], TIDE_TORN);
	assert_int_equal(certainty[4], TIDE_TORN);
	assert_int_equal(certainty[17], TIDE_OVER); /* not watched */
	assert_int_equal(tide_watch_get(self.watch, 0, start, start + 16 * PAGE, addresses, &count, NULL, &self.err),
	                 0);
	assert_int_equal(count, 2);
	assert_int_equal(addresses[0], start + 2 * PAGE);
	assert_int_equal(addresses[1], start + 4 * PAGE);
	count = 8;
	assert_int_equal(
	        tide_watch_get(self.watch, TIDE_GET_RESET, start, start + 4 * PAGE, addresses, &count, NULL, &self.err),
	        0);
	assert_int_equal(count, 1);
	assert_int_equal(guard_collect(&self), 1);
	assert_int_equal(self.whys[4], TIDE_WHY_NEW);
	assert_int_equal(tide_watch_copy(self.watch, start, start + 16 * PAGE, copied, certainty, &self.err), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(certainty[i], TIDE_EXACT);
	guard_close(&self);
	free(copied);
	munmap(area, AREA);
}

/* Each has its ranges. */
static void C1_mprotect_several_watches_are_apart(void **state)
{
	unsigned char *one = guard_map(AREA, READ_WRITE), *other = guard_map(AREA, READ_WRITE);
	struct guard first, second, third = { 0 };

	(void)state;
	guard_open(&first, one, AREA);
	guard_open(&second, other, AREA);
	one[0] = other[PAGE] = 2;
	assert_int_equal(guard_collect(&first), 1);
	assert_int_equal(guard_collect(&second), 1);
	assert_int_equal(second.pages[1], TIDE_EXACT);
	assert_int_equal(guard_try(&third, one + AREA - PAGE, PAGE), -EBUSY);
	assert_int_equal(third.err.cause, TIDE_CAUSE_BUSY);
	guard_close(&third);
	guard_close(&first);
	one[0] = other[2 * PAGE] = 3;
	assert_int_equal(guard_collect(&second), 1);
	assert_int_equal(second.pages[2], TIDE_EXACT);
	guard_close(&second);
	munmap(one, AREA);
	munmap(other, AREA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(C1_mprotect_writes_are_got_and_cleared),
		cmocka_unit_test(C1_mprotect_leaves_no_more_mappings_than_are_written),
		cmocka_unit_test(C1_mprotect_replaced_memory_is_over),
		cmocka_unit_test(C1_mprotect_too_many_pieces_are_over),
		cmocka_unit_test(C1_mprotect_no_mapping_left_is_over),
		cmocka_unit_test(C1_mprotect_system_calls_into_watched_memory_fail),
		cmocka_unit_test(C1_mprotect_copies_and_answers_are_what_they_say),
		cmocka_unit_test(C1_mprotect_several_watches_are_apart),
	};

	return cmocka_run_group_tests_name("watch-mprotect", tests, NULL, NULL);
}
