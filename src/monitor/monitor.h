/* SPDX-License-Identifier: MIT */
/* A monitor: its targets, its intervals, and what the step under way has come to. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <tidemark/monitor.h>

#include "base/vec.h"
#include "monitor/opts.h"
#include "monitor/tune.h"
#include "monitor/watched.h"

struct tide_monitor {
	struct tide_monitor_opts opts;
	struct rng rng;
	struct tune tune;
	VEC(struct watched) targets;
	uint64_t next_ns; /* end of the sampling interval; 0: not started */
	uint64_t interval_start_ns;
	uint64_t now_ns;    /* exact mode: of the pass under way */
	uint32_t nr_passed; /* exact mode: targets whose pass ended an interval */
	/* Intervals are counted in sampling intervals, so that lateness makes them longer and loses no check. */
	uint32_t checks_per_aggregation;
	uint32_t aggregations_per_update;
	uint32_t nr_checks;
	bool is_inside; /* this step ends no aggregation interval, and is not the first */
	uint32_t nr_aggregations;
	size_t last_nr_regions;
	VEC(struct tide_region) out;
	VEC(struct tide_idle) idle; /* exact mode: by target */
	struct tide_sample sample;
	uint64_t reasons[TIDE_NR_REASONS];
	struct tide_error gone;    /* the last target that went away; code 0: none did */
	struct tide_error failure; /* the first other error of this step; code 0: none */
};

#endif
