/* SPDX-License-Identifier: MIT */
/*
 * This file finds the flag of an mm that says that pages were ever pinned through it (MMF_HAS_PINNED).
 *
 * Its number is in no type information and has changed between kernels, so it is seen to change: a child is made, whose
 * mm has never pinned anything; a byte of it is read with process_vm_readv(2), which pins for a moment; the flag is the
 * one bit that is set afterwards and was not before. The child only waits. It is made without an exit signal, so that
 * no handler or wait of this program meets it, and goes away with us.
 */
#include "pages/pinned.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"

struct subject {
	pid_t pid;
	int end; /* of the pair; it waits at the other one */
};

static int start(struct subject *subject)
{
	int ends[2];
	int result = sys_socketpair(ends);
	char byte;

	if (result < 0)
		return result;
	subject->pid = sys_clone(0);
	if (subject->pid == 0) {
		sys_close(ends[0]);
		(void)sys_read(ends[1], &byte, sizeof(byte));
		_exit(0);
	}
	sys_close(ends[1]);
	subject->end = ends[0];
	if (subject->pid < 0)
		sys_close(ends[0]);
	return subject->pid < 0 ? subject->pid : 0;
}

static void end(struct subject *subject)
{
	char byte = 0;
	struct iovec content = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &content, .msg_iovlen = 1 };
	int status;

	/* Our end may live on in a child that somebody else forked meanwhile: closing it would not be enough. */
	(void)sys_sendmsg(subject->end, &message);
	sys_close(subject->end);
	(void)sys_wait4(subject->pid, &status, __WALL);
}

static int compare(struct walker *walker, pid_t pid, uint64_t *flag)
{
	static const char shown = 1;
	uint64_t before = 0;
	uint64_t after = 0;
	char seen;
	ssize_t got;
	int result = walker_mm_flags_of(walker, pid, &before, NULL);

	if (result < 0)
		return result;
	got = sys_process_vm_readv(pid, &seen, &shown, sizeof(seen));
	if (got < 0)
		return (int)got;
	result = walker_mm_flags_of(walker, pid, &after, NULL);
	*flag = after & ~before;
	/* One bit, and no other went. */
	if (result == 0 && (*flag == 0 || (*flag & (*flag - 1)) != 0 || (before & ~after) != 0))
		result = -ENODATA;
	return result;
}

static int find(struct walker *walker, uint64_t *flag)
{
	struct subject subject;
	int result = start(&subject);

	if (result < 0)
		return result;
	result = compare(walker, subject.pid, flag);
	end(&subject);
	return result;
}

uint64_t pinned_flag(struct walker *walker)
{
	/* The same for as long as the kernel runs. Two threads may both look for it, and find the same. */
	static _Atomic uint64_t found;
	uint64_t flag = atomic_load(&found);
	int result;

	/* A fork of the target itself would be felt by it. */
	if (flag != 0 || tide_target_pid(walker_target(walker)) == getpid())
		return flag;
	result = find(walker, &flag);
	if (result < 0) {
		log_text(TIDE_LOG_DEBUG, "which flag says that pages were pinned could not be found (%d)", result);
		return 0;
	}
	atomic_store(&found, flag);
	return flag;
}
