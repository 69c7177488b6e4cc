/* SPDX-License-Identifier: MIT */
/* What a session is made of, shared by the file that builds it and the file that runs it. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>

#include <tidemark/session.h>

#include "base/vec.h"
#include "session/children.h"

/* Tags of the session's epoll set: the timer, EXIT_TAG + index of the target whose pidfd it is, or a run's stop_fd. */
#define TIMER_TAG UINT64_C(0)
#define EXIT_TAG  UINT64_C(1)
#define STOP_TAG  UINT64_MAX

struct sink {
	tide_sink_fn *fn;
	void *arg;
};

/*
 * Invariants: targets.items[i] is the monitor's target i; the monitor owns the sensor states, each of which points at
 * its target, so the monitor is closed first. has_gone.items[i] says whether target i has ended, nr_gone how many have;
 * a pidfd that became readable has left the epoll set, for it would stay readable and keep the loop spinning.
 */
struct tide_session {
	uint64_t duration_ns; /* 0: no end of its own */
	const struct tide_sensor_ops *ops;
	const struct tide_sensor_ops *writes; /* asked beside it; NULL: none */
	char why[sizeof(((struct tide_error *)0)->text)];
	struct tide_monitor *monitor;
	int epfd;
	int timer;
	VEC(struct tide_target *) targets;
	VEC(bool) has_gone;
	size_t nr_gone;
	struct children children;
	unsigned nr_failures; /* steps in a row in which the monitor reported an error */
	VEC(struct sink) sinks;
	bool started;
	uint64_t opened_ns;
	uint64_t started_ns;
	uint64_t started_cpu_ns;
	uint64_t first_sample_ns;
};

/*
 * session.c. Makes `target` the monitor's, epoll's and the session's. Returns its index; on failure the caller still
 * owns it.
 */
int session_enlist(struct tide_session *session, struct tide_target *target, const struct tide_range *ranges,
                   size_t nr_ranges, struct tide_error *err);

/* session.c. Sets the bound of tuned intervals that a duration makes (struct tide_session_opts). */
void session_bound_tuning(struct tide_session_opts *opts);

/* loop.c. Target `index` has ended, or been replaced by another. Not for one that has gone already. */
void session_note_gone(struct tide_session *session, size_t index);

#endif
