/* SPDX-License-Identifier: MIT */
/* Auto-tuned intervals: how long the sampling interval is, that samples show neither nothing nor everything. */
#ifndef MONITOR_TUNE_H
#define MONITOR_TUNE_H

#include <stdbool.h>

#include <tidemark/monitor.h>

struct tune {
	bool is_on;
	double goal; /* access events seen / possible */
	uint32_t nr_aggregations;
	uint64_t min_us;
	uint64_t max_us;
	uint64_t sampling_us; /* in use; not zero */
	/* Of the tuning step under way: bytes times checks. */
	double seen;
	double possible;
	uint32_t nr_seen; /* samples */
	/* How boldly the goal is approached. */
	double gain;
	double last_distance; /* of the last step that was out of reach of the goal; 0: none yet */
};

/* From complete options. */
void tune_init(struct tune *tune, const struct tide_monitor_opts *opts);

/* Takes a sample's access events into account; true when `sampling_us` has changed. */
bool tune_take(struct tune *tune, const struct tide_sample *sample);

#endif
