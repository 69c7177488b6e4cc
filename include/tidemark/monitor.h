/* SPDX-License-Identifier: MIT */
/*
 * The DAMON engine: regions whose pages are taken to be used alike, one sampled page each, merged and split as the
 * counts say (Documentation/mm/damon/design.rst, "Core Logics"; Park et al., HPDC'22). It makes no system call, reads
 * no clock and never sleeps: the caller says what time it is and is told when to come back. One thread at a time may
 * use a monitor; different ones may be used at the same time.
 */
#ifndef TIDEMARK_MONITOR_H
#define TIDEMARK_MONITOR_H

#include <tidemark/sensor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_monitor;

/* Zero means default. Intervals in microseconds. */
struct tide_monitor_opts {
	size_t size;             /* sizeof(struct tide_monitor_opts), so that it can grow */
	uint64_t sampling_us;    /* 5,000 */
	uint64_t aggregation_us; /* 100,000; at least sampling_us */
	uint64_t update_us;      /* 1,000,000; at least aggregation_us */
	uint32_t min_nr_regions; /* 10; at least 3 */
	uint32_t max_nr_regions; /* 1,000; at least min_nr_regions */
	uint64_t seed;           /* of the random source; 0 is a seed like any other */
	uint32_t flags;          /* enum tide_monitor_flags */
	uint64_t max_stall_us; /* that one call may keep the target waiting, where all of it is cleared at once; 100,000
	                        */
	uint32_t way;          /* EXACT: enum tide_way; 0: the best that is possible */
	/* AUTO_TUNE only: */
	uint64_t min_sampling_us; /* 5,000 */
	uint64_t max_sampling_us; /* 10,000,000; at least min_sampling_us */
	uint32_t goal_bp;         /* 400: access events to be seen, in 1/100 percent of those that could be; to 9,999 */
	uint32_t tune_aggregations; /* 3: aggregation intervals from one tuning to the next */
};

enum tide_monitor_flags {
	/* DAMON's own behaviour: no guided splitting, every region checked in every sampling interval, no page cleared
	   but it. */
	TIDE_MONITOR_UNGUIDED = 1 << 0,
	/*
	 * Exact mode: every page, once per aggregation interval (default then: 1,000,000), instead of one page per
	 * region and sampling interval. The sample's `idle` is filled; its regions are runs of pages that are alike, of
	 * which nr_accesses says how many percent were accessed in the interval (nr_checks is 100). It has no sampling
	 * interval (0, or the aggregation interval). Needs a sensor with
	 * `plan`.
	 */
	TIDE_MONITOR_EXACT = 1 << 1,
	/*
	 * The sampling interval is made longer while fewer access events are seen than the goal asks for, and shorter
	 * while more are, within its bounds (design.rst, "Monitoring Intervals Auto-tuning"). The aggregation interval
	 * changes with it: there are always as many checks to a sample as the options say (default: 20). The update
	 * interval stays, or is as long as one aggregation interval where that is longer. Not with EXACT.
	 */
	TIDE_MONITOR_AUTO_TUNE = 1 << 2,
};

/*
 * One region of one sample. `[start, end)` byte addresses, page-aligned. Of a region that changes little fewer checks
 * are made (not with UNGUIDED); its counts are scaled up to the sample's nr_checks.
 */
struct tide_region {
	uint64_t start;
	uint64_t end;
	uint32_t nr_accesses;            /* checks that found its sampled page accessed */
	uint32_t nr_writes;              /* checks that found it written */
	uint32_t nr_unobservable;        /* checks that could not be answered */
	uint32_t nr_writes_unobservable; /* ... as to writes; 0 where nobody is asked for them */
	/*
	 * For how long the access pattern stayed similar, in units of the options' aggregation interval: intervals that
	 * were tuned longer or shorter count for as much as they lasted, rounded to the nearest.
	 */
	uint32_t age;
	uint32_t target; /* index in order of tide_monitor_add_target */
};

/* Part of the region nobody could see, in bytes, estimated from the share of its checks that went unanswered. */
TIDE_EXPORT uint64_t tide_region_unobservable_bytes(const struct tide_region *region, uint32_t nr_checks);

/* So many bytes were last accessed at least so long ago, and not as long ago as the next age's idle_us. */
struct tide_age {
	uint64_t idle_us;
	uint64_t bytes;
};

/*
 * Exact mode: all of one target's present memory at the end of an interval. present_bytes = unobservable_bytes + the
 * sum over ages. Memory that nobody accessed since watching began is as old as that, which is the last age then.
 * All zero for a target that came in this interval, or has gone.
 */
struct tide_idle {
	uint64_t present_bytes;
	uint64_t accessed_bytes;     /* in this interval: the exact working set */
	uint64_t unobservable_bytes; /* nothing can be said about this interval */
	size_t nr_ages;
	const struct tide_age *ages; /* ascending; the first, idle_us 0, is what was accessed in this interval */
};

/* One aggregation interval's result: immutable, valid until the next step. */
struct tide_sample {
	uint64_t start_ns; /* the interval, in the caller's time */
	uint64_t end_ns;
	uint32_t nr_checks; /* that the regions' counts are out of: the maximum of nr_accesses, at least 1 */
	uint32_t nr_targets;
	size_t nr_regions; /* ordered by target, then address */
	const struct tide_region *regions;
	uint64_t reasons[TIDE_NR_REASONS]; /* unanswered checks (as to accesses) of this interval by reason; in exact
	                                      mode: pages of 4 KiB */
	const struct tide_idle *idle;      /* exact mode: by target, nr_targets; else NULL */
};

/*
 * `opts` (NULL: all defaults) is copied; the caller closes it. Errors: USAGE bounds or intervals that contradict each
 * other (the sentence says which); LIMIT out of memory.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_monitor_open(struct tide_monitor **out, const struct tide_monitor_opts *opts,
                                                struct tide_error *err);

/* The options in use: those that were given, and for zeros the defaults. Owned by the monitor. */
TIDE_EXPORT const struct tide_monitor_opts *tide_monitor_options(const struct tide_monitor *monitor);

/* Calls the sensors' cleanup. Accepts NULL. */
TIDE_EXPORT void tide_monitor_close(struct tide_monitor *monitor);

/*
 * Adds a target; returns its index. One that comes while others are watched is looked at from the next step on, and its
 * counts of the interval under way are scaled up from the checks that were made; without any it is unobservable in it.
 * `state` is the sensor's initialised state: the monitor calls its cleanup and frees it with free(3) when the target
 * has gone, at close, or at once when this fails. `ranges` (copied) are the user's own, kept as they are by every
 * update; with nr_ranges 0 the three regions around the two biggest gaps are found and followed. Errors: USAGE ranges
 * that overlap, are empty or unaligned; the errors of the sensor's update.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_monitor_add_target(struct tide_monitor *monitor, const struct tide_sensor_ops *ops,
                                                      void *state, const struct tide_range *ranges, size_t nr_ranges,
                                                      struct tide_error *err);

/*
 * The same with a second sensor (NULL: none), one that TELLS_WRITES: it is asked for the same pages at the same time,
 * and its answers are each region's nr_writes. Both states are the monitor's from here on, also when this fails. Errors
 * beyond: USAGE with EXACT.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_monitor_add_with_writes(struct tide_monitor *monitor,
                                                           const struct tide_sensor_ops *ops, void *state,
                                                           const struct tide_sensor_ops *writes, void *writes_state,
                                                           const struct tide_range *ranges, size_t nr_ranges,
                                                           struct tide_error *err);

/*
 * Stops watching a target that was added: as one that went away, it has no more regions. Its index stays its own. With
 * none left the next step that is due says GONE.
 */
TIDE_EXPORT void tide_monitor_end_target(struct tide_monitor *monitor, size_t index);

/*
 * Does what is due at `now_ns` (any monotonic clock) and sets `*next_ns` to when it wants to be called again. Being
 * late makes intervals longer, never loses or invents a check. Returns 1 with `*out` set when an aggregation interval
 * ended, else 0 with `*out` NULL. A target of several that goes away only loses its regions. Errors: GONE when the last
 * valid target went away (results so far stay valid). Any other error is the first that a sensor reported; everything
 * else that was due has been done, what could not be asked counts as unobservable (UNREAD), and the next step goes on.
 * With an error, too, `*out` is set when an interval ended.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_monitor_step(struct tide_monitor *monitor, uint64_t now_ns, uint64_t *next_ns,
                                                const struct tide_sample **out, struct tide_error *err);

/* Intervals in use, in microseconds. */
struct tide_intervals {
	uint64_t sampling_us;
	uint64_t aggregation_us;
	uint64_t update_us;
};

/* Those of now; they change with AUTO_TUNE only, and only in a step that ends an aggregation interval. */
TIDE_EXPORT void tide_monitor_intervals(const struct tide_monitor *monitor, struct tide_intervals *out);

/* Exact mode: a run of present pages of one size that are alike. */
struct tide_idle_run {
	uint64_t start;
	uint64_t end;
	uint64_t page_bytes;
	uint64_t idle_us;  /* not accessed for at least so long; 0: accessed in the last interval */
	bool unobservable; /* of the last interval nothing can be said; idle_us is 0 then */
};

/* Return 0 to go on, anything else ends the listing and is returned by it. */
typedef int tide_idle_run_fn(void *arg, const struct tide_idle_run *run);

/*
 * Exact mode: calls `fn` for each run of `target`, as of the last step that returned a sample; by page size, then
 * ascending. Nothing for memory of which the sensor sees whole mappings only. The idle age of a page is exact to one
 * interval up to 32 intervals, then to about a twentieth, and counts to 14,000 intervals.
 */
TIDE_EXPORT int tide_monitor_idle(const struct tide_monitor *monitor, uint32_t target, tide_idle_run_fn *fn, void *arg);

/* The sensors' cost so far, summed over targets (of the longest ones: the maximum). */
TIDE_EXPORT void tide_monitor_cost(const struct tide_monitor *monitor, struct tide_sensor_cost *out);

#ifdef __cplusplus
}
#endif
#endif
