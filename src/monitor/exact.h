/* SPDX-License-Identifier: MIT */
/* Exact mode for one target: all of its memory, once per interval. */
#ifndef MONITOR_EXACT_H
#define MONITOR_EXACT_H

#include "monitor/idle.h"
#include "monitor/regions.h"
#include "sensor/young_runs.h"

/* A mapping of which the sensor knows only how much of it was accessed. */
struct exact_coarse {
	uint64_t start;
	uint64_t end;
	uint64_t nr_present;
	uint64_t nr_young;
	uint8_t age; /* code; 0: part of it was accessed */
};
typedef VEC(struct exact_coarse) exact_coarses;

/* Where a look's entry is. */
struct exact_place {
	uint32_t level;
	uint32_t index; /* of the entry in its table */
	uint64_t start; /* of the table */
};

struct exact {
	struct idle_level levels[IDLE_NR_LEVELS];
	exact_coarses coarse_last;
	exact_coarses coarse_now;
	size_t coarse_cursor;
	uint64_t nr_present; /* entries seen in this pass; of coarse mappings: pages */
	uint64_t nr_young;
	VEC(struct tide_range) frames; /* what is watched, gaps included: at most three, or the user's */
	uint64_t nr_passes;            /* whose marks are still known; 0: the next one is the first */
	VEC(uint64_t) ends_ns;         /* of the last passes, a ring */
	struct tide_pass plan;
	young_runs runs;                   /* to forget, of the scan under way */
	VEC(struct tide_check) looks;      /* to look at twice */
	VEC(struct exact_place) places;    /* of the looks */
	uint64_t reasons[TIDE_NR_REASONS]; /* pages of 4 KiB that were not seen in this pass */
	struct tide_idle idle;             /* of this pass */
	VEC(struct tide_age) ages;
};

/* `opts`: interval, max_stall_us and way. */
void exact_init(struct exact *exact, const struct tide_monitor_opts *opts);
void exact_fini(struct exact *exact);

/*
 * One pass over `frames`, at `now_ns`: everything is looked at and forgotten. 1: idle and reasons are of the interval
 * since the pass before; 0: there is none before. Negative: the sensor's error; what was known is not any more.
 */
int exact_pass(struct exact *exact, const struct tide_sensor_ops *ops, void *state, uint64_t now_ns,
               struct tide_error *err);

/* exact_sum.c: fills exact->idle. 0 or -ENOMEM. */
int exact_sum(struct exact *exact);

/* exact_take.c, with a struct exact as `arg`: a table; the answers of exact->looks; what could not be forgotten. */
int exact_take_block(void *arg, const struct tide_block *block);
int exact_take_looks(struct exact *exact); /* 0 or -ENOMEM */
int exact_take_stuck(void *arg, uint64_t start, uint64_t end, enum tide_reason reason);

/* As tide_monitor_idle. */
int exact_each_run(const struct exact *exact, tide_idle_run_fn *fn, void *arg);

/* How long at least a page with this age has been idle, as of the last pass. */
uint64_t exact_idle_us(const struct exact *exact, unsigned code);

/*
 * exact_regions.c: the frames in runs of pages that are alike, at most `max` of them as far as frames allow;
 * nr_accesses and nr_unobservable in percent. How long a region has been as it is goes by the regions that were there
 * before. 0 or -ENOMEM.
 */
int exact_regions(const struct exact *exact, struct regions *regions, size_t max);

#endif
