/* SPDX-License-Identifier: MIT */
/* This file runs system calls inside a target: it starts the helper that does it, and takes its report. */
#include "target/inject/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/sys.h"
#include "target/inject/helper.h"
#include "target/inject/job.h"

/*
 * How a run goes; docs/design/003-injection.md says why, and what is left.
 *
 * inject.c    looks around (plan.c), clones the helper, waits for its end, reads its one message. The rest happens in
 *             the helper. It may be killed at any instruction, and so may we: each file says what then happens.
 * freeze.c    seizes and stops every thread of the target, and all tasks that share its memory or its descriptors. A
 *             tracer's death lets them go on as they are: so what a stop would show to the program is mended at once.
 * choose.c    says which thread makes the calls.
 * thread.c    borrows it. It writes a signal frame into unused stack, and then sets registers only so that a
 *             thread let go will restore itself out of that frame. In the end it puts back mask, registers, memory, in
 *             this order: the frame is needed until the registers are back, the mask is also in the frame.
 * calls.c     makes the calls. A thread that has made a descriptor is set to close it before the descriptor is fetched.
 * arch_*.c    all that depends on the processor.
 *
 * The helper is a copy of a process whose other threads may have held any lock: it does not allocate, does not print,
 * makes no sentences (say.c does, here), and asks the kernel through the table of system calls only.
 *
 * When a call fails on the way back, it is made again a few times, unless the thread is gone: giving up would do more
 * harm than the fault.
 */

enum {
	NR_TRIES = 4,
};

/* What the helper says at its end. One message; the descriptors come with it, in the order of the calls. */
struct report {
	struct outcome outcome;
	struct inject_cost cost;
	long results[INJECT_MAX_CALLS];
	bool has_fd[INJECT_MAX_CALLS];
};

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int) * INJECT_MAX_CALLS)];
};

static void send_report(const struct job *job, int socket)
{
	struct report report = { .outcome = job->outcome, .cost = job->cost };
	struct iovec vector = { .iov_base = &report, .iov_len = sizeof(report) };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	int fds[INJECT_MAX_CALLS];
	size_t nr = 0;

	for (size_t i = 0; i < job->nr_calls; i++) {
		report.results[i] = job->calls[i].result;
		report.has_fd[i] = job->calls[i].fd >= 0;
		if (report.has_fd[i])
			fds[nr++] = job->calls[i].fd;
	}
	if (nr > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * nr);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * nr);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * nr);
	}
	for (int tries = 0; tries < NR_TRIES && sys_sendmsg(socket, &message) == -EIO; tries++)
		;
}

_Noreturn static void help(struct job *job, const int sockets[2])
{
	int socket = sockets[1];

	if (freeze_all(job) == 0 && thread_prepare(job) == 0)
		(void)calls_make(job);
	thread_restore(job);
	freeze_end(job);
	send_report(job, socket);
	sys_exit(0);
}

static void take_fds(struct msghdr *message, const struct report *report, struct inject_call *calls, size_t nr)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t left;
	const unsigned char *at;

	if (header == NULL || header->cmsg_type != SCM_RIGHTS)
		return;
	left = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	at = CMSG_DATA(header);
	for (size_t i = 0; i < nr && left > 0; i++) {
		if (!report->has_fd[i])
			continue;
		memcpy(&calls[i].fd, at, sizeof(int));
		at += sizeof(int);
		left--;
	}
}

/* 0, or -EPIPE when the helper has died without a word. */
static int take_report(struct job *job, int socket)
{
	struct report report;
	struct iovec vector = { .iov_base = &report, .iov_len = sizeof(report) };
	union control control;
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	ssize_t got = -EIO;

	for (int tries = 0; tries < NR_TRIES && got == -EIO; tries++) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		got = sys_recvmsg(socket, &message);
	}
	if (got != sizeof(report))
		return got < 0 ? (int)got : -EPIPE;
	take_fds(&message, &report, job->calls, job->nr_calls);
	for (size_t i = 0; i < job->nr_calls; i++)
		job->calls[i].result = report.results[i];
	job->outcome = report.outcome;
	job->cost = report.cost;
	return 0;
}

/*
 * It has no exit signal: a program that waits for its own children does not see it. Only its end is waited for, so
 * that what it said lies in the socket, or nothing; our own word after it makes sure that there is an end to read,
 * also when a process that was forked meanwhile holds the other end open.
 */
static int await_report(struct job *job, pid_t helper, int ours, int theirs)
{
	pid_t ended = -EIO;
	ssize_t sent = -EIO;

	for (int tries = 0; tries < NR_TRIES && ended < 0 && ended != -ECHILD; tries++)
		ended = sys_wait4(helper, NULL, __WALL);
	for (int tries = 0; tries < NR_TRIES && sent < 0; tries++)
		sent = sys_send(theirs, "", 1);
	return sent < 0 ? (int)sent : take_report(job, ours);
}

/* What the helper is started with. */
struct helping {
	struct job *job;
	job_helper_fn *help_with;
	const int *sockets;
};

static void help_out(void *arg)
{
	const struct helping *helping = arg;

	helping->help_with(helping->job, helping->sockets);
}

pid_t job_start_helper(struct job *job, job_helper_fn *help_with, const int sockets[2])
{
	struct helping helping = { job, help_with, sockets };

	return clone_helper(help_out, &helping);
}

static int run_helper(struct job *job)
{
	scope_sys_fd int ours = -1;
	scope_sys_fd int theirs = -1;
	int sockets[2];
	pid_t helper;
	int result = sys_socketpair(sockets);

	if (result < 0)
		return result;
	ours = sockets[0];
	theirs = sockets[1];
	helper = job_start_helper(job, help, sockets);
	return helper < 0 ? helper : await_report(job, helper, ours, theirs);
}

static void clear(struct inject_call *calls, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		calls[i].result = -ECANCELED;
		calls[i].fd = -1;
	}
}

/* Attempt number `nr`. 0 or negative, `*again` when another one may succeed, after `*pause_ns`. */
static int attempt(struct job *job, int nr, bool *again, uint64_t *pause_ns, struct tide_error *err)
{
	int result;

	clear(job->calls, job->nr_calls);
	*again = false;
	result = plan_make(job, err);
	if (result < 0)
		return result;
	result = run_helper(job);
	if (result < 0)
		return error_system(err, result, "the helper that reaches into process %d (%s) failed",
		                    job->target->pid, job->target->name);
	*again = outcome_passes(&job->outcome, nr, pause_ns);
	return outcome_say(job, &job->outcome, err);
}

static int check_arguments(struct tide_target *target, size_t nr, struct tide_error *err)
{
	if (nr == 0 || nr > INJECT_MAX_CALLS)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "%zu calls at once: 1 to %d are possible", nr,
		                 INJECT_MAX_CALLS);
	if (target->pid == getpid())
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "a process cannot be stopped by itself: make the calls directly");
	if (target->is_32bit)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "process %d (%s) is a 32-bit program: nothing can be run inside it", target->pid,
		                 target->name);
	return 0;
}

/* Nobody takes descriptors from a call that failed. */
static void drop_fds(struct inject_call *calls, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		sys_close(calls[i].fd);
		calls[i].fd = -1;
	}
}

int inject_run(struct tide_target *target, struct inject_call *calls, size_t nr, struct inject_cost *cost,
               struct tide_error *err)
{
	int result = check_arguments(target, nr, err);
	bool again = true;

	*cost = (struct inject_cost){ 0 };
	clear(calls, nr);
	if (result < 0)
		return result;
	for (int i = 0; again; i++) {
		scope_free struct job *job = calloc(1, sizeof(*job));
		uint64_t pause_ns = 0;

		if (job == NULL)
			return error_system(err, -ENOMEM, "cannot reach into process %d (%s)", target->pid,
			                    target->name);
		job->target = target;
		job->mem = -1;
		job->calls = calls;
		job->nr_calls = nr;
		result = attempt(job, i, &again, &pause_ns, err);
		plan_end(job);
		*cost = job->cost;
		if (result < 0)
			drop_fds(calls, nr);
		if (pause_ns > 0)
			sys_sleep(pause_ns);
	}
	return result;
}
