/* SPDX-License-Identifier: MIT */
/* The rows of table meta: one list, from which writer and reader are made. Keys are part of the schema. */
#ifndef RECORD_INFO_H
#define RECORD_INFO_H

/* X(key and field of struct record_info) */
#define INFO_TEXTS(X)                                                                                                  \
	X(tool_version)                                                                                                \
	X(sensor)                                                                                                      \
	X(sensor_why)                                                                                                  \
	X(kernel)

/* Texts that only some records have; without the key the field is NULL. X(key and field of struct record_info) */
#define INFO_OPTIONAL_TEXTS(X) X(writes)

/* X(key, field of struct record_info) */
#define INFO_NUMBERS(X)                                                                                                \
	X(started_unix_us, started_unix_us)                                                                            \
	X(sampling_us, sampling_us)                                                                                    \
	X(aggregation_us, aggregation_us)                                                                              \
	X(goal_bp, goal_bp)                                                                                            \
	X(min_sampling_us, min_sampling_us)                                                                            \
	X(max_sampling_us, max_sampling_us)                                                                            \
	X(update_us, update_us)                                                                                        \
	X(min_nr_regions, min_nr_regions)                                                                              \
	X(max_nr_regions, max_nr_regions)                                                                              \
	X(exact, exact)                                                                                                \
	X(complete, complete)

/* What changes while a recording goes on. */
#define INFO_COSTS(X)                                                                                                  \
	X(cost_wall_ns, cost.wall_ns)                                                                                  \
	X(cost_cpu_ns, cost.cpu_ns)                                                                                    \
	X(cost_first_sample_ns, cost.first_sample_ns)                                                                  \
	X(cost_nr_read, cost.sensor.nr_read)                                                                           \
	X(cost_nr_scanned, cost.sensor.nr_scanned)                                                                     \
	X(cost_nr_cleared, cost.sensor.nr_cleared)                                                                     \
	X(cost_nr_calls, cost.sensor.nr_calls)                                                                         \
	X(cost_longest_hold_ns, cost.sensor.longest_hold_ns)                                                           \
	X(latest_sampling_us, latest.sampling_us)                                                                      \
	X(latest_aggregation_us, latest.aggregation_us)

/* Where a whole process was cleared at once, and in exact mode, which also has `ways`: names with commas between. */
#define INFO_STALLS(X)                                                                                                 \
	X(cost_nr_stalls, cost.sensor.nr_stalls)                                                                       \
	X(cost_longest_stall_ns, cost.sensor.longest_stall_ns)                                                         \
	X(cost_stall_ns, cost.sensor.stall_ns)                                                                         \
	X(cost_blind_ns, cost.sensor.blind_ns)

#endif
