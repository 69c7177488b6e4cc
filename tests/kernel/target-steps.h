/* SPDX-License-Identifier: MIT */
/* What all tests of targets do: one step each, which fails the test when it fails. */
#ifndef TESTS_KERNEL_TARGET_STEPS_H
#define TESTS_KERNEL_TARGET_STEPS_H

#include "child.h"
#include "target/target.h"

enum {
	PAGE = 4096,
};

/* Every test runs with PROCMAP_QUERY if the kernel has it, and again with the text alone. *state is a struct child. */
#define EACH_WAY(test)                                                                                                 \
	{ #test, test, steps_with_query, steps_end, NULL },                                                            \
	{                                                                                                              \
#test " (text)", test, steps_with_text, steps_end, NULL                                                \
	}

int steps_with_query(void **state);
int steps_with_text(void **state);
int steps_end(void **state);

struct tide_target *open_target(pid_t pid);
const struct tide_layout *refresh(struct tide_target *target);
void assert_valid(struct tide_target *target);

/* tide_target_valid() says 0, cause GONE, and a sentence with `how` in it. */
void assert_gone(struct tide_target *target, const char *how);

/* tide_target_open() fails with that cause, and a sentence with `how` in it. */
void assert_refused(pid_t pid, enum tide_cause cause, const char *how);
void assert_same(const struct tide_layout *a, const struct tide_layout *b);

/* A child that says a byte whenever told. */
int serve(int in, int out, void *unused);

#endif
