/* SPDX-License-Identifier: MIT */
/* This file tests what a sensor on a target's userfaultfd says as the target changes. */
#include "tracked-life.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

void alternate(struct fixture *fix, const struct use *use)
{
	aim(fix, 4);
	for (int round = 0; round < 3; round++) {
		prepare(fix);
		run_errand(fix, use->errand, 0, NR, 8);
		if (use->reads_others)
			run_errand(fix, READ, 0, NR, 4);
		check(fix);
		for (size_t i = 0; i < CHECKS; i++) {
			assert_int_equal(fix->checks[i].answer, i % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
			assert_int_equal(fix->checks[i].page_start, fix->checks[i].addr);
			assert_int_equal(fix->checks[i].page_end - fix->checks[i].page_start, PAGE);
		}
	}
	run_errand(fix, CHECK, 0, 0, 0);
}

void life_freed(void)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	prepare(&fix);
	run_errand(&fix, UNMAP, 0, NR / 2, 1);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED), CHECKS / 2);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS / 2);
	target_end(&fix);
}

void life_replaced(const struct use *use)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	prepare(&fix);
	run_errand(&fix, REPLACE, 0, 0, 0);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE), CHECKS);
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNTRACKED), CHECKS);
	update(&fix);
	alternate(&fix, use);
	target_end(&fix);
}

void life_moved(const struct use *use)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	prepare(&fix);
	run_errand(&fix, MOVE, 0, 0, 0);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED), CHECKS);
	run_errand(&fix, CHECK, 0, 0, 0);
	update(&fix);
	alternate(&fix, use);
	target_end(&fix);
}

void life_forked(const struct use *use)
{
	static struct fixture fix;

	begin(&fix, AREA_PRIVATE, NULL);
	prepare(&fix);
	run_errand(&fix, FORK, 0, 0, 0);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS);
	alternate(&fix, use);
	target_end(&fix);
}

void life_gone(enum errand errand)
{
	static struct fixture fix;
	const struct tide_range *ranges;
	size_t nr;

	begin(&fix, AREA_PRIVATE, NULL);
	prepare(&fix);
	run_errand(&fix, errand, 0, 0, 0);
	for (int i = 0; i < 1000 && fix.ops->target_valid(fix.sensor, &fix.err) == 1; i++)
		usleep(10000);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_GONE);
	if (fix.ops->check_accesses(fix.sensor, fix.checks, CHECKS, &fix.err) < 0)
		assert_int_equal(fix.err.cause, TIDE_CAUSE_GONE);
	assert_true(fix.ops->update(fix.sensor, &ranges, &nr, &fix.err) < 0);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_GONE);
	target_end(&fix);
}
