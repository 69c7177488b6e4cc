/* SPDX-License-Identifier: MIT */
/* This file tests the base room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/vec.h"

static void error_keeps_code_cause_and_sentence(void **unused)
{
	struct tide_error err = { 0 };

	(void)unused;
	assert_int_equal(error_set(&err, TIDE_CAUSE_GONE, -ESRCH, "no process %d", 7), -ESRCH);
	assert_int_equal(err.code, -ESRCH);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_string_equal(err.text, "no process 7");
	assert_int_equal(error_prefix(&err, -1, "record"), -ESRCH);
	assert_string_equal(err.text, "record: no process 7");
	assert_int_equal(error_set(NULL, TIDE_CAUSE_GONE, -ESRCH, "x"), -ESRCH);
	assert_int_equal(error_prefix(NULL, -EIO, "x"), -EIO);
}

static void error_text_is_cut_not_overrun(void **unused)
{
	struct tide_error err = { 0 };
	char big[600];

	(void)unused;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	error_set(&err, TIDE_CAUSE_SYSTEM, -EIO, "%s", big);
	error_prefix(&err, -EIO, "%s", big);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + strlen(err.text) - 3, "...");
}

static void error_system_tells_cause_from_errno(void **unused)
{
	struct tide_error err = { 0 };

	(void)unused;
	error_system(&err, -EPERM, "open");
	assert_int_equal(err.cause, TIDE_CAUSE_DENIED);
	error_system(&err, -ENOSPC, "write");
	assert_int_equal(err.cause, TIDE_CAUSE_LIMIT);
	assert_string_equal(err.text, "write: No space left on device");
}

static void rng_repeats_and_stays_below(void **unused)
{
	struct rng a;
	struct rng b;
	unsigned seen = 0;

	(void)unused;
	rng_init(&a, 42);
	rng_init(&b, 42);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_below(&a, 10);

		assert_int_equal(x, rng_below(&b, 10));
		assert_true(x < 10);
		seen |= 1u << x;
	}
	assert_int_equal(seen, 0x3ff);
	assert_int_equal(rng_below(&a, 0), 0);
}

static void vec_grows_and_frees(void **unused)
{
	VEC(uint64_t) v = { 0 };

	(void)unused;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vec_push(&v, i), 0);
	assert_int_equal(v.nr, 1000);
	assert_int_equal(v.items[999], 999);
	vec_free(&v);
	assert_null(v.items);
}

static void vec_that_fits_no_memory_is_refused(void **unused)
{
	VEC(uint64_t) v = { 0 };

	(void)unused;
	assert_int_equal(vec_push(&v, 7), 0);
	assert_int_equal(vec_reserve(&v, SIZE_MAX), -12);
	assert_int_equal(vec_reserve(&v, SIZE_MAX / sizeof(v.items[0])), -12);
	assert_int_equal(v.nr, 1);
	assert_int_equal(v.items[0], 7);
	vec_free(&v);
}

static void take_empties_the_slot(void **unused)
{
	scope_free char *a = strdup("x");
	scope_free char *b = NULL;

	(void)unused;
	b = take_ptr(a);
	assert_null(a);
	assert_string_equal(b, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_keeps_code_cause_and_sentence),
		cmocka_unit_test(error_text_is_cut_not_overrun),
		cmocka_unit_test(error_system_tells_cause_from_errno),
		cmocka_unit_test(rng_repeats_and_stays_below),
		cmocka_unit_test(vec_grows_and_frees),
		cmocka_unit_test(vec_that_fits_no_memory_is_refused),
		cmocka_unit_test(take_empties_the_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
