/* SPDX-License-Identifier: MIT */
/* Touching the hot pages: one word a page, every hot page once a tick. */
#ifndef ORACLE_SWEEP_H
#define ORACLE_SWEEP_H

#include <stdint.h>

#include "area.h"
#include "base/rng.h"
#include "pattern.h"

/* A piece where it is now. `order` has size / ORACLE_PAGE page numbers within the piece, NULL: sequential. */
struct hot_range {
	const struct piece *piece;
	uint64_t offset;
	uint32_t *order;
};

/* What was done in one time slice; the truth about it. */
struct sweep_count {
	uint64_t nr_sweeps;
	uint64_t nr_touches;
	uint64_t busy_ns;    /* spent in touching */
	uint64_t late_ns;    /* neither running nor asleep as wanted: others had the processor */
	uint64_t max_gap_ns; /* the longest time from the begin of one sweep to the begin of the next */
};

/* A random order of `nr` pages to be freed with free(3), or NULL. */
uint32_t *sweep_shuffle(uint64_t nr, struct rng *rng);

/* Sweeps over `ranges` until `until_ns` (CLOCK_MONOTONIC), at most one sweep every `tick_ns` (0: without pause). */
void sweep_until(const struct area *area, const struct hot_range *ranges, size_t nr, uint64_t tick_ns,
                 uint64_t until_ns, struct rng *rng, struct sweep_count *count);

uint64_t clock_now(clockid_t clock);

#endif
