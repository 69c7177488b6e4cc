/* SPDX-License-Identifier: MIT */
/*
 * This file makes every system call, and every allocation, of a watch's life fail once: no write may be lost, nothing
 * leak, and the target be left as it was found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/need.h"
#include "../kernel/watch-steps.h"
#include "fail-nth.h"
#include "watch/pins.h"

enum {
	AREA = 8 << 20,
	NR = AREA / PAGE,
	ROUNDS = 3,
};

/* The linker sends the allocations through here (--wrap). Only those of the library count. */
static struct {
	bool is_open;
	unsigned nr; /* allocations so far */
	unsigned fail;
} door;

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool refused(void)
{
	return door.is_open && ++door.nr == door.fail;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return refused() ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refused() ? NULL : __real_realloc(old, size);
}

struct trial {
	struct watched *self;
	unsigned nth;
	unsigned nr_failures; /* that the library told */
	const char *what;     /* fails: "allocation", or NULL for a system call */
};

/* What the library says of a failure is a sentence; and the process, which lives, is never called gone. */
static void sound(struct trial *trial, long result)
{
	const struct tide_error *err = &trial->self->err;
	const char *name = trial->what != NULL ? trial->what : fail_nth_name();

	if (err->code != result || err->text[0] == 0 || err->cause == TIDE_CAUSE_NONE)
		fail_msg("%s (%u) failed: returned %ld, error %d '%s'", name, trial->nth, result, err->code, err->text);
	if (err->cause == TIDE_CAUSE_GONE)
		fail_msg("%s (%u) failed: called gone: %s", name, trial->nth, err->text);
	if (++trial->nr_failures > 1)
		fail_msg("%s (%u) failed, and it never ends: %s", name, trial->nth, err->text);
}

static const char *backend; /* NULL: the best */

static void collect(struct trial *trial)
{
	struct watched *self = trial->self;
	struct tide_run runs[8];
	long nr;

	do {
		door.is_open = true;
		nr = tide_watch_collect(self->watch, runs, 8, &self->err);
		door.is_open = false;
		if (nr < 0)
			sound(trial, nr);
		else
			watched_take(self, runs, nr);
	} while (nr != 0);
	watched_compare(self);
}

static void get(struct trial *trial, size_t from, size_t to)
{
	uint64_t start = (uint64_t)(uintptr_t)trial->self->area, addresses[4];
	struct watched *self = trial->self;
	size_t count = 4;
	int result;

	door.is_open = true;
	result = tide_watch_get(self->watch, TIDE_GET_RESET, start + from * PAGE, start + to * PAGE, addresses, &count,
	                        NULL, &self->err);
	door.is_open = false;
	if (result < 0)
		sound(trial, result);
	for (size_t i = 0; result >= 0 && i < count; i++)
		watched_take(self, &(struct tide_run){ addresses[i], addresses[i] + PAGE, 0, 0 }, 1);
}

/* Where the copy is called exact, it is what the last collect reported. */
static void copy(struct trial *trial)
{
	static unsigned char copied[64 * PAGE];
	struct watched *self = trial->self;
	uint64_t start = (uint64_t)(uintptr_t)self->area;
	uint8_t certainty[64];
	int result;

	door.is_open = true;
	result = tide_watch_copy(self->watch, start, start + sizeof(copied), copied, certainty, &self->err);
	door.is_open = false;
	if (result < 0)
		sound(trial, result);
	for (size_t page = 0; result >= 0 && page < 64; page++)
		if (certainty[page] == TIDE_EXACT && memcmp(copied + page * PAGE, self->copy + page * PAGE, PAGE) != 0)
			fail_msg("the copy of page %zu is not exact, but called so", page);
}

static void step(struct watched *self, size_t page, size_t nr, long (*fn)(struct order *), long value)
{
	assert_true(watched_order(self, fn, self->area + page * PAGE, nr * PAGE, value) >= 0);
}

/* Writes, first touches, pages given up, a mapping that comes, goes, and is replaced. */
static void change(struct watched *self, int round)
{
	size_t block = BLOCK / PAGE;

	step(self, 3, 2, do_touch, 10 + round);
	step(self, 9, 1, do_advise, MADV_DONTNEED);
	step(self, 30, 1, do_touch, 10 + round);
	step(self, block + 7, 20, do_touch, 10 + round);
	step(self, 2 * block + (size_t)round, 1, do_touch, 10 + round);
	step(self, 3 * block, 16, round == 1 ? do_unmap : do_map, 0);
	if (round != 1)
		step(self, 3 * block + 2, 3, do_touch, 10 + round);
}

static void live(struct trial *trial)
{
	struct watched *self = trial->self;

	for (int round = 0; round < ROUNDS; round++) {
		change(self, round);
		if (round == 1)
			get(trial, BLOCK / PAGE, 3 * BLOCK / PAGE);
		collect(trial);
		step(self, 5, 1, do_touch, 20 + round);
		copy(trial);
	}
	collect(trial);
	collect(trial);
}

/* Somebody who looks for pins, without system calls: some pages are. */
static int look_init(void *state, struct tide_target *target, struct tide_error *err)
{
	(void)state, (void)target, (void)err;
	return 0;
}

static int look_begin(void *state, uint32_t *blind, struct tide_error *err)
{
	(void)state, (void)blind, (void)err;
	return 1;
}

static int look_at(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	(void)state, (void)err;
	for (size_t i = 0; i < nr; i++)
		answers[i] = addresses[i] / PAGE % 64 == 3 ? PIN_PINNED : PIN_NONE;
	return 0;
}

static const struct tide_pins_ops pins = {
	.name = "some", .state_size = 1, .init = look_init, .begin = look_begin, .look = look_at
};

/* Opens it while a call may fail, and then without. */
static void open_watch(struct trial *trial)
{
	struct watched *self = trial->self;
	uint64_t start = (uint64_t)(uintptr_t)self->area;
	struct tide_range range = { start, start + AREA };
	struct tide_watch_opts opts = {
		.size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .pins = &pins, .backend = backend
	};
	struct tide_watch *watch = NULL;
	int result;

	door.is_open = true;
	result = tide_watch_open(&watch, self->target, &opts, &self->err);
	door.is_open = false;
	if (result == 0) {
		self->watch = watch;
		return;
	}
	assert_null(watch);
	sound(trial, result);
}

static bool uses_userfaultfd(pid_t pid)
{
	char path[64], link[64];

	for (int fd = 0; fd < 64; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		size = readlink(path, link, sizeof(link) - 1);
		link[size > 0 ? size : 0] = 0;
		if (strstr(link, "userfaultfd") != NULL)
			return true;
	}
	return false;
}

static void check_clean(struct trial *trial, unsigned descriptors)
{
	const char *name = trial->what != NULL ? trial->what : fail_nth_name();

	if (mappings_with_flag(trial->self->child.pid, "uw") != 0)
		fail_msg("memory stays watched when %s (%u) fails", name, trial->nth);
	if (uses_userfaultfd(trial->self->child.pid))
		fail_msg("a userfaultfd stays in the target when %s (%u) fails: %s", name, trial->nth,
		         trial->self->err.text);
	if (fail_nth_descriptors() != descriptors)
		fail_msg("a descriptor leaks when %s (%u) fails", name, trial->nth);
}

/* One life with failure number `nth`; false: there are not so many. */
static bool try(struct watched *self, unsigned nth, int error)
{
	struct trial trial = { .self = self, .nth = nth, .what = error == 0 ? "an allocation" : NULL };
	unsigned descriptors = fail_nth_descriptors();
	bool failed;

	memset(self->copy, 0, self->size);
	step(self, 0, NR / 4, do_fill, 1);
	step(self, 3 * BLOCK / PAGE, 16, do_map, 0);
	door.nr = 0;
	door.fail = error == 0 ? nth : 0;
	if (error != 0)
		fail_nth_arm(nth, error);
	open_watch(&trial);
	if (self->watch != NULL) {
		watched_first_copy(self);
		live(&trial);
		door.is_open = true;
		tide_watch_close(self->watch);
		door.is_open = false;
		self->watch = NULL;
		watched_last_copy(self);
	}
	failed = error == 0 ? door.nr >= nth : fail_nth_disarm();
	check_clean(&trial, descriptors);
	if (!failed && trial.nr_failures > 0)
		fail_msg("it failed by itself: %s", self->err.text);
	return failed;
}

/* Every call fails, or one in so many: where each life takes long. */
static unsigned stride = 1;

static void each(struct watched *self, int error)
{
	unsigned nth = 1;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	assert_int_equal(tide_target_open(&self->target, self->child.pid, &self->err), 0);
	while (try(self, nth, error))
		nth += stride;
	printf("of %u %s, one in %u failed\n", nth - 1, error == 0 ? "allocations" : "calls", stride);
	assert_true(nth > (error == 0 ? 50 : 150));
}

static void C1_no_write_is_lost_when_a_call_fails(void **state)
{
	each(*state, EIO);
}

static void C1_no_write_is_lost_when_a_call_has_no_memory(void **state)
{
	each(*state, ENOMEM);
}

static void C1_no_write_is_lost_when_a_call_is_interrupted(void **state)
{
	each(*state, EINTR);
}

static void C1_no_write_is_lost_when_memory_is_short(void **state)
{
	each(*state, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_no_write_is_lost_when_memory_is_short),
		WATCHED_TEST(C1_no_write_is_lost_when_a_call_fails),
		WATCHED_TEST(C1_no_write_is_lost_when_a_call_has_no_memory),
		WATCHED_TEST(C1_no_write_is_lost_when_a_call_is_interrupted),
	};

	if (argc > 1)
		stride = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2) {
		int skipped = need_backend(argv[2]);

		if (skipped != 0)
			return skipped;
		backend = argv[2];
	}
	return cmocka_run_group_tests_name("fault-watch", tests, NULL, NULL);
}
