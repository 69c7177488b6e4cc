/* SPDX-License-Identifier: MIT */
/* The rwp sensor's files: its state is a struct tracked. */
#ifndef SENSOR_RWP_H
#define SENSOR_RWP_H

#include "sensor/rwp_judge.h"
#include "sensor/tracked.h"

extern const struct tide_sensor_ops sensor_rwp;

/* Would protection unmap such a page, rather than mark it? A huge page of shared memory. */
static inline bool rwp_unmaps(const struct tracked_mapping *mapping, uint64_t categories)
{
	return mapping->page_bytes <= TRACKED_PAGE && (categories & PAGESCAN_HUGE) && (categories & PAGESCAN_FILE);
}

/* rwp_sample.c, rwp_scan.c, rwp_exact.c, rwp_probe.c: of the ops. */
int rwp_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int rwp_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int rwp_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
             uint64_t *next, struct tide_error *err);
int rwp_plan(void *state, struct tide_pass *pass, struct tide_error *err);
int rwp_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
               struct tide_error *err);
int rwp_probe(struct tide_error *why);

#endif
