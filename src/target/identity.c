/* SPDX-License-Identifier: MIT */
/* This file opens and closes targets, and says whether one is still the same process and program. */
#include "target/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/sys.h"

static int no_such_process(pid_t pid, struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "no process %d: it may have exited; check the PID", pid);
}

/* Threads have a number and a hidden /proc directory, but pidfd_open(2) wants a process. */
static int explain_no_pidfd(pid_t pid, int code, struct tide_error *err)
{
	struct procfs_status status;
	scope_sys_fd int dir = procfs_open(pid);

	if (dir >= 0 && procfs_read_status(dir, &status) == 0 && status.tgid != pid)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "%d is a thread of process %d: use that", pid,
		                 status.tgid);
	if (code == -ESRCH || code == -EINVAL || code == -ENOENT)
		return no_such_process(pid, err);
	return error_system(err, code, "cannot open process %d", pid);
}

/*
 * The pidfd first, then the directory, then a look whether the pidfd's process still has its number: if so, it had it
 * in between, and both stand for the same process for good.
 */
static int open_process(struct tide_target *target, struct tide_error *err)
{
	int alive;

	target->pidfd = sys_pidfd_open(target->pid);
	if (target->pidfd < 0)
		return explain_no_pidfd(target->pid, target->pidfd, err);
	target->dir = procfs_open(target->pid);
	alive = sys_pidfd_alive(target->pidfd);
	if (alive < 0)
		return error_system(err, alive, "cannot ask for process %d", target->pid);
	if (alive == 0)
		return no_such_process(target->pid, err);
	if (target->dir == -ENOENT)
		return error_set(err, TIDE_CAUSE_DENIED, -EACCES,
		                 "process %d is hidden in /proc (mount option hidepid): run as root or as its user",
		                 target->pid);
	if (target->dir < 0)
		return error_system(err, target->dir, "cannot open /proc/%d", target->pid);
	return 0;
}

/* PF_KTHREAD is not promised to user space; kernels that have a line for it are asked that. */
static int is_kthread(const struct tide_target *target, const struct procfs_stat *stat)
{
	struct procfs_status status;
	int result = procfs_read_status(target->dir, &status);

	if (result < 0)
		return result;
	return status.kthread >= 0 ? status.kthread : stat->kthread;
}

static int read_process(struct tide_target *target, struct tide_error *err)
{
	struct procfs_stat stat;
	int kthread = 0;
	pid_t tid;
	int result = procfs_read_stat(target->dir, 0, &stat);

	if (result == 0) {
		memcpy(target->name, stat.name, sizeof(target->name));
		target->start_ticks = stat.start_ticks;
		result = kthread = is_kthread(target, &stat);
	}
	if (result == -ESRCH)
		return no_such_process(target->pid, err);
	if (result < 0)
		return error_system(err, result, "cannot read /proc/%d", target->pid);
	if (kthread)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "process %d (%s) is a kernel thread: it has no memory of its own", target->pid,
		                 target->name);
	result = thread_find(target->dir, target->pid, &tid, &stat);
	if (result == -ESRCH)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH,
		                 "process %d (%s) has exited: it only waits for its parent to take notice", target->pid,
		                 target->name);
	if (result < 0)
		return error_system(err, result, "cannot list the threads of process %d (%s)", target->pid,
		                    target->name);
	return 0;
}

int tide_target_open(struct tide_target **out, pid_t pid, struct tide_error *err)
{
	struct tide_target *target;
	int result;

	if (pid <= 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "a process ID is a positive number, not %d", pid);
	target = calloc(1, sizeof(*target));
	if (target == NULL)
		return error_system(err, -ENOMEM, "cannot open process %d", pid);
	target->pid = pid;
	target->pidfd = target->dir = target->maps = -1;
	result = open_process(target, err);
	if (result == 0)
		result = read_process(target, err);
	if (result == 0)
		result = memory_open(target, err);
	if (result < 0) {
		tide_target_close(target);
		return result;
	}
	*out = target;
	return 0;
}

void tide_target_close(struct tide_target *target)
{
	if (target == NULL)
		return;
	layout_fini(&target->layout);
	sys_close(target->maps);
	sys_close(target->dir);
	sys_close(target->pidfd);
	free(target);
}

void target_retire(struct tide_target *target)
{
	sys_close(target->maps);
	sys_close(target->dir);
	sys_close(target->pidfd);
	target->maps = target->dir = target->pidfd = -1;
}

pid_t tide_target_pid(const struct tide_target *target)
{
	return target->pid;
}

int tide_target_pidfd(const struct tide_target *target)
{
	return target->pidfd;
}

const char *tide_target_name(const struct tide_target *target)
{
	return target->name;
}

int tide_target_is_32bit(const struct tide_target *target)
{
	return target->is_32bit;
}

uint64_t target_start_ticks(const struct tide_target *target)
{
	return target->start_ticks;
}

int target_procfs(const struct tide_target *target)
{
	return target->dir;
}

/* Called when the memory is known to be gone: a process that has a thread with memory now has executed something. */
int target_gone(struct tide_target *target, struct tide_error *err)
{
	struct procfs_stat stat;
	pid_t tid;
	int result;

	if (target->pidfd < 0)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d (%s) is watched no more", target->pid,
		                 target->name);
	result = thread_find(target->dir, target->pid, &tid, &stat);
	if (result == 0)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d (%s) has executed another program: %s",
		                 target->pid, target->name, stat.name);
	if (result == -ESRCH)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d (%s) has exited", target->pid, target->name);
	return error_system(err, result, "cannot tell what became of process %d (%s)", target->pid, target->name);
}

int tide_target_valid(struct tide_target *target, struct tide_error *err)
{
	int alive = target->pidfd < 0 ? 0 : memory_alive(target);
	int replaced = 0;

	if (alive > 0)
		replaced = memory_replaced(target);
	if (alive < 0 || (replaced < 0 && replaced != -ESRCH))
		return error_system(err, alive < 0 ? alive : replaced, "cannot tell whether process %d (%s) still runs",
		                    target->pid, target->name);
	if (alive > 0 && replaced == 0)
		return 1;
	alive = target_gone(target, err);
	return alive == -ESRCH ? 0 : alive;
}

int tide_target_refresh(struct tide_target *target, const struct tide_layout **out, struct tide_error *err)
{
	int result = target->pidfd < 0 ? -ESRCH : memory_read(target);

	if (result == -ESRCH)
		return target_gone(target, err);
	if (result < 0)
		return error_system(err, result, "cannot read the mappings of process %d (%s)", target->pid,
		                    target->name);
	layout_commit(&target->layout);
	*out = &target->layout.view;
	return 0;
}

const struct tide_layout *tide_target_layout(const struct tide_target *target)
{
	return &target->layout.view;
}
