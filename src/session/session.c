/* SPDX-License-Identifier: MIT */
/* This file builds sessions and takes them apart: targets, their sensor states, sinks, descriptors. */
#include "session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "sensor/ladder.h"
#include "sensor/state.h"

/* Documented in sensor.h. */
#define WHOLE_AGGREGATION_US 1000000u

/* Tuned intervals are at most one part in so many of the duration. */
#define PARTS_OF_DURATION 10u

/* Longer than any machine runs, and small enough for sums of two to stay in 64 bits. */
static uint64_t ns_of_us(uint64_t us)
{
	return us < UINT64_MAX / 4000 ? us * 1000 : UINT64_MAX / 4;
}

static int check_duration(uint64_t duration_us, uint64_t aggregation_us, struct tide_error *err)
{
	if (duration_us == 0 || duration_us >= aggregation_us)
		return 0;
	return error_set(
	        err, TIDE_CAUSE_USAGE, -EINVAL,
	        "a duration of %g ms is shorter than one aggregation interval of %g ms and would give no result: "
	        "make it longer, or the interval shorter",
	        (double)duration_us / 1e3, (double)aggregation_us / 1e3);
}

/*
 * A sample that is under way when the duration is over is lost, and one that takes long would be most of it. The bound
 * is the caller's where the shortest interval is longer than that.
 */
void session_bound_tuning(struct tide_session_opts *opts)
{
	struct tide_monitor_opts *monitor = &opts->monitor;
	const uint64_t sampling_us = monitor->sampling_us != 0 ? monitor->sampling_us : 5000;
	uint64_t nr_checks = monitor->aggregation_us / sampling_us;
	uint64_t longest_us;

	if (!(monitor->flags & TIDE_MONITOR_AUTO_TUNE) || opts->duration_us == 0)
		return;
	longest_us = opts->duration_us / PARTS_OF_DURATION / (nr_checks != 0 ? nr_checks : 20);
	if (longest_us < monitor->min_sampling_us)
		longest_us = monitor->min_sampling_us;
	if (longest_us < sampling_us)
		longest_us = sampling_us;
	if (monitor->max_sampling_us == 0 || monitor->max_sampling_us > longest_us)
		monitor->max_sampling_us = longest_us;
}

static int open_descriptors(struct tide_session *session, struct tide_error *err)
{
	int result;

	session->epfd = sys_epoll_create();
	if (session->epfd < 0)
		return error_system(err, session->epfd, "cannot create an epoll descriptor");
	session->timer = sys_timerfd_create();
	if (session->timer < 0)
		return error_system(err, session->timer, "cannot create a timer");
	result = sys_epoll_add(session->epfd, session->timer, TIMER_TAG);
	if (result < 0)
		return error_system(err, result, "cannot wait for a timer");
	/* The first step is due at once: it starts the clock. */
	result = sys_timerfd_arm(session->timer, 0);
	if (result < 0)
		return error_system(err, result, "cannot arm a timer");
	return 0;
}

/*
 * A sensor to which a check is a pass over the whole target is asked once per aggregation interval, and that a longer
 * one, where the caller does not say otherwise. Such a pass tells how much of each mapping was accessed, which samples
 * of pages would throw away: exact mode, if the sensor can.
 */
static void spare(const struct tide_sensor_ops *ops, struct tide_monitor_opts *opts)
{
	if (opts->sampling_us == 0 && ops->ways != 0)
		opts->flags |= TIDE_MONITOR_EXACT;
	if (opts->aggregation_us == 0)
		opts->aggregation_us =
		        opts->sampling_us > WHOLE_AGGREGATION_US ? opts->sampling_us : WHOLE_AGGREGATION_US;
	if (opts->sampling_us == 0)
		opts->sampling_us = opts->aggregation_us;
}

static int open_monitor(struct tide_session *session, const struct tide_session_opts *opts, struct tide_error *err)
{
	int result = tide_monitor_open(&session->monitor, &opts->monitor, err);

	if (result < 0)
		return result;
	return check_duration(opts->duration_us, tide_monitor_options(session->monitor)->aggregation_us, err);
}

/* The sensor for accesses; and beside it, where that is asked for, the one for writes. */
static int choose(struct tide_session *session, const struct tide_session_opts *opts, struct tide_error *why)
{
	bool beside = opts->flags & TIDE_SESSION_WRITES;
	int result;

	if (opts->monitor.flags & TIDE_MONITOR_EXACT)
		result = tide_sensor_choose_exact(&session->ops, opts->sensor, opts->monitor.way, why);
	else if (beside)
		result = sensor_choose_beside_writes(&session->ops, opts->sensor, why);
	else
		result = tide_sensor_choose(&session->ops, opts->sensor, why);
	if (result < 0 || !beside || session->ops->flags & TIDE_SENSOR_TELLS_WRITES)
		return result;
	if (session->ops->flags & TIDE_SENSOR_WHOLE)
		return error_set(
		        why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		        "writes cannot be sampled beside the sensor %s, which sees whole mappings only: run as "
		        "root, or ask for writes alone with the sensor writes",
		        session->ops->name);
	return sensor_choose_writes(&session->writes, why);
}

static int check_flags(const struct tide_session_opts *opts, struct tide_error *err)
{
	if (opts->flags & ~(uint32_t)(TIDE_SESSION_CHILDREN | TIDE_SESSION_WRITES))
		return error_set(
		        err, TIDE_CAUSE_USAGE, -EINVAL,
		        "the session's flags ask for something that this version of libtidemark does not know");
	if (opts->flags & TIDE_SESSION_WRITES && opts->monitor.flags & TIDE_MONITOR_EXACT)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "exact mode tells accesses only: leave it out, or the writes");
	return 0;
}

static int set_up(struct tide_session *session, struct tide_session_opts *opts, struct tide_error *err)
{
	struct tide_error why = { 0 };
	int result = check_flags(opts, err);
	int chosen;

	if (result < 0)
		return result;
	chosen = choose(session, opts, &why);
	if (chosen == 0 && session->ops->flags & TIDE_SENSOR_WHOLE)
		spare(session->ops, &opts->monitor);
	session_bound_tuning(opts);
	/* Contradicting options are the caller's to correct, whatever this kernel can do: they are told first. */
	result = open_monitor(session, opts, err);
	if (result < 0)
		return result;
	if (chosen < 0) {
		if (err != NULL)
			*err = why;
		return chosen;
	}
	snprintf(session->why, sizeof(session->why), "%s", why.text);
	if (opts->flags & TIDE_SESSION_CHILDREN)
		children_init(&session->children, ns_of_us(tide_monitor_options(session->monitor)->update_us));
	return open_descriptors(session, err);
}

int tide_session_open(struct tide_session **out, const struct tide_session_opts *opts, struct tide_error *err)
{
	struct tide_session_opts known = { .size = sizeof(known) };
	struct tide_session *session;
	int result;

	if (opts != NULL)
		memcpy(&known, opts, opts->size < sizeof(known) ? opts->size : sizeof(known));
	if (known.monitor.size == 0)
		known.monitor.size = sizeof(known.monitor);
	session = calloc(1, sizeof(*session));
	if (session == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for a session");
	session->epfd = session->timer = -1;
	session->opened_ns = sys_clock_ns(CLOCK_MONOTONIC);
	session->duration_ns = ns_of_us(known.duration_us);
	result = set_up(session, &known, err);
	if (result < 0) {
		tide_session_close(session);
		return result;
	}
	*out = session;
	return 0;
}

void tide_session_close(struct tide_session *session)
{
	if (session == NULL)
		return;
	tide_monitor_close(session->monitor);
	for (size_t i = 0; i < session->targets.nr; i++)
		tide_target_close(session->targets.items[i]);
	vec_free(&session->targets);
	vec_free(&session->has_gone);
	children_fini(&session->children);
	vec_free(&session->sinks);
	sys_close(session->timer);
	sys_close(session->epfd);
	free(session);
}

/* A sensor's state for `target`, initialised; NULL with `*result` and `err` filled when it could not be had. */
static void *new_state(const struct tide_session *session, const struct tide_sensor_ops *ops,
                       struct tide_target *target, int *result, struct tide_error *err)
{
	void *state = calloc(1, ops->state_size ? ops->state_size : 1);

	if (state == NULL) {
		*result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for a sensor");
		return NULL;
	}
	*result = ops->init(state, target, err);
	if (*result < 0) {
		free(state);
		return NULL;
	}
	if (ops->bound_stall != NULL)
		*result = ops->bound_stall(state, tide_monitor_options(session->monitor)->max_stall_us, err);
	if (*result < 0) {
		sensor_end_state(ops, state);
		return NULL;
	}
	return state;
}

/* Makes `target` the monitor's; its index. */
static int add_to_monitor(struct tide_session *session, struct tide_target *target, const struct tide_range *ranges,
                          size_t nr_ranges, struct tide_error *err)
{
	int result;
	void *state = new_state(session, session->ops, target, &result, err);
	void *writes = NULL;

	if (state == NULL)
		return result;
	if (session->writes != NULL)
		writes = new_state(session, session->writes, target, &result, err);
	if (result < 0) {
		sensor_end_state(session->ops, state);
		return result;
	}
	/* From here on the monitor's, also when it fails. */
	return tide_monitor_add_with_writes(session->monitor, session->ops, state, session->writes, writes, ranges,
	                                    nr_ranges, err);
}

int session_enlist(struct tide_session *session, struct tide_target *target, const struct tide_range *ranges,
                   size_t nr_ranges, struct tide_error *err)
{
	int pidfd = tide_target_pidfd(target);
	int result;

	if (vec_reserve(&session->targets, session->targets.nr + 1) < 0 ||
	    vec_reserve(&session->has_gone, session->targets.nr + 1) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for targets");
	result = sys_epoll_add(session->epfd, pidfd, EXIT_TAG + session->targets.nr);
	if (result < 0)
		return error_system(err, result, "cannot wait for the end of process %d", (int)tide_target_pid(target));
	result = add_to_monitor(session, target, ranges, nr_ranges, err);
	if (result < 0) {
		sys_epoll_del(session->epfd, pidfd);
		return result;
	}
	session->has_gone.items[session->has_gone.nr++] = false;
	session->targets.items[session->targets.nr++] = target;
	return (int)session->targets.nr - 1;
}

int tide_session_add_pid(struct tide_session *session, pid_t pid, const struct tide_range *ranges, size_t nr_ranges,
                         struct tide_error *err)
{
	struct tide_target *target;
	int result;

	result = tide_target_open(&target, pid, err);
	if (result < 0)
		return result;
	result = session_enlist(session, target, ranges, nr_ranges, err);
	if (result < 0)
		tide_target_close(target);
	return result;
}

int tide_session_add_sink(struct tide_session *session, tide_sink_fn *fn, void *arg, struct tide_error *err)
{
	struct sink sink = { .fn = fn, .arg = arg };

	if (vec_push(&session->sinks, sink) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for sinks");
	return 0;
}

struct tide_target *tide_session_target(const struct tide_session *session, size_t index)
{
	return index < session->targets.nr ? session->targets.items[index] : NULL;
}

const struct tide_monitor *tide_session_monitor(const struct tide_session *session)
{
	return session->monitor;
}

size_t tide_session_unwatched(const struct tide_session *session, const char **why)
{
	if (why != NULL)
		*why = session->children.why;
	return session->children.nr_unwatched;
}

int tide_session_fd(const struct tide_session *session)
{
	return session->epfd;
}

const struct tide_sensor_ops *tide_session_writes(const struct tide_session *session)
{
	return session->writes;
}

const struct tide_sensor_ops *tide_session_sensor(const struct tide_session *session, const char **why)
{
	if (why != NULL)
		*why = session->why;
	return session->ops;
}
