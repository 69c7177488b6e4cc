/* SPDX-License-Identifier: MIT */
/*
 * A session: targets opened, a sensor picked, the monitor's loop with its timers, the results handed to sinks.
 * Starts no thread and handles no signal: it gives a pollable descriptor and a step function to programs that have a
 * loop of their own, and tide_session_run() to those that have none.
 *
 * Threads: one at a time may use a session and what belongs to it; different sessions may be used at the same time, but
 * not opened or given a process at the same time, as both borrow libbpf's print callback, of which a process has one.
 * Kernel and privileges: what the sensor needs (sensor.h).
 */
#ifndef TIDEMARK_SESSION_H
#define TIDEMARK_SESSION_H

#include <tidemark/monitor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_session;

enum tide_session_flags {
	/*
	 * Processes that a target starts are watched too, and theirs: from the first look that sees them on, one look
	 * each update interval (longer apart where looks are dear), the first when the session begins. So are the
	 * children that a target has then. And a target that executes another program does not go away: the process is
	 * a new target from there on, with the new program's name. At most 64 processes at a time and 1,024 targets in
	 * all; tide_session_unwatched says when there were more. A process that comes and goes between two looks is not
	 * seen, nor what it started. Ended targets keep no descriptor. The session ends when the last target has gone.
	 */
	TIDE_SESSION_CHILDREN = 1 << 0,
	/*
	 * Writes are watched too, by the sensor "writes", beside accesses (tide_monitor_add_with_writes). Not with
	 * EXACT, nor with a sensor that sees whole mappings only; one that needs the target's userfaultfd is passed
	 * over. With the sensor "writes" itself it changes nothing.
	 */
	TIDE_SESSION_WRITES = 1 << 1,
};

struct tide_session_opts {
	size_t size; /* sizeof(struct tide_session_opts) */
	struct tide_monitor_opts monitor;
	const char *sensor; /* NULL: the best that works here */
	/*
	 * 0: until stopped or the last target is gone; else at least one aggregation interval. Tuned intervals grow to
	 * a tenth of the duration at most, whatever their bounds say, so that what is lost at its end is little.
	 */
	uint64_t duration_us;
	uint32_t flags; /* enum tide_session_flags */
};

/* What watching has cost, since the session's first step. */
struct tide_session_cost {
	uint64_t wall_ns;
	uint64_t cpu_ns;          /* of the calling process, all threads */
	uint64_t first_sample_ns; /* from open to the first sample; 0: none yet */
	struct tide_sensor_cost sensor;
};

/*
 * Receives each sample. `targets[sample->regions[i].target]` is the region's target; its layout is as fresh as the last
 * update interval. There may be more targets than in the sample before. Nothing is the sink's to keep. A negative
 * return ends the session with that error.
 */
typedef int tide_sink_fn(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                         struct tide_error *err);

/*
 * `opts` (NULL: all defaults) is copied. Errors: USAGE (options), those of tide_sensor_choose, LIMIT. No target is
 * touched yet. The caller closes it.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_session_open(struct tide_session **out, const struct tide_session_opts *opts,
                                                struct tide_error *err);

/* Leaves every target as it was found; tide_targets of the session end with it. Accepts NULL. Sinks are not called. */
TIDE_EXPORT void tide_session_close(struct tide_session *session);

/*
 * Watches a process too; also while the session runs, but not in a sink. `ranges` as for tide_monitor_add_target.
 * Returns the target's index. Errors: those of tide_target_open and of the sensor.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_session_add_pid(struct tide_session *session, pid_t pid,
                                                   const struct tide_range *ranges, size_t nr_ranges,
                                                   struct tide_error *err);

/* A target in order of coming, NULL beyond the last. Owned by the session. */
TIDE_EXPORT struct tide_target *tide_session_target(const struct tide_session *session, size_t index);

/* Before the end of the session; sinks are called in the order in which they were added. Errors: LIMIT. */
TIDE_EXPORT TIDE_MUST_USE int tide_session_add_sink(struct tide_session *session, tide_sink_fn *fn, void *arg,
                                                    struct tide_error *err);

/* Readable when tide_session_step has something to do, the first step included. Owned by the session. */
TIDE_EXPORT int tide_session_fd(const struct tide_session *session);

/*
 * Does what is due and returns without waiting: 1 more to come, 0 the duration is over, negative on error. The duration
 * ends with the sample that ends nearest to it, so that it holds whole aggregation intervals. A sensor that fails makes
 * what it was asked unobservable and is told to the log; it ends the session when it has failed 100 steps in a row.
 * GONE: the last target exited or executed another program; samples so far were delivered.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_session_step(struct tide_session *session, struct tide_error *err);

/* Steps until the end, or until `stop_fd` (-1: none) becomes readable, which counts as a clean end. Returns as step
 * does. */
TIDE_EXPORT TIDE_MUST_USE int tide_session_run(struct tide_session *session, int stop_fd, struct tide_error *err);

/* The session's monitor, for tide_monitor_options(), tide_monitor_intervals() and, in exact mode, tide_monitor_idle().
 * Owned by the session. */
TIDE_EXPORT const struct tide_monitor *tide_session_monitor(const struct tide_session *session);

/* The cost until now, or zeros before the first step. */
TIDE_EXPORT void tide_session_cost(const struct tide_session *session, struct tide_session_cost *out);

/*
 * With CHILDREN: how many processes were seen, as children of targets, and could not be watched; `why` (may be NULL):
 * the sentence about the first of them, "" when there is none. Owned by the session.
 */
TIDE_EXPORT size_t tide_session_unwatched(const struct tide_session *session, const char **why);

/* The sensor that is asked for writes; NULL: none is. */
TIDE_EXPORT const struct tide_sensor_ops *tide_session_writes(const struct tide_session *session);

/* The sensor in use, its name and the sentence that says why it was chosen. Owned by the session. */
TIDE_EXPORT const struct tide_sensor_ops *tide_session_sensor(const struct tide_session *session, const char **why);

#ifdef __cplusplus
}
#endif
#endif
