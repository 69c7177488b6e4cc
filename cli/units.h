/* SPDX-License-Identifier: MIT */
/* Durations and sizes as people write them: 5ms, 1.5s, 2m, 64MiB; and the other way round. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/error.h>

/* The longest duration taken: a hundred years, so that sums of durations in nanoseconds stay in 64 bits. */
#define UNITS_MAX_DURATION_US UINT64_C(3153600000000000)

/*
 * Microseconds out of a decimal number and a unit: us ms s m (or min) h d. `bare_us` is the unit of a number that
 * stands alone, 0: it is refused. Zero is a duration like any other; less than a microsecond is refused. Errors: USAGE.
 */
int units_parse_duration(const char *text, uint64_t bare_us, uint64_t *out_us, struct tide_error *err);

/* Bytes out of a decimal number and a unit: B, KiB MiB GiB TiB (or K M G T), kB MB GB TB of 1,000. Errors: USAGE. */
int units_parse_size(const char *text, uint64_t *out_bytes, struct tide_error *err);

/* A whole decimal number in [min, max]; `what` names it in the sentence. Errors: USAGE. */
int units_parse_count(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out,
                      struct tide_error *err);

/* "350 ms", "2.1 s", "3 min 20 s" and "3.1 GiB", "512 B" into `buf`, which is returned. */
#define UNITS_TEXT_SIZE 32
const char *units_duration_text(char buf[UNITS_TEXT_SIZE], uint64_t us);
const char *units_size_text(char buf[UNITS_TEXT_SIZE], uint64_t bytes);

#endif
