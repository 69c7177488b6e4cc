/* SPDX-License-Identifier: MIT */
/* This file tests what copies of watched memory hold, and what they say of themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "need.h"
#include "watch-steps.h"
#include "watch/pins.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
	HALF = NR / 2,
};

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static unsigned char copied[AREA];
static uint8_t certainty[NR];

static void copy(struct watched *self)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area;

	memset(certainty, 0xee, sizeof(certainty));
	if (tide_watch_copy(self->watch, start, start + AREA, copied, certainty, &self->err) < 0)
		fail_msg("%s", self->err.text);
}

static void assert_copied(size_t from, size_t to, uint8_t wanted, int value)
{
	for (size_t page = from; page < to; page++) {
		if (certainty[page] != wanted)
			fail_msg("the copy of page %zu is '%s', not '%s'", page, tide_certainty_name(certainty[page]),
			         tide_certainty_name(wanted));
		if (value >= 0)
			assert_int_equal(copied[page * PAGE], value);
	}
}

static void C1_a_copy_says_how_good_it_is(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA / 2, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
	copy(self);
	assert_copied(0, HALF, TIDE_EXACT, 1);
	assert_copied(HALF, NR, TIDE_EXACT, 0);
	touch(self, 4, 1, 2);
	touch(self, HALF + 700, 1, 2);
	watched_order(self, do_advise, self->area + 6 * PAGE, PAGE, MADV_DONTNEED);
	watched_order(self, do_advise, self->area + BLOCK, BLOCK, MADV_DONTNEED);
	watched_order(self, do_unmap, self->area + 100 * PAGE, 10 * PAGE, 0);
	watched_order(self, do_unmap, self->area + 200 * PAGE, PAGE, 0);
	watched_order(self, do_map, self->area + 200 * PAGE, PAGE, 0);
	copy(self);
	assert_copied(0, 4, TIDE_EXACT, 1);
	assert_copied(4, 5, TIDE_TORN, 2);
	assert_copied(6, 7, TIDE_LOST, 0);
	assert_copied(100, 110, TIDE_LOST, 0);
	assert_copied(110, 200, TIDE_EXACT, 1);
	assert_copied(200, 201, TIDE_LOST, 0);
	assert_copied(BLOCK / PAGE, 2 * BLOCK / PAGE, TIDE_LOST, 0);
	assert_copied(HALF, HALF + 700, TIDE_EXACT, 0);
	assert_copied(HALF + 700, HALF + 701, TIDE_TORN, 2);
	watched_collect(self);
	copy(self);
	assert_copied(0, 4, TIDE_EXACT, 1);
	assert_copied(4, 5, TIDE_EXACT, 2);
	assert_copied(6, 7, TIDE_EXACT, 0);
	assert_copied(100, 110, TIDE_LOST, 0);
	assert_copied(200, 201, TIDE_EXACT, 0);
	assert_copied(BLOCK / PAGE, 2 * BLOCK / PAGE, TIDE_EXACT, 0);
}

static void C1_a_copy_of_shared_memory_is_not_sure(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_SHARED), AREA);
	watched_order(self, do_fill, self->area, AREA / 2, 6);
	watched_open(self, NULL);
	watched_collect(self);
	copy(self);
	assert_copied(0, HALF, TIDE_OVER, 6);
	assert_copied(HALF, NR, TIDE_OVER, 0);
}

/* Pages that a device holds, in the tests' own mind. */
static struct {
	uint64_t start, end;
} device;

static int device_init(void *state, struct tide_target *target, struct tide_error *err)
{
	(void)state, (void)target, (void)err;
	return 0;
}

static int device_begin(void *state, uint32_t *blind, struct tide_error *err)
{
	(void)state, (void)blind, (void)err;
	return 1;
}

static int device_look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	(void)state, (void)err;
	for (size_t i = 0; i < nr; i++)
		answers[i] = addresses[i] >= device.start && addresses[i] < device.end ? PIN_PINNED : PIN_NONE;
	return 0;
}

static void B4_a_copy_of_a_pinned_page_says_so(void **state)
{
	static const struct tide_pins_ops ops = {
		.name = "device", .state_size = 1, .init = device_init, .begin = device_begin, .look = device_look
	};
	struct tide_watch_opts opts = { .size = sizeof(opts), .pins = &ops };
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	device.start = (uint64_t)(uintptr_t)self->area + 30 * PAGE;
	device.end = device.start + 2 * PAGE;
	watched_open(self, &opts);
	touch(self, 31, 1, 2);
	watched_collect(self);
	assert_pages(self, 30, 32, TIDE_PINNED);
	copy(self);
	assert_copied(29, 30, TIDE_EXACT, 1);
	assert_copied(30, 32, TIDE_PINNED, -1);
	assert_copied(32, 33, TIDE_EXACT, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_a_copy_says_how_good_it_is),
		WATCHED_TEST(C1_a_copy_of_shared_memory_is_not_sure),
		WATCHED_TEST(B4_a_copy_of_a_pinned_page_says_so),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-copy", tests, NULL, NULL);
}
