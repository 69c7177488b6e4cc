/* SPDX-License-Identifier: MIT */
/* This file borrows one stopped thread of the target, and gives it back as it was. */
#include "target/inject/job.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>

#include "kernel/sys.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

enum {
	NR_TRIES = 4,
	PAGE_BYTES = 4096,
	NR_STOPS_MAX = 64, /* on the way to the one that is wanted */
	MASK_BYTES = sizeof(uint64_t),
};

#define CALL_TIMEOUT_NS 5000000000u

/* What was found before the stop must still be so. */
static int check_program(struct job *job)
{
	int alive = memory_alive(job->target);
	int replaced = alive > 0 ? memory_replaced(job->target) : 0;

	if (alive == 0 || replaced > 0)
		return job_trouble(job, TROUBLE_REPLACED, -ESRCH, 0);
	if (alive < 0 || replaced < 0)
		return job_system(job, STEP_MEMORY, alive < 0 ? alive : replaced, 0);
	return arch_code_valid(&job->code, job->mem) ? 0 : job_trouble(job, TROUBLE_NO_CODE, -EAGAIN, 0);
}

static int suspend_filter(struct job *job)
{
	struct procfs_trace trace;
	int result = procfs_read_trace(job->target->dir, job->tid, &trace);

	if (result < 0)
		return job_system(job, STEP_LIST, result, job->tid);
	if (trace.seccomp == 0)
		return 0;
	result = (int)sys_ptrace(PTRACE_SETOPTIONS, job->tid, NULL,
	                         ptrace_number(PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP));
	if (result == -EPERM)
		return job_trouble(job, TROUBLE_SECCOMP, result, job->tid);
	if (result == -EINVAL)
		return job_trouble(job, TROUBLE_NO_SUSPEND, -EOPNOTSUPP, job->tid);
	job->filtered = true;
	return result < 0 ? job_system(job, STEP_REGISTERS, result, job->tid) : 0;
}

static int read_thread(struct job *job)
{
	uint64_t abort_ip;
	int result = arch_regs_read(job->tid, &job->before);

	if (result == 0)
		result = arch_state_read(job->tid, &job->state);
	if (result == 0)
		result = (int)sys_ptrace(PTRACE_GETSIGMASK, job->tid, ptrace_number(MASK_BYTES), &job->mask);
	if (result < 0)
		return job_system(job, STEP_REGISTERS, result, job->tid);
	/* The kernel would do so when the thread goes on, but would not find it in the section any more. */
	abort_ip = arch_in_call(&job->before) ? 0 : choose_abort_address(job, job->tid, arch_ip(&job->before));
	if (abort_ip != 0)
		arch_set_ip(&job->before, abort_ip);
	return 0;
}

/* The lowest that a thread uses of the stack mapping; its end when none stands in it. */
static uint64_t lowest_stack_pointer(const struct job *job)
{
	uint64_t lowest = job->stack.end;

	for (size_t i = 0; i < job->freeze.nr; i++) {
		const struct task *task = &job->freeze.tasks[i];

		if (task->state == TASK_STOPPED && task->sp >= job->stack.start && task->sp < lowest)
			lowest = task->sp;
	}
	return lowest;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/*
 * The frame lies in the main thread's stack, below all that is in use. When nobody stands there, because all run on
 * stacks of their own making (Go, coroutines), how much is in use is not known: then at its far end, if nothing was
 * ever written there but the frame of a helper that died.
 */
static void place_frame(struct job *job)
{
	const struct tide_range *stack = &job->stack;
	uint64_t lowest = lowest_stack_pointer(job);
	bool is_known = lowest < stack->end;
	uint64_t top = lowest - arch_red_zone_bytes() - JOB_SCRATCH_BYTES;
	uint64_t at = arch_frame_place(&job->state, top);
	size_t size = top - at, all;

	if (!is_known) {
		at = stack->start + sizeof(uint64_t);
		size += ARCH_FRAME_ALIGN;
	}
	all = size + JOB_SCRATCH_BYTES;
	if (lowest - stack->start <= all + PAGE_BYTES || all > sizeof(job->saved) ||
	    sys_pread(job->mem, job->saved, all, (off_t)at) != (ssize_t)all ||
	    (!is_known && !is_zero(job->saved, all) && !arch_frame_is_ours(job->saved, &job->code)))
		return;
	job->saved_at = at;
	job->saved_bytes = all;
	job->scratch = at + size;
	if (job->code.resume != 0 && !arch_returns_are_guarded(job->tid))
		job->frame = at;
}

static int write_frame(struct job *job)
{
	struct arch_regs healed = job->before;
	size_t size;
	ssize_t put;

	place_frame(job);
	job->cost.self_restoring = job->frame != 0;
	if (job->frame == 0)
		return 0;
	arch_restart(&healed);
	size = arch_frame_build(job->image, job->frame, &job->code, &healed, &job->state, job->mask);
	put = sys_pwrite(job->mem, job->image, size, (off_t)job->frame);
	if (put != (ssize_t)size)
		return job_system(job, STEP_MEMORY, put < 0 ? (int)put : -EFAULT, job->tid);
	return 0;
}

static int insist_regs(pid_t tid, const struct arch_regs *regs)
{
	int result = -EIO;

	for (int tries = 0; tries < NR_TRIES && result < 0 && result != -ESRCH; tries++)
		result = arch_regs_write(tid, regs);
	return result;
}

static int insist_read(pid_t tid, struct arch_regs *regs)
{
	int result = -EIO;

	for (int tries = 0; tries < NR_TRIES && result < 0 && result != -ESRCH; tries++)
		result = arch_regs_read(tid, regs);
	return result;
}

/* From here on, if we die, the thread puts itself back. */
static int park(struct job *job)
{
	struct arch_regs parked = job->before;

	arch_set_parked(&parked, &job->code, job->frame);
	return insist_regs(job->tid, &parked);
}

int thread_prepare(struct job *job)
{
	uint64_t all = ~(uint64_t)0;
	int result = choose_thread(job);

	if (result == 0)
		result = check_program(job);
	if (result == 0)
		result = suspend_filter(job);
	if (result == 0)
		result = read_thread(job);
	if (result < 0)
		return result;
	job->touched = true;
	job->at_event = true;
	result = write_frame(job);
	if (result < 0)
		return result;
	if (job->frame == 0)
		job->window_since_ns = sys_clock_ns(CLOCK_MONOTONIC);
	result = park(job);
	if (result == 0)
		result = (int)freeze_insist(PTRACE_SETSIGMASK, job->tid, ptrace_number(MASK_BYTES), &all);
	return result < 0 ? job_system(job, STEP_REGISTERS, result, job->tid) : 0;
}

/* Lets it go on until it stops at an end of a system call, for one of the other reasons too when `any`. */
static int run(struct job *job, int request, bool any)
{
	int signal = 0;

	for (int i = 0; i < NR_STOPS_MAX; i++) {
		long result = freeze_insist(request, job->tid, NULL, ptrace_number((uintptr_t)signal));
		int stop;

		if (result < 0)
			return (int)result;
		job->at_event = false;
		job->running = true;
		stop = freeze_wait(job, job->tid, CALL_TIMEOUT_NS, &signal);
		if (stop < 0)
			return stop;
		job->running = false;
		job->at_event = stop == STOP_EVENT;
		if (stop == STOP_DEAD)
			return -ESRCH;
		if (stop == STOP_SYSCALL || (any && stop == STOP_EVENT))
			return stop;
		/* All signals are blocked: this is SIGSTOP, which cannot be, or the thread has run wild. */
		if (stop == STOP_SIGNAL && signal != SIGSTOP)
			return -EFAULT;
		if (stop == STOP_EVENT)
			signal = 0;
	}
	return -EBUSY;
}

int thread_call(struct job *job, long *result)
{
	struct arch_regs regs;
	int stop = run(job, PTRACE_SYSCALL, false);

	if (stop >= 0)
		stop = run(job, PTRACE_SYSCALL, false);
	/* Without its result, what it left could not be taken away. */
	if (stop >= 0)
		stop = insist_read(job->tid, &regs);
	if (stop == -EFAULT)
		return job_trouble(job, TROUBLE_ASTRAY, stop, job->tid);
	if (stop < 0)
		return job_system(job, STEP_RESUME, stop, job->tid);
	*result = arch_result(&regs);
	return 0;
}

int thread_set_call(struct job *job, long nr, const uint64_t args[6])
{
	struct arch_regs regs = job->before;
	int result;

	arch_set_call(&regs, &job->code, job->frame, nr, args);
	result = insist_regs(job->tid, &regs);
	return result < 0 ? job_system(job, STEP_REGISTERS, result, job->tid) : 0;
}

/* To a stop at which the kernel, when the thread goes on, restarts the call it was interrupted in. */
static int reach_event(struct job *job)
{
	for (int tries = 0; tries < NR_TRIES && !job->at_event; tries++) {
		int signal;
		int stop;

		if (!job->running && (stop = park(job)) < 0)
			return stop;
		freeze_insist(PTRACE_INTERRUPT, job->tid, NULL, NULL);
		if (!job->running) {
			stop = run(job, PTRACE_CONT, true);
		} else {
			stop = freeze_wait(job, job->tid, CALL_TIMEOUT_NS, &signal);
			job->running = stop < 0;
			job->at_event = stop == STOP_EVENT;
		}
		if (stop == STOP_DEAD || stop == -ESRCH)
			return -ESRCH;
	}
	return job->at_event ? 0 : -ETIMEDOUT;
}

static int restore_registers(struct job *job)
{
	struct arch_regs now = { 0 };
	int result = 0;
	bool is_same = false;

	for (int tries = 0; result == 0 && !is_same && tries < NR_TRIES; tries++) {
		result = insist_regs(job->tid, &job->before);
		if (result == 0)
			result = insist_read(job->tid, &now);
		is_same = memcmp(&now, &job->before, sizeof(now)) == 0;
	}
	return result == 0 && !is_same ? job_trouble(job, TROUBLE_CHANGED, -EIO, job->tid) : result;
}

/* Calls do not touch it; the kernel may have stored it in another, equal way. */
static int restore_state(struct job *job)
{
	int result = arch_state_read(job->tid, &job->after);

	if (result < 0 || (job->after.size_bytes == job->state.size_bytes &&
	                   memcmp(job->after.image, job->state.image, job->state.size_bytes) == 0))
		return result;
	return arch_state_write(job->tid, &job->state);
}

static int restore_memory(struct job *job)
{
	ssize_t put = -EIO;

	if (job->saved_bytes == 0)
		return 0;
	for (int tries = 0; tries < NR_TRIES && put != (ssize_t)job->saved_bytes && put != -ESRCH; tries++)
		put = sys_pwrite(job->mem, job->saved, job->saved_bytes, (off_t)job->saved_at);
	if (put == (ssize_t)job->saved_bytes)
		return 0;
	return put < 0 ? (int)put : -EFAULT;
}

void thread_restore(struct job *job)
{
	int state = -EIO;
	int result;

	if (!job->touched)
		return;
	result = reach_event(job);
	if (result == 0)
		result = (int)freeze_insist(PTRACE_SETSIGMASK, job->tid, ptrace_number(MASK_BYTES), &job->mask);
	if (result == 0)
		result = restore_registers(job);
	for (int tries = 0; result == 0 && tries < NR_TRIES && state < 0; tries++)
		state = restore_state(job);
	if (job->window_since_ns != 0)
		job->cost.window_ns = sys_clock_ns(CLOCK_MONOTONIC) - job->window_since_ns;
	/* Only now: until its registers were back, it might have needed the frame. */
	if (result == 0)
		result = restore_memory(job);
	if (result < 0 || state < 0)
		job_system(job, STEP_RESTORE, result < 0 ? result : state, job->tid);
}
