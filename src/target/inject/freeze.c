/* SPDX-License-Identifier: MIT */
/* This file stops every task that could see or use what a call leaves in the target for a moment, and lets it go. */
#include "target/inject/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/sys.h"

enum {
	NR_TRIES = 4,
	SLICE_NS = 5000000, /* between looks at why a thread does not stop */
	/* With one that sleeps where no signal wakes it: the others stand still meanwhile. */
	PATIENCE_NS = 10000000,
};

int job_trouble(struct job *job, enum trouble trouble, int code, pid_t tid)
{
	if (job->outcome.trouble == TROUBLE_NONE) {
		job->outcome.trouble = trouble;
		job->outcome.code = code;
		job->outcome.tid = tid;
	}
	return code;
}

int job_system(struct job *job, enum step step, int code, pid_t tid)
{
	if (code == -ESRCH)
		return job_trouble(job, TROUBLE_GONE, code, tid);
	if (job->outcome.trouble == TROUBLE_NONE)
		job->outcome.step = step;
	return job_trouble(job, TROUBLE_SYSTEM, code, tid);
}

long freeze_insist(int request, pid_t tid, void *addr, void *data)
{
	long result = -EIO;

	for (int tries = 0; tries < NR_TRIES && result < 0 && result != -ESRCH; tries++)
		result = sys_ptrace(request, tid, addr, data);
	return result;
}

static uint64_t now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

/* The next report of `tid`, or of any with -1, until `deadline_ns`. The task, 0 none in time, or -errno. */
static pid_t wait_until(pid_t tid, int *status, uint64_t deadline_ns)
{
	int nr_failed = 0;

	for (;;) {
		pid_t got = sys_wait4(tid, status, __WALL | WNOHANG);
		uint64_t now;

		if (got > 0 || got == -ECHILD || (got < 0 && ++nr_failed >= NR_TRIES))
			return got;
		now = now_ns();
		if (got == 0 && now >= deadline_ns)
			return 0;
		/* Each report sends SIGCHLD, which is blocked: it is pending when it came since the look above. */
		if (got == 0)
			sys_signal_wait(SIGCHLD, deadline_ns - now < SLICE_NS ? deadline_ns - now : SLICE_NS);
	}
}

static enum stop stop_of(int status, int *signal)
{
	*signal = 0;
	if (!WIFSTOPPED(status))
		return STOP_DEAD;
	*signal = WSTOPSIG(status);
	if (status >> 16 == PTRACE_EVENT_STOP)
		return STOP_EVENT;
	return *signal == (SIGTRAP | 0x80) ? STOP_SYSCALL : STOP_SIGNAL;
}

static struct task *find(struct freeze *freeze, pid_t tid)
{
	for (size_t i = freeze->nr; i-- > 0;) {
		if (freeze->tasks[i].tid == tid)
			return &freeze->tasks[i];
	}
	return NULL;
}

/* Why a thread may not be seized; 0 when it is only dead. */
static int explain_refusal(struct job *job, int dir, pid_t tid)
{
	struct procfs_trace trace;
	struct procfs_stat stat;
	int result = procfs_read_trace(dir, tid, &trace);
	int tracer;

	if (result == -ESRCH || (result == 0 && (trace.state == 'Z' || trace.state == 'X')))
		return 0;
	if (result < 0 || trace.tracer == 0)
		return job_trouble(job, TROUBLE_DENIED, -EPERM, tid);
	job->outcome.other = trace.tracer;
	tracer = procfs_open(trace.tracer);
	if (tracer >= 0 && procfs_read_stat(tracer, 0, &stat) == 0)
		memcpy(job->outcome.name, stat.name, sizeof(stat.name));
	sys_close(tracer);
	return job_trouble(job, TROUBLE_TRACED, -EBUSY, tid);
}

static int seize(struct job *job, int dir, pid_t pid, pid_t tid)
{
	struct freeze *freeze = &job->freeze;
	long result;

	if (freeze->nr == freeze->capacity)
		return job_trouble(job, TROUBLE_TASKS, -EOVERFLOW, tid);
	result = sys_ptrace(PTRACE_SEIZE, tid, NULL, ptrace_number((uintptr_t)PTRACE_O_TRACESYSGOOD));
	if (result == -ESRCH)
		return 0;
	if (result == -EPERM || result == -EACCES)
		return explain_refusal(job, dir, tid);
	if (result < 0)
		return job_system(job, STEP_SEIZE, (int)result, tid);
	freeze->tasks[freeze->nr++] = (struct task){ .tid = tid, .pid = pid, .state = TASK_SEIZED };
	if (freeze->since_ns == 0)
		freeze->since_ns = now_ns();
	result = sys_ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return result < 0 && result != -ESRCH ? job_system(job, STEP_SEIZE, (int)result, tid) : 0;
}

/* At once, so that our death from here on does not show either. */
static int note_stopped(struct job *job, struct task *task)
{
	struct arch_regs regs;
	int result = arch_regs_read(task->tid, &regs);

	task->state = TASK_STOPPED;
	if (result == 0) {
		task->is_native = arch_is_native(&regs);
		task->in_call = arch_in_call(&regs);
		task->sp = arch_sp(&regs);
		if (arch_hide_interruption(&regs, job->mem))
			result = arch_regs_write(task->tid, &regs);
	}
	return result == 0 || result == -ESRCH ? 0 : job_system(job, STEP_REGISTERS, result, task->tid);
}

static int note_report(struct job *job, pid_t tid, int status)
{
	struct task *task = find(&job->freeze, tid);
	long result;
	int signal;

	if (task == NULL)
		return 0;
	switch (stop_of(status, &signal)) {
	case STOP_DEAD:
		task->state = TASK_DEAD;
		return 0;
	case STOP_EVENT:
		return note_stopped(job, task);
	default:
		/* A signal that was on its way: it is delivered, and our stop follows. */
		result = freeze_insist(PTRACE_CONT, tid, NULL, ptrace_number((uintptr_t)signal));
		return result < 0 && result != -ESRCH ? job_system(job, STEP_RESUME, (int)result, tid) : 0;
	}
}

/* A main thread that ends before the others says nothing until they have ended too. 'X': it has gone altogether. */
static char state_of(const struct job *job, const struct task *task)
{
	int dir = task->pid == job->target->pid ? job->target->dir : procfs_open(task->pid);
	struct procfs_trace trace = { .state = 'X' };
	int result = dir < 0 ? dir : procfs_read_trace(dir, task->tid, &trace);

	if (task->pid != job->target->pid)
		sys_close(dir);
	return result == 0 || result == -ESRCH || result == -ENOENT ? trace.state : 'R';
}

static bool is_dead(const struct job *job, const struct task *task)
{
	char state = state_of(job, task);

	return state == 'Z' || state == 'X';
}

int freeze_wait(struct job *job, pid_t tid, uint64_t timeout_ns, int *signal)
{
	const struct task *task = find(&job->freeze, tid);
	uint64_t deadline_ns = now_ns() + timeout_ns;
	int status = 0;
	pid_t got = 0;

	while (got == 0 && now_ns() < deadline_ns) {
		got = wait_until(tid, &status, now_ns() + SLICE_NS);
		/* A main thread whose threads died with it: they wait for us to reap them, and so does its report. */
		if (got == 0 && task != NULL && is_dead(job, task))
			return STOP_DEAD;
	}
	if (got == 0)
		return -ETIMEDOUT;
	if (got == -ECHILD)
		return STOP_DEAD;
	return got < 0 ? got : (int)stop_of(status, signal);
}

/* None of the threads reported in time; `task` is one that should have. */
static int give_up_or_wait(struct job *job, struct task *task, uint64_t waited_ns)
{
	if (is_dead(job, task))
		task->state = TASK_DEAD;
	else if (waited_ns >= FREEZE_TIMEOUT_NS || (waited_ns >= PATIENCE_NS && state_of(job, task) == 'D'))
		return job_trouble(job, TROUBLE_UNSTOPPABLE, -EBUSY, task->tid);
	return 0;
}

static struct task *first_running(struct job *job)
{
	struct freeze *freeze = &job->freeze;

	for (size_t i = 0; i < freeze->nr; i++) {
		if (freeze->tasks[i].state == TASK_SEIZED)
			return &freeze->tasks[i];
	}
	return NULL;
}

static int wait_all(struct job *job)
{
	struct task *task;

	while ((task = first_running(job)) != NULL) {
		int status = 0;
		pid_t got = wait_until(-1, &status, now_ns() + SLICE_NS);
		int result = 0;

		if (got > 0)
			result = note_report(job, got, status);
		else if (got < 0 && got != -ECHILD)
			result = job_system(job, STEP_WAIT, got, 0);
		else
			result = give_up_or_wait(job, task, now_ns() - job->freeze.since_ns);
		if (result < 0)
			return result;
	}
	return 0;
}

/* One process of those to stop. */
struct group {
	struct job *job;
	int dir;
	pid_t pid;
	size_t nr_new;
};

static int seize_thread(void *arg, pid_t tid)
{
	struct group *group = arg;
	size_t before = group->job->freeze.nr;
	int result;

	if (find(&group->job->freeze, tid) != NULL)
		return 0;
	result = seize(group->job, group->dir, group->pid, tid);
	group->nr_new += group->job->freeze.nr - before;
	return result;
}

/* Until a look at the list, with all that is in it stopped, shows none that is new. */
static int stop_group(struct job *job, int dir, pid_t pid)
{
	struct group group = { job, dir, pid, 0 };

	do {
		int result;

		group.nr_new = 0;
		result = procfs_each_thread(dir, seize_thread, &group);
		if (result == -ESRCH)
			return 0;
		if (result < 0)
			return job->outcome.trouble != TROUBLE_NONE ? result : job_system(job, STEP_LIST, result, pid);
		result = wait_all(job);
		if (result < 0)
			return result;
	} while (group.nr_new > 0);
	return 0;
}

static pid_t any_stopped(const struct job *job)
{
	for (size_t i = 0; i < job->freeze.nr; i++) {
		if (job->freeze.tasks[i].state == TASK_STOPPED && job->freeze.tasks[i].pid == job->target->pid)
			return job->freeze.tasks[i].tid;
	}
	return 0;
}

struct sharers {
	struct job *job;
	pid_t tid;
	size_t nr_new;
};

/*
 * Processes made by clone(CLONE_VM) or clone(CLONE_FILES) without CLONE_THREAD. Kernels without kcmp(2), and processes
 * that we may not look at, are passed over: they could not be told apart.
 */
bool freeze_is_shared(pid_t tid, pid_t pid)
{
	return sys_kcmp(tid, pid, KCMP_VM) == 0 || sys_kcmp(tid, pid, KCMP_FILES) == 0;
}

/* Sharing begins with a process, never later: who was a stranger before the stop need not be asked in it. */
static bool is_stranger(const struct freeze *freeze, pid_t pid)
{
	size_t low = 0;
	size_t high = freeze->strangers.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (freeze->strangers.items[middle] == pid)
			return true;
		if (freeze->strangers.items[middle] < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int stop_if_sharing(void *arg, pid_t pid)
{
	struct sharers *sharers = arg;
	struct job *job = sharers->job;
	size_t before = job->freeze.nr;
	int result;
	int dir;

	if (pid == job->target->pid || is_stranger(&job->freeze, pid) || find(&job->freeze, pid) != NULL ||
	    !freeze_is_shared(sharers->tid, pid))
		return 0;
	dir = procfs_open(pid);
	if (dir < 0)
		return dir == -ENOENT ? 0 : job_system(job, STEP_LIST, dir, pid);
	result = stop_group(job, dir, pid);
	sys_close(dir);
	sharers->nr_new += job->freeze.nr - before;
	return result;
}

int freeze_all(struct job *job)
{
	struct sharers sharers = { .job = job };
	int result = stop_group(job, job->target->dir, job->target->pid);

	if (result < 0)
		return result;
	sharers.tid = any_stopped(job);
	if (sharers.tid == 0)
		return job_trouble(job, TROUBLE_GONE, -ESRCH, 0);
	do {
		sharers.nr_new = 0;
		result = procfs_each_process(stop_if_sharing, &sharers);
		if (result < 0)
			return job->outcome.trouble != TROUBLE_NONE ? result : job_system(job, STEP_LIST, result, 0);
	} while (sharers.nr_new > 0);
	for (size_t i = 0; i < job->freeze.nr; i++)
		job->cost.nr_threads += job->freeze.tasks[i].state == TASK_STOPPED;
	return 0;
}

void freeze_end(struct job *job)
{
	struct freeze *freeze = &job->freeze;

	/* After trouble: who is about to stop must be seen, or a call of its would say that it was interrupted. */
	(void)wait_all(job);
	for (size_t i = 0; i < freeze->nr; i++) {
		if (freeze->tasks[i].state == TASK_STOPPED)
			freeze_insist(PTRACE_DETACH, freeze->tasks[i].tid, NULL, NULL);
	}
	if (freeze->since_ns != 0)
		job->cost.stopped_ns = now_ns() - freeze->since_ns;
}
