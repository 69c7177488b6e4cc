/* SPDX-License-Identifier: MIT */
/* Numbers in texts of JSON form, in the one spelling that we write: digits, without a leading zero. */
#ifndef RECORD_NUMBER_H
#define RECORD_NUMBER_H

#include <stdint.h>

/* Writes at most 20 digits; returns what is behind them. No NUL. */
char *number_put(char *to, uint64_t number);

/* The number at `at`, which is at most `max` (itself at most INT64_MAX): returns what is behind it, NULL for none. */
const char *number_take(const char *at, uint64_t max, uint64_t *out);

#endif
