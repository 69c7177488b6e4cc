/* SPDX-License-Identifier: MIT */
/* This file tests the write tracker on one's own process and on children. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tidemark/watch.h>

#include "child.h"
#include "need.h"

enum {
	PAGE = 4096,
	BLOCK = 2 << 20,
	AREA = 16 << 20,
};

/* Memory of a known place, in a child. */
struct area {
	unsigned char *memory;
	size_t size;
};

static unsigned char *map(size_t size, int flags)
{
	unsigned char *memory = mmap(NULL, size + BLOCK, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
	uintptr_t start = ((uintptr_t)memory + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1);

	assert_true(memory != MAP_FAILED);
	madvise(memory, size + BLOCK, MADV_NOHUGEPAGE);
	return (unsigned char *)start;
}

struct watching {
	struct child child;
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_error err;
};

static void watch_pid(struct watching *self, pid_t pid, const struct tide_watch_opts *opts)
{
	int result = tide_target_open(&self->target, pid, &self->err);

	if (result == 0)
		result = tide_watch_open(&self->watch, self->target, opts, &self->err);
	if (result < 0)
		fail_msg("%s", self->err.text);
}

static void end(struct watching *self)
{
	tide_watch_close(self->watch);
	tide_target_close(self->target);
	child_end(&self->child);
}

/* One epoch: what it says of each page of `memory` (certainty, or -1 for not written). Returns bytes reported there. */
static uint64_t epoch(struct watching *self, const unsigned char *memory, size_t size, int *pages)
{
	uint64_t start = (uint64_t)(uintptr_t)memory, stop = start + size, bytes = 0;
	struct tide_run runs[16];
	uint64_t before = 0;
	long nr;

	for (size_t i = 0; pages != NULL && i < size / PAGE; i++)
		pages[i] = -1;
	while ((nr = tide_watch_collect(self->watch, runs, 16, &self->err)) > 0) {
		for (long i = 0; i < nr; i++) {
			assert_true(runs[i].start >= before && runs[i].start < runs[i].end);
			before = runs[i].end;
			for (uint64_t at = runs[i].start; at < runs[i].end; at += PAGE) {
				if (at < start || at >= stop)
					continue;
				bytes += PAGE;
				if (pages != NULL)
					pages[(at - start) / PAGE] = (int)runs[i].certainty;
			}
		}
	}
	if (nr < 0)
		fail_msg("%s", self->err.text);
	return bytes;
}

static void C2_a_part_of_ones_own_memory_is_watched_alone(void **state)
{
	unsigned char *memory = map(AREA, MAP_PRIVATE), *other = map(AREA, MAP_PRIVATE);
	struct tide_range range = { (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1 };
	struct watching self = { 0 };
	struct tide_epoch told;
	static int pages[AREA / PAGE];

	(void)state;
	memset(memory, 1, AREA);
	memset(other, 1, AREA);
	watch_pid(&self, getpid(), &opts);
	assert_int_equal(epoch(&self, memory, AREA, pages), 0);
	memory[5 * PAGE] = 2;
	memory[AREA - 1] = 2;
	other[0] = 2;
	assert_int_equal(epoch(&self, memory, AREA, pages), 2 * PAGE);
	assert_int_equal(pages[5], TIDE_EXACT);
	assert_int_equal(pages[AREA / PAGE - 1], TIDE_EXACT);
	tide_watch_epoch(self.watch, &told);
	assert_int_equal(told.written_bytes, 2 * PAGE);
	assert_int_equal(told.over_bytes, 0);
	assert_int_equal(told.blind, TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES);
	assert_int_equal(epoch(&self, memory, AREA, pages), 0);
	end(&self);
}

static int write_pages(int in, int out, void *arg)
{
	struct area *area = arg;

	memset(area->memory, 1, area->size);
	child_say(out);
	for (size_t page = 0;; page++) {
		child_pause(in);
		area->memory[page * PAGE] = 3;
		area->memory[(page + 100) * PAGE] = 3;
		child_say(out);
	}
	return 0;
}

static void C1_writes_of_another_process_are_got_and_cleared(void **state)
{
	struct area area = { map(AREA, MAP_PRIVATE), AREA };
	struct watching self = { 0 };
	static int pages[AREA / PAGE];

	(void)state;
	child_start(&self.child, write_pages, &area);
	watch_pid(&self, self.child.pid, NULL);
	assert_int_equal(epoch(&self, area.memory, AREA, pages), 0);
	for (int i = 0; i < 50; i++) {
		child_step(&self.child);
		assert_int_equal(epoch(&self, area.memory, AREA, pages), 2 * PAGE);
		assert_int_equal(pages[i], TIDE_EXACT);
		assert_int_equal(pages[i + 100], TIDE_EXACT);
	}
	end(&self);
}

/* Before Linux 6.11 nobody says what is hugetlb; what might be is not believed. */
static void C1_what_may_be_hugetlb_is_over(void **state)
{
	unsigned char *place = map(2 * BLOCK, MAP_PRIVATE);
	int fd = memfd_create("aligned", MFD_CLOEXEC);
	struct watching self = { 0 };
	static int pages[2 * BLOCK / PAGE];
	unsigned char *memory;

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * BLOCK), 0);
	memory = mmap(place, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
	assert_ptr_equal(memory, place);
	memset(memory, 1, 2 * BLOCK);
	setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
	watch_pid(&self, getpid(), NULL);
	unsetenv("TIDEMARK_FAULT");
	memory[0] = 2;
	assert_int_equal(epoch(&self, memory, 2 * BLOCK, pages), 2 * BLOCK);
	assert_int_equal(pages[0], TIDE_OVER);
	end(&self);
	watch_pid(&self, getpid(), NULL);
	memory[0] = 3;
	assert_int_equal(epoch(&self, memory, 2 * BLOCK, pages), PAGE);
	assert_int_equal(pages[0], TIDE_EXACT);
	end(&self);
	munmap(memory, 2 * BLOCK);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(C2_a_part_of_ones_own_memory_is_watched_alone),
		cmocka_unit_test(C1_writes_of_another_process_are_got_and_cleared),
		cmocka_unit_test(C1_what_may_be_hugetlb_is_over),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
