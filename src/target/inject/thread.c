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
	/* What Debian 12's headers do not have yet. */
	GET_SYSCALL_USER_DISPATCH = 0x4211,
	NR_TRIES = 4,
	PAGE_BYTES = 4096,
	NR_STOPS_MAX = 64, /* on the way to the one that is wanted */
	MASK_BYTES = sizeof(uint64_t),
};

#define CALL_TIMEOUT_NS 5000000000u

static void *number_arg(uintptr_t number)
{
	return (void *)number; /* NOLINT(performance-no-int-to-ptr) */
}

/* struct rseq_cs of the kernel. */
struct critical_section {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t length;
	uint64_t abort_ip;
};

/* Where the kernel would send a thread that was interrupted at `ip`: 0, nowhere; it is in no critical section. */
static uint64_t abort_address(const struct job *job, pid_t tid, uint64_t ip)
{
	struct __ptrace_rseq_configuration config;
	struct critical_section section;
	uint64_t at = 0;
	long result = sys_ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, number_arg(sizeof(config)), &config);

	/* The address of the section follows two numbers of the processor. */
	if (result < 0 || config.rseq_abi_pointer == 0 ||
	    sys_pread(job->mem, &at, sizeof(at), (off_t)(config.rseq_abi_pointer + 8)) != sizeof(at) || at == 0 ||
	    sys_pread(job->mem, &section, sizeof(section), (off_t)at) != sizeof(section))
		return 0;
	return ip - section.start_ip < section.length ? section.abort_ip : 0;
}

/* Its calls are turned into signals (prctl(2), PR_SET_SYSCALL_USER_DISPATCH). */
static bool calls_are_diverted(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, length;
	} config = { 0 };

	/* Kernels before 6.4 cannot say. */
	return sys_ptrace(GET_SYSCALL_USER_DISPATCH, tid, number_arg(sizeof(config)), &config) >= 0 && config.mode != 0;
}

/* The higher, the less there is to be put right again. */
static int rank(const struct job *job, const struct task *task)
{
	struct arch_regs regs;

	if (task->state != TASK_STOPPED || task->pid != job->target->pid || !task->is_native ||
	    calls_are_diverted(task->tid))
		return 0;
	if (task->in_call)
		return 2;
	if (arch_regs_read(task->tid, &regs) < 0)
		return 0;
	return abort_address(job, task->tid, arch_ip(&regs)) == 0 ? 3 : 1;
}

static int choose(struct job *job)
{
	int best = 0;

	for (size_t i = 0; i < job->freeze.nr && best < 3; i++) {
		int now = rank(job, &job->freeze.tasks[i]);

		if (now > best) {
			best = now;
			job->tid = job->freeze.tasks[i].tid;
		}
	}
	return best > 0 ? 0 : job_trouble(job, TROUBLE_NO_THREAD, -EOPNOTSUPP, 0);
}

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
	                         number_arg(PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP));
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
		result = (int)sys_ptrace(PTRACE_GETSIGMASK, job->tid, number_arg(MASK_BYTES), &job->mask);
	if (result < 0)
		return job_system(job, STEP_REGISTERS, result, job->tid);
	/* The kernel would do so when the thread goes on, but would not find it in the section any more. */
	abort_ip = arch_in_call(&job->before) ? 0 : abort_address(job, job->tid, arch_ip(&job->before));
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
	uint64_t top = lowest - arch_red_zone_bytes();
	uint64_t at = arch_frame_place(&job->state, top);
	size_t size = top - at;

	if (!is_known) {
		at = stack->start + sizeof(uint64_t);
		size += ARCH_FRAME_ALIGN;
	}
	if (job->code.resume == 0 || lowest - stack->start <= size + PAGE_BYTES || size > sizeof(job->saved) ||
	    arch_returns_are_guarded(job->tid))
		return;
	job->frame_bytes = size;
	if (sys_pread(job->mem, job->saved, size, (off_t)at) != (ssize_t)size ||
	    (!is_known && !is_zero(job->saved, size) && !arch_frame_is_ours(job->saved, &job->code)))
		return;
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
	int result = choose(job);

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
		result = (int)freeze_insist(PTRACE_SETSIGMASK, job->tid, number_arg(MASK_BYTES), &all);
	return result < 0 ? job_system(job, STEP_REGISTERS, result, job->tid) : 0;
}

/* Lets it go on until it stops at an end of a system call, for one of the other reasons too when `any`. */
static int run(struct job *job, int request, bool any)
{
	int signal = 0;

	for (int i = 0; i < NR_STOPS_MAX; i++) {
		long result = freeze_insist(request, job->tid, NULL, number_arg((uintptr_t)signal));
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
	struct arch_regs now;
	int result = insist_regs(job->tid, &job->before);

	for (int tries = 0; result == 0 && tries < NR_TRIES; tries++) {
		result = arch_regs_read(job->tid, &now);
		if (result == 0 && memcmp(&now, &job->before, sizeof(now)) == 0)
			break;
		result = insist_regs(job->tid, &job->before);
	}
	/* Calls do not touch it; the kernel may have stored it in another, equal way. */
	if (result == 0 && arch_state_read(job->tid, &job->after) == 0 &&
	    (job->after.size_bytes != job->state.size_bytes ||
	     memcmp(job->after.image, job->state.image, job->state.size_bytes) != 0))
		result = arch_state_write(job->tid, &job->state);
	return result;
}

static int restore_memory(struct job *job)
{
	ssize_t put = -EIO;

	if (job->frame == 0)
		return 0;
	for (int tries = 0; tries < NR_TRIES && put < 0 && put != -ESRCH; tries++)
		put = sys_pwrite(job->mem, job->saved, job->frame_bytes, (off_t)job->frame);
	return put < 0 ? (int)put : 0;
}

void thread_restore(struct job *job)
{
	int result;

	if (!job->touched)
		return;
	result = reach_event(job);
	if (result == 0)
		result = (int)freeze_insist(PTRACE_SETSIGMASK, job->tid, number_arg(MASK_BYTES), &job->mask);
	if (result == 0)
		result = restore_registers(job);
	if (job->window_since_ns != 0)
		job->cost.window_ns = sys_clock_ns(CLOCK_MONOTONIC) - job->window_since_ns;
	/* Only now: until its registers were back, it might have needed the frame. */
	if (result == 0)
		result = restore_memory(job);
	if (result < 0)
		job_system(job, STEP_RESTORE, result, job->tid);
}
