/* SPDX-License-Identifier: MIT */
/* This file tests what is made of what KSM says: could it have merged pages since one last asked? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "watch/merged.h"

static const struct ksm_progress before = { .run = 1, .nr_passes = 7, .nr_copied = 100 };

static void nothing_happens_between_equal_readings(void **state)
{
	(void)state;
	assert_int_equal(merged_judge(&before, 0, &before), MERGED_NOTHING);
}

static void what_is_kept_may_be_merged_now(void **state)
{
	struct ksm_progress after = before;

	(void)state;
	assert_int_equal(merged_judge(&before, 1, &after), MERGED_NOW);
	after.nr_passes++;
	assert_int_equal(merged_judge(&before, 1, &after), MERGED_NOW);
}

/* Its items go in the pass after the one that merged. */
static void what_was_forgotten_shows_by_a_pass(void **state)
{
	struct ksm_progress after = before;

	(void)state;
	after.nr_passes++;
	assert_int_equal(merged_judge(&before, 0, &after), MERGED_ONCE);
}

static void what_was_taken_apart_shows_though_passes_count_anew(void **state)
{
	struct ksm_progress apart = { .run = 2, .nr_copied = 100 };
	struct ksm_progress after = apart;

	(void)state;
	assert_int_equal(merged_judge(&(struct ksm_progress){ .nr_copied = 100 }, 0, &after), MERGED_ONCE);
	assert_int_equal(merged_judge(&apart, 0, &after), MERGED_NOTHING);
	after.nr_copied++;
	assert_int_equal(merged_judge(&apart, 0, &after), MERGED_ONCE);
}

/* Others' pages are, all the time, where KSM has been at work for long. */
static void what_is_copied_says_nothing_after_many_passes(void **state)
{
	struct ksm_progress long_ago = { .run = 1, .nr_passes = 1000 };
	struct ksm_progress after = long_ago;

	(void)state;
	after.nr_copied++;
	assert_int_equal(merged_judge(&long_ago, 0, &after), MERGED_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happens_between_equal_readings),
		cmocka_unit_test(what_is_kept_may_be_merged_now),
		cmocka_unit_test(what_was_forgotten_shows_by_a_pass),
		cmocka_unit_test(what_was_taken_apart_shows_though_passes_count_anew),
		cmocka_unit_test(what_is_copied_says_nothing_after_many_passes),
	};

	return cmocka_run_group_tests_name("merged", tests, NULL, NULL);
}
