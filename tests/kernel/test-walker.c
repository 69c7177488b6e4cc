/* SPDX-License-Identifier: MIT */
/* This file tests the page-table walker itself: what it reads, within which rules, and how it keeps the target waiting.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "pages/bases.h"
#include "pages/entry.h"
#include "pages/program.h"
#include "pages/walker.h"
#include "sensor/walk.h"
#include "need.h"

#define PAGE 4096ul
#define MIB  (1024ul * 1024)
#define GIB  (1024 * MIB)

struct fixture {
	struct tide_target *target;
	struct walker *walker;
};

static void watch_self(struct fixture *fix)
{
	struct tide_error err = { 0 };

	if (tide_target_open(&fix->target, getpid(), &err) < 0 || walker_open(&fix->walker, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

static void unwatch(struct fixture *fix)
{
	walker_close(fix->walker);
	tide_target_close(fix->target);
}

static char *map(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	/* Base pages, whatever the machine prefers; who wants huge ones asks. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	return memory;
}

/* The program with its bases, on our own memory: what walker.c wraps. */
static void load_on_self(struct walker_program *program)
{
	struct tide_error err = { 0 };

	if (program_load(program, &err) < 0 || bases_find(program, &err) < 0 ||
	    program_attach(program, gettid(), &err) < 0)
		fail_msg("%s", err.text);
	/* One run is looked at: whoever has the processor meanwhile must not cut it short. */
	program->query->budget_ns = UINT64_MAX;
}

/* Where memory lies that we do not take for RAM (there are more ranges than we keep), a table must not look absent. */
static void A7_a_table_that_cannot_be_followed_is_not_a_hole(void **unused)
{
	struct walker_program program;
	struct tide_error err = { 0 };
	char *memory = map(4 * PAGE);

	memset(memory, 1, 4 * PAGE);
	load_on_self(&program);
	program.query->nr_ram = 0;
	program.query->mode = WALKER_SAMPLE;
	program.query->cursor = 0;
	program.query->nr = 4;
	for (unsigned i = 0; i < 4; i++)
		program.samples[i].addr = (uint64_t)(uintptr_t)memory + i * PAGE;
	assert_int_equal(program_run(&program, &err), 0);
	assert_int_equal(program.query->status, WALKER_DONE);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(program.samples[i].state, WALKER_FAULT);
	program_unload(&program);
	munmap(memory, 4 * PAGE);
}

static void A7_the_walk_arrives_where_pagemap_says(void **unused)
{
	struct fixture fix;
	struct walker_sample *samples;
	struct tide_error err = { 0 };
	char *memory = map(4 * MIB);
	size_t nr_same = 0;
	size_t nr_young = 0;

	(void)unused;
	memset(memory, 1, 4 * MIB);
	watch_self(&fix);
	samples = walker_samples(fix.walker);
	for (size_t i = 0; i < 1024; i++)
		walker_ask(&samples[i], (uint64_t)(uintptr_t)memory + i * PAGE, true);
	assert_int_equal(walker_sample(fix.walker, 1024, &err), 0);
	for (size_t i = 0; i < 1024; i++) {
		struct page_entry entry;
		uint64_t pfn = 0;

		entry_decode(samples[i].entry, samples[i].shift, walker_facts(fix.walker)->address_mask, &entry);
		assert_true(entry.present && entry.dirty);
		nr_young += entry.young;
		assert_true(samples[i].has_folio);
		assert_int_equal(samples[i].mapcount, 1);
		assert_int_equal(pagemap_own_pfn(memory + i * PAGE, &pfn), 0);
		nr_same += entry.pfn + (samples[i].shift > 12 ? i % 512 : 0) == pfn;
	}
	/* A page may be migrated between the two looks. */
	assert_in_range(nr_same, 1000, 1024);
	/* Others on the machine clear bits too: of single pages, or of one huge page. */
	assert_in_range(nr_young, 500, 1024);
	unwatch(&fix);
	munmap(memory, 4 * MIB);
}

static void A7_nothing_outside_a_mapping_is_walked(void **unused)
{
	struct fixture fix;
	struct walker_sample *samples;
	struct tide_error err = { 0 };
	char *memory = map(3 * PAGE);

	(void)unused;
	memset(memory, 1, 3 * PAGE);
	watch_self(&fix);
	munmap(memory + PAGE, PAGE); /* now, as the walker maps pages of its own */
	samples = walker_samples(fix.walker);
	walker_ask(&samples[0], PAGE, true); /* below everything */
	for (size_t i = 0; i < 3; i++)
		walker_ask(&samples[1 + i], (uint64_t)(uintptr_t)memory + i * PAGE, true);
	walker_ask(&samples[4], 0x7ffffffff000, true); /* above everything */
	assert_int_equal(walker_sample(fix.walker, 5, &err), 0);
	assert_int_equal(samples[0].state, WALKER_UNMAPPED);
	assert_int_equal(samples[1].state, WALKER_READ);
	assert_int_equal(samples[2].state, WALKER_UNMAPPED);
	assert_int_equal(samples[3].state, WALKER_READ);
	assert_int_equal(samples[4].state, WALKER_UNMAPPED);
	unwatch(&fix);
	munmap(memory, PAGE);
	munmap(memory + 2 * PAGE, PAGE);
}

/* What a scan of `bytes` from `memory` found. */
struct found {
	uint64_t start;
	uint64_t end;
	uint64_t nr_present;
	uint64_t last_start;
	bool is_ordered;
};

static int add_up(void *arg, const struct tide_block *block)
{
	struct found *found = arg;

	for (uint32_t i = 0; i < block->nr_entries; i++) {
		uint64_t addr = block->start + ((uint64_t)i << block->entry_shift);

		if (!(block->present[i / 64] >> (i % 64) & 1))
			continue;
		assert_in_range(addr, found->start, found->end - 1);
		found->nr_present += 1ul << (block->entry_shift - 12);
	}
	found->is_ordered = found->is_ordered && (block->entry_shift > 12 || block->start >= found->last_start);
	if (block->entry_shift == 12)
		found->last_start = block->start;
	return 0;
}

/* Every third page is there, some of them behind VMA borders that share a page table, and the range begins oddly. */
static void A7_a_scan_counts_every_page_once(void **unused)
{
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	size_t bytes = 1200 * MIB; /* more than one run's worth of tables */
	char *memory = map(bytes);
	struct found found = { .is_ordered = true };
	struct walk_state state = { 0 };
	uint64_t expected = 0;
	uint64_t next = 0;

	(void)unused;
	for (size_t i = 0; i < bytes / PAGE; i += 3)
		memory[i * PAGE] = 1;
	assert_int_equal(mprotect(memory + 100 * MIB + PAGE, 3 * PAGE, PROT_READ), 0);
	assert_int_equal(munmap(memory + 200 * MIB + 5 * PAGE, 7 * PAGE), 0);
	/* What we map from now on goes into the highest gap, which is to be this one. */
	assert_int_equal(munmap(memory + bytes - 10 * PAGE, 10 * PAGE), 0);
	found.start = (uint64_t)(uintptr_t)memory + 5 * PAGE;
	found.end = (uint64_t)(uintptr_t)memory + bytes - 11 * PAGE;
	for (size_t i = 0; i < bytes / PAGE; i += 3)
		expected += i >= 5 && i < bytes / PAGE - 11 && !(i >= 200 * 256 + 5 && i < 200 * 256 + 12);
	assert_int_equal(tide_target_open(&target, getpid(), &err), 0);
	assert_int_equal(sensor_walk.init(&state, target, &err), 0);
	assert_int_equal(sensor_walk.scan(&state, found.start, found.end, UINT64_MAX, add_up, &found, &next, &err), 0);
	assert_int_equal(next, found.end);
	assert_true(found.is_ordered);
	assert_int_equal(found.nr_present, expected);
	sensor_walk.cleanup(&state);
	tide_target_close(target);
	munmap(memory, bytes);
}

static void a_scan_stops_at_its_bound_and_goes_on_from_there(void **unused)
{
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };
	size_t bytes = 256 * MIB;
	char *memory = map(bytes);
	struct found found = { .is_ordered = true };
	struct walk_state state = { 0 };
	uint64_t next = (uint64_t)(uintptr_t)memory;
	size_t nr_calls = 0;

	(void)unused;
	memset(memory, 1, bytes);
	found.start = next;
	found.end = next + bytes;
	assert_int_equal(tide_target_open(&target, getpid(), &err), 0);
	assert_int_equal(sensor_walk.init(&state, target, &err), 0);
	while (next < found.end) {
		assert_int_equal(sensor_walk.scan(&state, next, found.end, 512, add_up, &found, &next, &err), 0);
		nr_calls++;
	}
	assert_true(nr_calls >= 1);
	assert_int_equal(found.nr_present, bytes / PAGE);
	sensor_walk.cleanup(&state);
	tide_target_close(target);
	munmap(memory, bytes);
}

struct mapper {
	atomic_bool stop;
	uint64_t nr;
	uint64_t longest_ns;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *map_and_unmap(void *arg)
{
	struct mapper *mapper = arg;

	while (!mapper->stop) {
		uint64_t began = now_ns();
		uint64_t took;

		munmap(map(PAGE), PAGE);
		took = now_ns() - began;
		mapper->nr++;
		if (took > mapper->longest_ns)
			mapper->longest_ns = took;
	}
	return NULL;
}

static int ignore(void *arg, const struct walker_table *table)
{
	(void)arg;
	(void)table;
	return 0;
}

/* Counted: no run copies more than its bound of tables. Printed, as time is no assertion: how long anybody waited. */
static void A7_a_walk_of_4_GiB_gives_way_again_and_again(void **unused)
{
	struct fixture fix;
	struct tide_error err = { 0 };
	struct mapper mapper = { 0 };
	/* Where there is no memory for all of it, it is the tables that count. */
	size_t step = (size_t)sysconf(_SC_AVPHYS_PAGES) > 5 * GIB / PAGE ? PAGE : 2 * MIB;
	pthread_t thread;
	char *memory = map(4 * GIB);
	uint64_t next = 0;
	uint64_t runs;
	uint64_t began;
	uint64_t took;

	(void)unused;
	for (size_t i = 0; i < 4 * GIB; i += step)
		memory[i] = 1;
	watch_self(&fix);
	pthread_create(&thread, NULL, map_and_unmap, &mapper);
	runs = walker_cost(fix.walker)->nr_runs;
	began = now_ns();
	assert_int_equal(walker_scan(fix.walker, (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + 4 * GIB,
	                             UINT64_MAX, ignore, NULL, &next, &err),
	                 0);
	took = now_ns() - began;
	mapper.stop = true;
	pthread_join(thread, NULL);
	runs = walker_cost(fix.walker)->nr_runs - runs;
	assert_true(runs >= 4 * GIB / (2 * MIB) / WALKER_MAX_TABLES);
	printf("walk of 4 GiB: %.1f ms in %lu runs, longest inside one VMA %.0f us; target: %lu mmaps, longest %.0f "
	       "us\n",
	       (double)took / 1e6, runs, (double)walker_cost(fix.walker)->longest_ns / 1e3, mapper.nr,
	       (double)mapper.longest_ns / 1e3);
	unwatch(&fix);
	munmap(memory, 4 * GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A7_the_walk_arrives_where_pagemap_says),
		cmocka_unit_test(A7_a_table_that_cannot_be_followed_is_not_a_hole),
		cmocka_unit_test(A7_nothing_outside_a_mapping_is_walked),
		cmocka_unit_test(A7_a_scan_counts_every_page_once),
		cmocka_unit_test(a_scan_stops_at_its_bound_and_goes_on_from_there),
		cmocka_unit_test(A7_a_walk_of_4_GiB_gives_way_again_and_again),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
