/* SPDX-License-Identifier: MIT */
/* Lists of runs of young pages, as exact mode forgets them. */
#ifndef SENSOR_YOUNG_RUNS_H
#define SENSOR_YOUNG_RUNS_H

#include <tidemark/sensor.h>

#include "base/vec.h"

typedef VEC(struct tide_young_run) young_runs;

/* Appends [start, end), in one with the last run when it goes on from there with pages of the same size. 0 or -ENOMEM.
 */
int young_runs_add(young_runs *runs, uint64_t start, uint64_t end, uint32_t entry_shift);

/* Appends the entries whose bits are set, of 64 that begin at `start`. 0 or -ENOMEM. */
int young_runs_add_bits(young_runs *runs, uint64_t start, uint32_t entry_shift, uint64_t bits);

/* Puts them in the order of their addresses. */
void young_runs_sort(young_runs *runs);

#endif
