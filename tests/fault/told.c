/* SPDX-License-Identifier: MIT */
/* This file asserts how failures are told. */
#include "told.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fail-nth.h"

void told_assert(unsigned nth, int result, const struct tide_error *err, unsigned descriptors)
{
	if (result < 0 && (err->code != result || err->text[0] == '\0' || err->cause == TIDE_CAUSE_NONE))
		fail_msg("%s fails: %d, but the error says %d '%s'", fail_nth_name(), result, err->code, err->text);
	if (result < 0 && err->cause == TIDE_CAUSE_GONE)
		fail_msg("%s fails, and a living target is called gone: %s", fail_nth_name(), err->text);
	if (fail_nth_descriptors() != descriptors)
		fail_msg("a descriptor leaks when %s (call %u) fails", fail_nth_name(), nth);
}
