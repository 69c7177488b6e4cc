/* SPDX-License-Identifier: MIT */
/* Words go to standard error, each line with the program's name; causes become exit codes here. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <tidemark/error.h>

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_LACKING = 3, /* the kernel, or a permission */
	EXIT_GONE = 4,
};

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

enum exit_code exit_code_of(const struct tide_error *err);

/* Says the error's sentence, with the way to help where there is one, and returns its exit code. */
enum exit_code say_error(const struct tide_error *err);

#endif
