/* SPDX-License-Identifier: MIT */
/* What a call of ours owes to its caller when a system call fails in it. */
#ifndef TESTS_FAULT_TOLD_H
#define TESTS_FAULT_TOLD_H

#include <tidemark/error.h>

/*
 * System call `nth` was made to fail, and ours returned `result`: a failure is in `err` as well, with a sentence, and
 * does not call a target gone that lives; as many descriptors are open as before. Else the test fails.
 */
void told_assert(unsigned nth, int result, const struct tide_error *err, unsigned descriptors);

#endif
