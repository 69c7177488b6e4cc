/* SPDX-License-Identifier: MIT */
/*
 * This file holds a target still while its caller looks at it.
 *
 * A helper does it, as only its threads may be waited for. Two messages come from it: that all stand still, and, when
 * it has let them go, whether that was because it was told to. What it waits for is the caller's word, the caller's
 * death (the end of the socket), and a time limit: for a caller that was stopped itself. It may be killed at any
 * instant: the kernel lets go what it traces, and the second message does not come.
 */
#include "target/inject/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/sys.h"
#include "target/inject/job.h"

enum {
	HOLD_MS = 2000,
	SLICE_MS = 20, /* between looks whether the helper still lives */
	NR_TRIES = 4,
};

struct message {
	struct outcome outcome;
	uint64_t stopped_ns;
	bool told; /* it let go because it was told to */
};

struct hold {
	struct job job;
	pid_t helper;
	int socket;
	int epoll;
};

static void say(int socket, const void *what, size_t size)
{
	for (int tries = 0; tries < NR_TRIES && sys_send(socket, what, size) < 0; tries++)
		;
}

/* The size of one message, 0: the other end has gone, or negative. */
static ssize_t hear(int socket, void *what, size_t size)
{
	ssize_t got = -EIO;

	for (int tries = 0; tries < NR_TRIES && got < 0; tries++)
		got = sys_receive(socket, what, size);
	return got;
}

/* In the helper. Was it told to let go, in time? */
static bool wait_for_word(int epoll, int socket)
{
	uint64_t deadline_ns = sys_clock_ns(CLOCK_MONOTONIC) + HOLD_MS * 1000000ULL;
	struct epoll_event event;
	char word;

	for (;;) {
		uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
		int nr;

		if (now_ns >= deadline_ns)
			return false;
		nr = sys_epoll_wait(epoll, &event, 1, (int)((deadline_ns - now_ns) / 1000000) + 1);
		if (nr > 0)
			return hear(socket, &word, 1) == 1;
		if (nr < 0 && nr != -EINTR)
			return false;
	}
}

_Noreturn static void stand_guard(struct job *job, const int sockets[2])
{
	struct message message = { 0 };
	int epoll = sys_epoll_create();
	int socket = sockets[1];
	bool stand;

	sys_close(sockets[0]);
	if (epoll < 0 || sys_epoll_add(epoll, socket, 0) < 0)
		job_trouble(job, TROUBLE_SYSTEM, epoll < 0 ? epoll : -EIO, 0);
	stand = job->outcome.trouble == TROUBLE_NONE && freeze_all(job) == 0;
	if (stand) {
		say(socket, &message, sizeof(message));
		message.told = wait_for_word(epoll, socket);
	}
	freeze_end(job);
	message.outcome = job->outcome;
	message.stopped_ns = job->cost.stopped_ns;
	say(socket, &message, sizeof(message));
	sys_exit(0);
}

/* The next message of the helper, or -EPIPE when it has died without. */
static int take_message(struct hold *hold, struct message *message)
{
	struct epoll_event event;
	bool gone = false;

	for (;;) {
		int nr = sys_epoll_wait(hold->epoll, &event, 1, gone ? 0 : SLICE_MS);

		if (nr > 0)
			return hear(hold->socket, message, sizeof(*message)) == sizeof(*message) ? 0 : -EPIPE;
		if (gone || (nr < 0 && nr != -EINTR))
			return -EPIPE;
		/* Another process that was forked meanwhile may keep the socket from ending. */
		if (sys_wait4(hold->helper, NULL, __WALL | WNOHANG) == hold->helper) {
			hold->helper = 0;
			gone = true;
		}
	}
}

/* The helper has nothing more to do, or will see that nobody listens. */
static void end(struct hold *hold)
{
	pid_t ended = -EIO;

	sys_close(hold->socket);
	sys_close(hold->epoll);
	for (int tries = 0; hold->helper > 0 && tries < NR_TRIES && ended < 0 && ended != -ECHILD; tries++)
		ended = sys_wait4(hold->helper, NULL, __WALL);
	plan_end(&hold->job);
	free(hold);
}

static int start(struct hold *hold, struct tide_error *err)
{
	struct tide_target *target = hold->job.target;
	int sockets[2];
	int result = sys_epoll_create();

	hold->epoll = result;
	if (result >= 0)
		result = sys_socketpair(sockets);
	if (result >= 0) {
		hold->socket = sockets[0];
		result = sys_epoll_add(hold->epoll, hold->socket, 0);
		if (result == 0)
			result = job_start_helper(&hold->job, stand_guard, sockets);
		sys_close(sockets[1]);
	}
	if (result > 0)
		hold->helper = result;
	return result < 0 ? error_system(err, result, "cannot start the helper that stops process %d (%s)", target->pid,
	                                 target->name)
	                  : 0;
}

/* Attempt number `nr`. 0 they stand still; or negative, `*again` when another one may succeed, after `*pause_ns`. */
static int attempt(struct hold *hold, int nr, bool *again, uint64_t *pause_ns, struct tide_error *err)
{
	struct tide_target *target = hold->job.target;
	struct message message = { 0 };
	int result;

	*again = false;
	result = plan_stop(&hold->job, err);
	if (result == 0)
		result = start(hold, err);
	if (result < 0)
		return result;
	result = take_message(hold, &message);
	if (result < 0)
		return error_system(err, result, "the helper that stops process %d (%s) failed", target->pid,
		                    target->name);
	*again = outcome_passes(&message.outcome, nr, pause_ns);
	return outcome_say(&hold->job, &message.outcome, err);
}

int hold_begin(struct hold **out, struct tide_target *target, struct tide_error *err)
{
	bool again = true;
	int result = 0;

	if (target->pid == getpid())
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "a process cannot be stopped by itself");
	if (target->is_32bit) /* its interrupted calls cannot be told */
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "process %d (%s) is a 32-bit program: it cannot be stopped without a trace",
		                 target->pid, target->name);
	for (int i = 0; again; i++) {
		struct hold *hold = calloc(1, sizeof(*hold));
		uint64_t pause_ns = 0;

		if (hold == NULL)
			return error_system(err, -ENOMEM, "cannot stop process %d (%s)", target->pid, target->name);
		hold->job.target = target;
		hold->job.mem = hold->socket = hold->epoll = -1;
		result = attempt(hold, i, &again, &pause_ns, err);
		if (result == 0) {
			*out = hold;
			return 0;
		}
		end(hold);
		if (pause_ns > 0)
			sys_sleep(pause_ns);
	}
	return result;
}

int hold_end(struct hold *hold, uint64_t *stopped_ns)
{
	struct message message = { 0 };
	int result;

	say(hold->socket, "", 1);
	result = take_message(hold, &message);
	*stopped_ns = message.stopped_ns;
	end(hold);
	return result < 0 ? result : message.told ? 0 : -ETIMEDOUT;
}
