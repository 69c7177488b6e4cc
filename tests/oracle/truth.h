/* SPDX-License-Identifier: MIT */
/* The truth log: JSON lines that say which bytes were touched when, and how often. Read by compare. */
#ifndef ORACLE_TRUTH_H
#define ORACLE_TRUTH_H

#include <stdint.h>
#include <stdio.h>

#include "sweep.h"

#define TRUTH_SCHEMA "tidemark-truth/1"

struct truth_slice {
	const char *phase;
	uint64_t from_ns; /* CLOCK_MONOTONIC */
	uint64_t to_ns;
	uint64_t from_unix_us;
	uint64_t to_unix_us;
	struct sweep_count count;
	const struct hot_range *ranges;
	size_t nr_ranges;
};

/* The first line: {"schema":"tidemark-truth/1","pid","pattern","page","start","end","huge_bytes","tick_us"}. 0 or
 * -errno. */
int truth_begin(FILE *file, const struct pattern *pattern, const struct area *area);

/*
 * One line a slice: {"phase","from_ns","to_ns","from_unix_us","to_unix_us","sweeps","touches","busy_us","late_us",
 * "max_gap_us","hot":[{"start","end","access","probability","sweeps_per_s"}]}. "access" is read, write or both. 0 or
 * -errno.
 */
int truth_add(FILE *file, const struct area *area, const struct truth_slice *slice);

#endif
