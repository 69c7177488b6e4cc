/* SPDX-License-Identifier: MIT */
/* This file fails every allocation of a monitor's life once: a clean error, nothing leaked, usable afterwards. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scripted-sensor.h"

/* The linker sends all calls of calloc and realloc through here (--wrap). */
static struct {
	uint64_t nr;   /* allocations so far */
	uint64_t fail; /* which one fails; 0: none */
} door;

void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_calloc(size_t nr, size_t size)
{
	return ++door.nr == door.fail ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return ++door.nr == door.fail ? NULL : __real_realloc(old, size);
}

static void fill(struct scripted *world)
{
	memset(world, 0, sizeof(*world));
	scripted_add(&world->mapped, GIB(1), MIB(500));
	for (unsigned i = 0; i < 30; i++)
		scripted_add(&world->hot, GIB(1) + i * MIB(16), MIB(8));
}

/* More mappings at each sample: the first gap is one of the biggest at first, and part of a region in the end. */
static void grow(struct scripted *world, unsigned i)
{
	if (i < 3)
		scripted_add(&world->mapped, GIB(2 + i), MIB(4));
}

/* What fails must say so. Returns the number of failures of 60 intervals' steps. */
static unsigned live(struct scripted_run *run, struct scripted *world)
{
	unsigned nr_failures = 0;

	for (unsigned i = 0; i < 60;) {
		int result = scripted_step(run, 0);

		if (result < 0) {
			assert_int_equal(result, -ENOMEM);
			assert_int_equal(run->err.cause, TIDE_CAUSE_LIMIT);
			nr_failures++;
		}
		if (result != 0)
			grow(world, i++);
	}
	return nr_failures;
}

/* Fails allocation `nth` of a life; false when the life has fewer. */
static bool fail_once(uint64_t nth)
{
	const struct tide_monitor_opts opts = {
		.size = sizeof(opts), .sampling_us = 1000, .aggregation_us = 5000, .update_us = 10000
	};
	struct scripted_run run = { .now_ns = 1000, .next_ns = 1000, .max_nr_regions = 1000 };
	struct scripted world;
	unsigned nr_failures = 0;
	int result;

	fill(&world);
	door.nr = 0;
	door.fail = nth;
	result = tide_monitor_open(&run.monitor, &opts, &run.err);
	if (result < 0) {
		assert_int_equal(result, -ENOMEM);
		assert_int_equal(run.err.cause, TIDE_CAUSE_LIMIT);
		return true;
	}
	do { /* The sensor's own state is not the monitor's to allocate. */
		if (door.fail == door.nr + 1)
			door.fail++;
		result = scripted_watch(&run, &scripted_sensor, &world, NULL, 0);
		nr_failures += result < 0;
		assert_true(result == 0 || result == -ENOMEM);
		assert_true(nr_failures <= 1);
	} while (result < 0);
	nr_failures += live(&run, &world);
	assert_int_equal(nr_failures, door.nr >= nth);
	door.fail = 0;
	scripted_samples(&run, 20);
	assert_int_equal(scripted_bytes(run.sample), GIB(1) + MIB(12));
	assert_true(scripted_accuracy(&world, run.sample).recall >= 0.9);
	scripted_close(&run);
	scripted_fini(&world);
	return door.nr >= nth;
}

static void every_allocation_may_fail_once(void **unused)
{
	uint64_t nth = 1;

	while (fail_once(nth))
		nth++;
	assert_true(nth > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
