/* SPDX-License-Identifier: MIT */
/* This file finds a thread through which a process can be looked at. */
#include "target/target.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "kernel/sys.h"

/* A thread that exits gives up its memory before it becomes a zombie. */
static bool has_memory(const struct procfs_stat *stat)
{
	return stat->vsize_bytes > 0 && stat->state != 'Z' && stat->state != 'X';
}

struct search {
	int dir;
	pid_t tid;
	struct procfs_stat stat;
};

static int try_thread(void *arg, pid_t tid)
{
	struct search *search = arg;
	int result = procfs_read_stat(search->dir, tid, &search->stat);

	if (result == -ESRCH)
		return 0; /* it exited since the listing */
	if (result < 0)
		return result;
	if (!has_memory(&search->stat))
		return 0;
	search->tid = tid;
	return 1;
}

int thread_find(int dir, pid_t pid, pid_t *tid, struct procfs_stat *stat)
{
	struct search search = { .dir = dir };
	int result = procfs_read_stat(dir, 0, stat);

	if (result < 0)
		return result;
	if (has_memory(stat)) {
		*tid = pid;
		return 0;
	}
	result = procfs_each_thread(dir, try_thread, &search);
	if (result < 0)
		return result;
	if (result == 0)
		return -ESRCH;
	*tid = search.tid;
	*stat = search.stat;
	return 0;
}

int target_live_thread(struct tide_target *target, pid_t *tid, struct tide_error *err)
{
	struct procfs_stat stat;
	int result = thread_find(target->dir, target->pid, tid, &stat);

	if (result == -ESRCH)
		return target_gone(target, err);
	if (result < 0)
		return error_system(err, result, "cannot list the threads of process %d (%s)", target->pid,
		                    target->name);
	return 0;
}

int target_open_file(struct tide_target *target, const char *name, int flags, struct tide_error *err)
{
	char path[64];
	pid_t tid = 0;
	int fd, result = target_live_thread(target, &tid, err);

	if (result < 0)
		return result;
	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	fd = sys_openat(target_procfs(target), path, flags);
	if (fd < 0)
		return error_system(err, fd, "cannot open /proc/%d/%s", target->pid, path);
	return fd;
}
