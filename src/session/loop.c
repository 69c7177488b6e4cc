/* SPDX-License-Identifier: MIT */
/* This file runs sessions: a step does what is due and never waits, run waits between steps. */
#include "session/session.h"

#include <errno.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "target/target.h"

/* Of one processor a session takes a quarter at most: sampling intervals grow instead. */
#define MAX_SHARE 4u
/* Steps in a row in which the sensor failed: half a second at the default sampling interval. */
#define MAX_FAILURES 100
#define MAX_EVENTS   16 /* taken at once; the rest is still there the next time */

/* The children that are there already come first: to open them may take long, and is no part of the duration. */
static void start(struct tide_session *session)
{
	session->started_cpu_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	children_look(session, 0);
	session->started = true;
	session->started_ns = sys_clock_ns(CLOCK_MONOTONIC);
}

/* Among many that come and go, those that went keep no descriptors; else the monitor lets go when the sensor says so.
 */
void session_note_gone(struct tide_session *session, size_t index)
{
	struct tide_target *target = session->targets.items[index];

	sys_epoll_del(session->epfd, tide_target_pidfd(target));
	session->has_gone.items[index] = true;
	session->nr_gone++;
	if (!session->children.is_on)
		return;
	tide_monitor_end_target(session->monitor, index);
	target_retire(target);
}

/* Notes a target whose pidfd is readable: 0 while others live, GONE with the last one's sentence when none does. */
static int note_exit(struct tide_session *session, size_t index, struct tide_error *err)
{
	struct tide_target *target = session->targets.items[index];
	int result;

	if (session->has_gone.items[index])
		return 0;
	if (session->nr_gone + 1 < session->targets.nr) {
		session_note_gone(session, index);
		return 0;
	}
	result = tide_target_valid(target, err);
	session_note_gone(session, index);
	if (result == 0 && (err == NULL || err->cause == TIDE_CAUSE_GONE))
		return err != NULL && err->code < 0 ? err->code : -ESRCH;
	return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d exited", (int)tide_target_pid(target));
}

/* Takes note of the targets that exited. The timer is not read: to arm it again makes it unreadable as well. */
static int take_events(struct tide_session *session, const struct epoll_event *events, int nr, struct tide_error *err)
{
	for (int i = 0; i < nr; i++) {
		int result = 0;

		if (events[i].data.u64 >= EXIT_TAG)
			result = note_exit(session, events[i].data.u64 - EXIT_TAG, err);
		if (result < 0)
			return result;
	}
	return 0;
}

static int deliver(struct tide_session *session, const struct tide_sample *sample, struct tide_error *err)
{
	if (session->first_sample_ns == 0)
		session->first_sample_ns = sys_clock_ns(CLOCK_MONOTONIC) - session->opened_ns;
	for (size_t i = 0; i < session->sinks.nr; i++) {
		struct sink *sink = &session->sinks.items[i];
		int result = sink->fn(sink->arg, sample, session->targets.items, err);

		if (result < 0)
			return result;
	}
	return 0;
}

/* Half an aggregation interval: how far from the duration's end a last sample may end. */
static uint64_t slack_ns(const struct tide_session *session)
{
	struct tide_intervals intervals;

	tide_monitor_intervals(session->monitor, &intervals);
	/* One that is longer than any duration would not fit in the sum. */
	return intervals.aggregation_us < UINT64_MAX / 4000 ? intervals.aggregation_us * 500 : UINT64_MAX / 8;
}

/* Is the duration over now, `sample` (may be NULL) having just been delivered? */
static bool is_over(const struct tide_session *session, const struct tide_sample *sample, uint64_t now_ns)
{
	uint64_t end_ns = session->started_ns + session->duration_ns;
	uint64_t slack = slack_ns(session);

	if (session->duration_ns == 0)
		return false;
	return now_ns >= end_ns + slack || (sample != NULL && sample->end_ns + slack >= end_ns);
}

static int rearm(struct tide_session *session, uint64_t next_ns, struct tide_error *err)
{
	uint64_t limit_ns = session->started_ns + session->duration_ns + slack_ns(session);
	int result;

	if (session->duration_ns != 0 && next_ns > limit_ns)
		next_ns = limit_ns;
	result = sys_timerfd_arm(session->timer, next_ns);
	return result < 0 ? error_system(err, result, "cannot arm a timer") : 0;
}

/* A target that is dear to look at (tens of thousands of mappings) is looked at less often, not at any price. */
static void rest(uint64_t now_ns, uint64_t spent_ns, uint64_t *next_ns)
{
	if (*next_ns < now_ns + spent_ns * MAX_SHARE)
		*next_ns = now_ns + spent_ns * MAX_SHARE;
}

/*
 * The monitor's step at `now_ns`, and its sample to the sinks, also when something failed beside it. One sensor call
 * that fails makes its checks unobservable and costs nobody a long recording; a sensor that does not come back ends it.
 */
static int advance(struct tide_session *session, uint64_t now_ns, uint64_t *next_ns, const struct tide_sample **sample,
                   struct tide_error *err)
{
	struct tide_error failure = { 0 };
	uint64_t began_cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int step = tide_monitor_step(session->monitor, now_ns, next_ns, sample, &failure);
	int result = *sample != NULL ? deliver(session, *sample, err) : 0;

	rest(now_ns, sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu_ns, next_ns);
	if (result < 0)
		return result;
	session->nr_failures = step < 0 ? session->nr_failures + 1 : 0;
	if (step >= 0)
		return 0;
	/* The last one may only have executed something else. */
	if (failure.cause == TIDE_CAUSE_GONE)
		children_look(session, UINT64_MAX);
	if (session->children.is_on && failure.cause == TIDE_CAUSE_GONE && session->nr_gone < session->targets.nr)
		return 0;
	/* What the caller has to correct stays wrong however often it is tried. */
	if (failure.cause != TIDE_CAUSE_GONE && failure.cause != TIDE_CAUSE_USAGE &&
	    session->nr_failures < MAX_FAILURES) {
		log_text(TIDE_LOG_WARN, "%s", failure.text);
		return 0;
	}
	if (err != NULL)
		*err = failure;
	return step;
}

static int step(struct tide_session *session, const struct epoll_event *events, int nr, struct tide_error *err)
{
	const struct tide_sample *sample = NULL;
	uint64_t now_ns;
	uint64_t next_ns;
	int result;

	if (session->targets.nr == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "the session has no target: name a process to watch");
	if (!session->started)
		start(session);
	now_ns = next_ns = sys_clock_ns(CLOCK_MONOTONIC);
	result = take_events(session, events, nr, err);
	if (result == 0)
		result = advance(session, now_ns, &next_ns, &sample, err);
	if (result < 0)
		return result;
	/* It may take long: not between the time that the monitor is told and the checks that it prepares then. */
	children_look(session, now_ns);
	if (is_over(session, sample, now_ns))
		return 0;
	result = rearm(session, next_ns, err);
	return result < 0 ? result : 1;
}

int tide_session_step(struct tide_session *session, struct tide_error *err)
{
	struct epoll_event events[MAX_EVENTS];
	int nr = sys_epoll_wait(session->epfd, events, MAX_EVENTS, 0);

	if (nr < 0 && nr != -EINTR)
		return error_system(err, nr, "cannot look for events");
	return step(session, events, nr, err);
}

/* Waits for something to do, and does it: 1 go on, 0 the end, negative on error. */
static int wait_and_step(struct tide_session *session, struct tide_error *err)
{
	struct epoll_event events[MAX_EVENTS];
	int nr;

	do /* The caller's signal handlers are none of our business: only stop_fd ends the wait. */
		nr = sys_epoll_wait(session->epfd, events, MAX_EVENTS, -1);
	while (nr == -EINTR);
	if (nr < 0)
		return error_system(err, nr, "cannot wait for the next sample");
	for (int i = 0; i < nr; i++)
		if (events[i].data.u64 == STOP_TAG)
			return 0;
	return step(session, events, nr, err);
}

int tide_session_run(struct tide_session *session, int stop_fd, struct tide_error *err)
{
	int result = stop_fd < 0 ? 0 : sys_epoll_add(session->epfd, stop_fd, STOP_TAG);

	if (result < 0)
		return error_system(err, result, "cannot wait for the session's end");
	do
		result = wait_and_step(session, err);
	while (result == 1);
	if (stop_fd >= 0)
		sys_epoll_del(session->epfd, stop_fd);
	return result;
}

void tide_session_cost(const struct tide_session *session, struct tide_session_cost *out)
{
	*out = (struct tide_session_cost){ .first_sample_ns = session->first_sample_ns };
	if (session->started) {
		out->wall_ns = sys_clock_ns(CLOCK_MONOTONIC) - session->started_ns;
		out->cpu_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - session->started_cpu_ns;
	}
	tide_monitor_cost(session->monitor, &out->sensor);
}
