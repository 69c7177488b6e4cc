/* SPDX-License-Identifier: MIT */
/* This file holds what all tests of targets do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "target-steps.h"

int steps_with_query(void **state)
{
	*state = calloc(1, sizeof(struct child));
	return unsetenv("TIDEMARK_FAULT");
}

int steps_with_text(void **state)
{
	*state = calloc(1, sizeof(struct child));
	return setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
}

int steps_end(void **state)
{
	child_end(*state);
	free(*state);
	return 0;
}

struct tide_target *open_target(pid_t pid)
{
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };

	if (tide_target_open(&target, pid, &err) < 0)
		fail_msg("%s", err.text);
	return target;
}

const struct tide_layout *refresh(struct tide_target *target)
{
	const struct tide_layout *layout = NULL;
	struct tide_error err = { 0 };

	if (tide_target_refresh(target, &layout, &err) < 0)
		fail_msg("%s", err.text);
	assert_ptr_equal(layout, tide_target_layout(target));
	return layout;
}

void assert_valid(struct tide_target *target)
{
	struct tide_error err = { 0 };

	if (tide_target_valid(target, &err) != 1)
		fail_msg("not valid: %s", err.text);
}

void assert_gone(struct tide_target *target, const char *how)
{
	struct tide_error err = { 0 };

	assert_int_equal(tide_target_valid(target, &err), 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	if (strstr(err.text, how) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, how);
}

void assert_refused(pid_t pid, enum tide_cause cause, const char *how)
{
	struct tide_target *target = NULL;
	struct tide_error err = { 0 };

	assert_true(tide_target_open(&target, pid, &err) < 0);
	assert_null(target);
	if (err.cause != cause || strstr(err.text, how) == NULL)
		fail_msg("'%s' (%s) does not say '%s'", err.text, tide_cause_name(err.cause), how);
}

void assert_same(const struct tide_layout *a, const struct tide_layout *b)
{
	assert_int_equal(a->nr_mappings, b->nr_mappings);
	for (size_t i = 0; i < a->nr_mappings; i++) {
		assert_int_equal(a->mappings[i].start, b->mappings[i].start);
		assert_int_equal(a->mappings[i].end, b->mappings[i].end);
		assert_int_equal(a->mappings[i].offset, b->mappings[i].offset);
		assert_int_equal(a->mappings[i].inode, b->mappings[i].inode);
		assert_int_equal(a->mappings[i].flags, b->mappings[i].flags);
		assert_string_equal(a->mappings[i].name, b->mappings[i].name);
	}
}

int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}
