/* SPDX-License-Identifier: MIT */
/*
 * A prediction: the monitor watches a workload in virtual time, and what it finds is held against the truth. Nobody
 * waits, nothing depends on the machine: the same workload, attributes and seeds have the same outcome everywhere.
 */
#ifndef VERIFY_PREDICTION_H
#define VERIFY_PREDICTION_H

#include <tidemark/session.h>

#include "model/workload.h"

/* What counted work would take of a processor, in nanoseconds; measured on x86-64 (docs/model-workloads.md). */
#define PREDICTION_READ_NS  96  /* a page that is looked at by itself */
#define PREDICTION_SCAN_NS  2   /* an entry that is read in bulk */
#define PREDICTION_CLEAR_NS 900 /* an accessed bit that is cleared */

/* Figures are about the last so many aggregation intervals. */
#define PREDICTION_LAST 10u

struct prediction;

struct prediction_opts {
	struct tide_monitor_opts monitor; /* not EXACT: that sees everything, by definition */
	uint64_t duration_us;             /* at least one aggregation interval */
	bool writes;                      /* watched too, beside accesses */
	const struct tide_range *ranges;  /* as for tide_monitor_add_target */
	size_t nr_ranges;
};

/* How right the hot regions were (nr_accesses, or nr_writes, at least half of the checks), in bytes of mapped memory.
 */
struct prediction_accuracy {
	double hot;       /* bytes, a mean */
	double found;     /* bytes that were taken for hot, a mean */
	double precision; /* of what was found; negative: nothing was */
	double recall;    /* of what is hot, unobservable bytes included; negative: nothing is */
};

struct prediction_verdict {
	uint64_t nr_samples;
	uint64_t duration_ns; /* virtual */
	struct prediction_accuracy accesses;
	struct prediction_accuracy writes; /* zeros if they were not watched */
	uint64_t good_sample; /* the first of which precision and recall were both 0.9 or more; 0: none was */
	uint64_t good_ns;     /* when it ended */
	uint64_t mapped_bytes;
	size_t nr_regions; /* of the last sample */
	size_t max_nr_regions;
	double mean_nr_regions;
	double unobservable;             /* share of what was watched, over all samples */
	struct tide_intervals intervals; /* in use at the end */
	struct tide_sensor_cost cost;
	double cpu_share; /* of one processor, by the constants above */
};

/*
 * Begins at virtual time 0. `workload` outlives it. Errors: USAGE (options), LIMIT.
 */
int prediction_open(struct prediction **out, const struct workload *workload, const struct prediction_opts *opts,
                    struct tide_error *err);
void prediction_close(struct prediction *prediction);

/* Goes on to the next sample, valid until the next call: 1; 0: the duration is over; negative: as tide_monitor_step. */
int prediction_next(struct prediction *prediction, const struct tide_sample **out, struct tide_error *err);

/* The mappings as of the last sample. */
const struct tide_layout *prediction_layout(const struct prediction *prediction);

/* For options, intervals and cost. */
const struct tide_monitor *prediction_monitor(const struct prediction *prediction);

/* What it would have cost until the last sample, in virtual time. */
void prediction_cost(const struct prediction *prediction, struct tide_session_cost *out);

/* As of the last sample. */
void prediction_verdict(const struct prediction *prediction, struct prediction_verdict *out);

#endif
