/* SPDX-License-Identifier: MIT */
/* Where the marks of an axis stand, and what is written at them. */
#ifndef REPORT_TICKS_H
#define REPORT_TICKS_H

#include <stdint.h>

#include "report/format.h"

/* The smallest usual distance of marks, in microseconds, that is at least `least_us`. */
uint64_t ticks_time_step(uint64_t least_us);

/* The first mark at or after `at_us`. */
uint64_t ticks_first(uint64_t at, uint64_t step);

/* "1 h 3 min 20 s", or "28.25 s" for marks that stand between seconds. */
struct format_text ticks_time(uint64_t at_us);

/* The smallest power of two that is at least `least_bytes`, and at least 1. */
uint64_t ticks_bytes_step(uint64_t least_bytes);

/* Exactly, as far as a few digits go: "1.125 GiB". */
struct format_text ticks_bytes(uint64_t bytes);

#endif
