/* SPDX-License-Identifier: MIT */
/* Sizes and durations as people write them in pattern files and options. */
#ifndef ORACLE_UNITS_H
#define ORACLE_UNITS_H

#include <stdint.h>

/* "4096", "64KiB", "1.5GiB"; with `whole` not 0 also "10%" of it. 0 or -EINVAL. */
int units_bytes(const char *text, uint64_t whole, uint64_t *bytes);

/* "500us", "5ms", "3s", "0", or "forever" (UINT64_MAX). 0 or -EINVAL. */
int units_duration(const char *text, uint64_t *ns);

/* A number between 0 and 1. 0 or -EINVAL. */
int units_share(const char *text, double *share);

#endif
