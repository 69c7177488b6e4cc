/* SPDX-License-Identifier: MIT */
/* This file makes the calls in the borrowed thread, and fetches the descriptors they result in. */
#include "target/inject/job.h"

#include <errno.h>
#include <time.h>

#include "kernel/sys.h"

static uint64_t now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

static int fetch_from(int pidfd, int fd)
{
	int copy = -EIO;

	for (int tries = 0; tries < 2 && copy < 0; tries++)
		copy = sys_pidfd_getfd(pidfd, fd);
	return copy;
}

/* The process's pidfd stands for its main thread, which has no descriptors any more once it has exited. */
int calls_fetch(struct job *job, int fd)
{
	int copy = fetch_from(job->target->pidfd, fd);
	int thread;

	if (copy >= 0 || (copy != -EBADF && copy != -ESRCH))
		return copy;
	thread = sys_pidfd_open_thread(job->tid);
	if (thread < 0)
		return copy;
	copy = fetch_from(thread, fd);
	sys_close(thread);
	return copy;
}

/* With a filter, who takes us away takes the filter's suspension away: until the call is over it would strike. */
int calls_make_one(struct job *job, long nr, const uint64_t args[6], long *result)
{
	uint64_t since_ns = now_ns();
	int made = thread_set_call(job, nr, args);

	if (made == 0)
		made = thread_call(job, result);
	if (job->filtered && job->frame != 0)
		job->cost.window_ns += now_ns() - since_ns;
	return made;
}

/*
 * Before anything else the thread is set to close it: if we die, that is what it does next, and nothing stays. The
 * copy is fetched after that; it is open in two places then, and the second close is ours.
 */
static int fetch_and_close(struct job *job, struct inject_call *call, uint64_t since_ns)
{
	const uint64_t args[6] = { (uint64_t)call->result };
	int made = thread_set_call(job, arch_close_number(), args);
	uint64_t set_ns = now_ns();
	uint64_t leak_ns = set_ns - since_ns;
	long closed;

	job->cost.leak_ns = leak_ns > job->cost.leak_ns ? leak_ns : job->cost.leak_ns;
	if (made < 0)
		return made;
	call->fd = calls_fetch(job, (int)call->result);
	made = thread_call(job, &closed);
	if (job->filtered && job->frame != 0)
		job->cost.window_ns += now_ns() - set_ns;
	if (call->fd < 0) {
		int code = call->fd;

		call->fd = -1;
		return job_trouble(job, TROUBLE_FETCH, code, job->tid);
	}
	return made;
}

static int make(struct job *job, struct inject_call *call)
{
	uint64_t since_ns = now_ns();
	long result = 0;
	int made = calls_make_one(job, call->nr, call->args, &result);

	if (made < 0)
		return made;
	call->result = result;
	if (result < 0 && result >= -4095)
		return job_trouble(job, TROUBLE_CALL, (int)result, job->tid);
	return call->fetch ? fetch_and_close(job, call, since_ns) : 0;
}

/* It is there for this call only; if we die in it, it stays. */
static int make_with_given(struct job *job, struct inject_call *call)
{
	uint64_t since_ns = now_ns(), leak_ns;
	uint64_t args[6] = { 0 };
	long number, closed;
	int made = pass_descriptor(job, call->given, &number);
	int ended;

	if (made < 0)
		return made;
	call->args[0] = args[0] = (uint64_t)number;
	made = make(job, call);
	ended = calls_make_one(job, arch_close_number(), args, &closed);
	leak_ns = now_ns() - since_ns;
	job->cost.leak_ns = leak_ns > job->cost.leak_ns ? leak_ns : job->cost.leak_ns;
	return made < 0 ? made : ended;
}

int calls_make(struct job *job)
{
	for (size_t i = 0; i < job->nr_calls; i++) {
		struct inject_call *call = &job->calls[i];
		int made;

		if (job->outcome.trouble == TROUBLE_NONE)
			job->outcome.index = (uint32_t)i;
		made = call->gives ? make_with_given(job, call) : make(job, call);
		if (made < 0)
			return made;
	}
	return 0;
}
