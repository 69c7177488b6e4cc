/* SPDX-License-Identifier: MIT */
/* The error sentence is born where it fails: fill once, add context upward, print once. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <tidemark/error.h>

/* Fills `err` (may be NULL) and returns `code`, a negative errno. */
int error_set(struct tide_error *err, enum tide_cause cause, int code, const char *fmt, ...)
        __attribute__((format(printf, 4, 5), cold));

/* Puts context before the sentence that is already there: "context: sentence". Returns err->code, or `code` with NULL.
 */
int error_prefix(struct tide_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));

/* For a system call's negative errno: cause from the number (EPERM is DENIED, ENOMEM LIMIT, ...), "what: strerror". */
int error_system(struct tide_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));

void log_text(enum tide_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
