/* SPDX-License-Identifier: MIT */
/*
 * This file tells whether a process runs virtual machines: their guests use its memory through page tables of their
 * own, of which neither clear_refs nor smaps knows anything.
 *
 * Who is not root cannot see those tables, but the descriptors that keep them alive. That of the machine may be closed
 * while its processors' remain, and /dev/kvm alone is one system call away from a machine.
 */
#include "sensor/refs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "target/target.h"

#define FOUND 1

struct looking {
	int dir;
	pid_t tid;
};

static bool begins(const char *text, size_t size, const char *with)
{
	return size >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static int look_at(void *arg, pid_t fd)
{
	const struct looking *looking = arg;
	char path[64];
	char link[32];
	ssize_t size;

	snprintf(path, sizeof(path), "task/%d/fd/%d", looking->tid, fd);
	size = sys_readlinkat(looking->dir, path, link, sizeof(link));
	if (size < 0)
		return size == -ENOENT ? 0 : (int)size; /* closed meanwhile */
	return begins(link, (size_t)size, "anon_inode:kvm") || begins(link, (size_t)size, "/dev/kvm") ||
	       begins(link, (size_t)size, "anon_inode:mshv");
}

int refs_is_guest(struct tide_target *target, struct tide_error *err)
{
	struct looking looking = { .dir = target_procfs(target) };
	int result = target_live_thread(target, &looking.tid, err);

	if (result < 0)
		return result;
	result = procfs_each_descriptor(looking.dir, looking.tid, look_at, &looking);
	/* A thread that has just exited: its descriptors are looked at through another the next time. */
	if (result == -ESRCH)
		return error_set(err, TIDE_CAUSE_BUSY, -EAGAIN, "a thread of process %d (%s) has just exited",
		                 (int)tide_target_pid(target), tide_target_name(target));
	if (result < 0)
		return error_system(err, result, "cannot list the descriptors of process %d (%s)",
		                    (int)tide_target_pid(target), tide_target_name(target));
	return result == FOUND;
}
