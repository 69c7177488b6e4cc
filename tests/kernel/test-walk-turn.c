/* SPDX-License-Identifier: MIT */
/* This file tests the walk sensor's turn: the last checks answered and the next ones prepared in one look. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tidemark/sensor.h>
#include "need.h"

#define PAGE   4096ul
#define MIB    (1024ul * 1024)
#define CHECKS 256u
#define SLACK  24u /* pages that the machine's own reclaim may have cleared, or that are not on an LRU list yet */

/* The sensor on this process, and two arrays of checks that take turns. */
struct fixture {
	char *memory; /* a MiB for each 16 checks */
	struct tide_target *target;
	const struct tide_sensor_ops *ops;
	void *sensor;
	struct tide_check checks[2][CHECKS];
};

static void begin(struct fixture *fix)
{
	struct tide_error err = { 0 };

	memset(fix, 0, sizeof(*fix));
	fix->memory = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fix->memory, MAP_FAILED);
	assert_int_equal(madvise(fix->memory, 16 * MIB, MADV_NOHUGEPAGE), 0);
	memset(fix->memory, 1, 16 * MIB);
	if (tide_sensor_choose(&fix->ops, "walk", &err) < 0 || tide_target_open(&fix->target, getpid(), &err) < 0)
		fail_msg("%s", err.text);
	fix->sensor = calloc(1, fix->ops->state_size);
	if (fix->ops->init(fix->sensor, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct fixture *fix)
{
	fix->ops->cleanup(fix->sensor);
	free(fix->sensor);
	tide_target_close(fix->target);
	munmap(fix->memory, 16 * MIB);
}

/* Array `which` asks for page `page` of each 64 KiB. */
static void aim(struct fixture *fix, unsigned which, unsigned page)
{
	memset(fix->checks[which], 0, sizeof(fix->checks[which]));
	for (size_t i = 0; i < CHECKS; i++)
		fix->checks[which][i].addr = (uint64_t)(uintptr_t)fix->memory + i * 16 * PAGE + page * PAGE;
}

static void prepare(struct fixture *fix, unsigned which)
{
	struct tide_error err = { 0 };

	if (fix->ops->prepare_access_checks(fix->sensor, fix->checks[which], CHECKS, &err) < 0)
		fail_msg("%s", err.text);
}

/* Answers array `old`, prepares the other one. */
static void turn(struct fixture *fix, unsigned old)
{
	struct tide_error err = { 0 };

	if (fix->ops->turn(fix->sensor, fix->checks[old], CHECKS, fix->checks[!old], CHECKS, &err) < 0)
		fail_msg("%s", err.text);
}

/* Uses every other page of an array. */
static void touch_half(struct fixture *fix, unsigned which)
{
	for (size_t i = 0; i < CHECKS; i += 2)
		*(volatile char *)(uintptr_t)fix->checks[which][i].addr += 1;
}

static size_t count(const struct fixture *fix, unsigned which, size_t first, size_t step, enum tide_answer answer)
{
	size_t nr = 0;

	for (size_t i = first; i < CHECKS; i += step)
		nr += fix->checks[which][i].answer == answer;
	return nr;
}

static uint64_t nr_calls(const struct fixture *fix)
{
	struct tide_sensor_cost cost;

	fix->ops->cost(fix->sensor, &cost);
	return cost.nr_calls;
}

static void A1_each_turn_tells_what_was_touched_since_the_one_before(void **unused)
{
	struct fixture fix;

	begin(&fix);
	aim(&fix, 0, 3);
	prepare(&fix, 0);
	for (unsigned i = 0; i < 8; i++) {
		unsigned which = i % 2;

		/* In front of the pages that are answered, behind them, and the same ones. */
		aim(&fix, !which, which ? 3 : i);
		touch_half(&fix, which);
		turn(&fix, which);
		assert_int_equal(count(&fix, which, 1, 2, TIDE_ANSWER_ACCESSED), 0);
		assert_in_range(count(&fix, which, 0, 2, TIDE_ANSWER_ACCESSED), CHECKS / 2 - SLACK, CHECKS / 2);
		assert_in_range(count(&fix, which, 1, 2, TIDE_ANSWER_IDLE), CHECKS / 2 - SLACK, CHECKS / 2);
	}
	end(&fix);
}

static void a_turn_with_nothing_to_clear_is_one_run_of_the_walker(void **unused)
{
	struct fixture fix;
	uint64_t least = UINT64_MAX;

	begin(&fix);
	aim(&fix, 0, 2);
	aim(&fix, 1, 9);
	prepare(&fix, 1);
	prepare(&fix, 0);
	/* All are clear by now but those that could not be at once. */
	for (unsigned i = 0; i < 20; i++) {
		uint64_t before = nr_calls(&fix);

		turn(&fix, i % 2);
		least = nr_calls(&fix) - before < least ? nr_calls(&fix) - before : least;
	}
	assert_int_equal(least, 1);
	end(&fix);
}

static void A8_a_turn_notices_somebody_who_clears_all_bits(void **unused)
{
	struct fixture fix;
	int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	assert_true(clear_refs >= 0);
	begin(&fix);
	aim(&fix, 0, 3);
	aim(&fix, 1, 9);
	prepare(&fix, 0);
	turn(&fix, 0); /* the canaries are found here */
	touch_half(&fix, 1);
	assert_int_equal(write(clear_refs, "1", 1), 1);
	turn(&fix, 1);
	assert_int_equal(count(&fix, 1, 0, 1, TIDE_ANSWER_IDLE), 0);
	/* What this turn prepared is not concerned. */
	turn(&fix, 0);
	assert_in_range(count(&fix, 0, 0, 1, TIDE_ANSWER_IDLE), CHECKS - SLACK, CHECKS);
	close(clear_refs);
	end(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_each_turn_tells_what_was_touched_since_the_one_before),
		cmocka_unit_test(a_turn_with_nothing_to_clear_is_one_run_of_the_walker),
		cmocka_unit_test(A8_a_turn_notices_somebody_who_clears_all_bits),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
