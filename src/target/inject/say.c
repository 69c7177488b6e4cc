/* SPDX-License-Identifier: MIT */
/* This file judges what the helper found in the way, and makes a sentence of it. */
#include "target/inject/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum {
	TRACED_NS = 50000000, /* until the second attempt; until each later one twice as long */
};

static const char *const steps[] = {
	[STEP_NONE] = "work",
	[STEP_LIST] = "list the threads",
	[STEP_SEIZE] = "stop a thread",
	[STEP_WAIT] = "wait for the threads",
	[STEP_REGISTERS] = "read or set the registers",
	[STEP_MEMORY] = "read or write the memory",
	[STEP_RESUME] = "let the thread make a call",
	[STEP_RESTORE] = "put everything back",
};

static int say_call(const char *who, const struct job *job, const struct outcome *outcome, struct tide_error *err)
{
	long nr = job->calls[outcome->index].nr;

	if (outcome->code == -EMFILE)
		return error_set(err, TIDE_CAUSE_LIMIT, outcome->code,
		                 "%s has no descriptor left (RLIMIT_NOFILE): raise it with prlimit", who);
	return error_system(err, outcome->code, "system call %ld inside %s failed", nr, who);
}

static int say_refusal(const char *who, const struct outcome *outcome, struct tide_error *err)
{
	switch (outcome->trouble) {
	case TROUBLE_DENIED:
		return error_set(err, TIDE_CAUSE_DENIED, outcome->code,
		                 "not allowed to trace %s: it needs CAP_SYS_PTRACE, or the same user and "
		                 "kernel.yama.ptrace_scope 0",
		                 who);
	case TROUBLE_TRACED:
		return error_set(err, TIDE_CAUSE_BUSY, outcome->code, "%s is traced by process %d (%s): end that first",
		                 who, outcome->other, outcome->name);
	case TROUBLE_UNSTOPPABLE:
		return error_set(err, TIDE_CAUSE_BUSY, outcome->code,
		                 "thread %d of %s cannot be stopped now (in vfork, or waiting for a device): try again",
		                 outcome->tid, who);
	case TROUBLE_TASKS:
		return error_set(err, TIDE_CAUSE_LIMIT, outcome->code,
		                 "%s starts threads faster than they can be stopped: try again", who);
	case TROUBLE_SECCOMP:
		return error_set(err, TIDE_CAUSE_DENIED, outcome->code,
		                 "%s has a seccomp filter, which only CAP_SYS_ADMIN, itself unfiltered, may suspend",
		                 who);
	case TROUBLE_NO_SUSPEND:
		return error_set(
		        err, TIDE_CAUSE_UNSUPPORTED, outcome->code,
		        "%s has a seccomp filter, which this kernel cannot suspend (CONFIG_CHECKPOINT_RESTORE)", who);
	default:
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, outcome->code,
		                 "no thread of %s can make system calls for us (32-bit code, or syscall user dispatch)",
		                 who);
	}
}

bool outcome_passes(const struct outcome *outcome, int nr, uint64_t *pause_ns)
{
	if (nr + 1 >= JOB_NR_ATTEMPTS)
		return false;
	switch (outcome->trouble) {
	case TROUBLE_TRACED: /* by a debugger; or by another watch, which takes milliseconds, also when it was killed */
		*pause_ns = (uint64_t)TRACED_NS << nr;
		return true;
	case TROUBLE_DENIED: /* a tracer that was there a moment ago looks like that, too */
	case TROUBLE_UNSTOPPABLE:
	case TROUBLE_NO_CODE:
	case TROUBLE_TASKS:
		return true;
	default:
		return false;
	}
}

int outcome_say(const struct job *job, const struct outcome *outcome, struct tide_error *err)
{
	char who[64];

	snprintf(who, sizeof(who), "process %d (%s)", job->target->pid, job->target->name);
	switch (outcome->trouble) {
	case TROUBLE_NONE:
		return 0;
	case TROUBLE_GONE:
		return error_set(err, TIDE_CAUSE_GONE, outcome->code, "%s has exited", who);
	case TROUBLE_REPLACED:
		return error_set(err, TIDE_CAUSE_GONE, outcome->code, "%s has executed another program", who);
	case TROUBLE_NO_CODE:
		return error_set(err, TIDE_CAUSE_BUSY, outcome->code, "%s is changing its code: try again", who);
	case TROUBLE_CALL:
		return say_call(who, job, outcome, err);
	case TROUBLE_FETCH:
		return error_system(err, outcome->code, "cannot fetch a descriptor from %s (pidfd_getfd)", who);
	case TROUBLE_PASS:
		return outcome->code == -EMFILE
		               ? say_call(who, job, outcome, err)
		               : error_system(err, outcome->code, "cannot pass a descriptor to %s", who);
	case TROUBLE_NO_SCRATCH:
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, outcome->code,
		                 "no descriptor can be passed to %s: there is no room on its main stack", who);
	case TROUBLE_ASTRAY:
		return error_set(err, TIDE_CAUSE_SYSTEM, outcome->code,
		                 "thread %d of %s did not make the call it was set to", outcome->tid, who);
	case TROUBLE_CHANGED:
		return error_set(err, TIDE_CAUSE_SYSTEM, outcome->code,
		                 "the registers of thread %d of %s are not what they were before", outcome->tid, who);
	case TROUBLE_SYSTEM:
		return error_system(err, outcome->code, "cannot %s of %s", steps[outcome->step], who);
	default:
		return say_refusal(who, outcome, err);
	}
}
