/* SPDX-License-Identifier: MIT */
/* This file runs the idle child. */
#include "verify/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/sys.h"

#define PAGE_BYTES 4096u

/* Writes to its page, so that it has one of its own, says so, and waits until nobody holds the other end. */
static void idle(const int *hold, const int *ready, volatile char *page)
{
	char byte = 1;

	close(hold[1]);
	close(ready[0]);
	*page = 2;
	if (write(ready[1], &byte, 1) == 1)
		while (read(hold[0], &byte, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static int start(struct helper *helper, const int *hold, const int *ready)
{
	char byte;

	helper->pid = fork();
	if (helper->pid < 0) {
		int code = -errno;

		sys_close(ready[1]);
		return code;
	}
	if (helper->pid == 0)
		idle(hold, ready, helper->page);
	sys_close(ready[1]); /* so that a child that died is read as the end */
	return sys_read(ready[0], &byte, 1) == 1 ? 0 : -ECHILD;
}

int helper_start(struct helper *helper)
{
	int hold[2];
	int ready[2];
	int result;

	*helper = (struct helper){ .hold = -1 };
	if (pipe2(hold, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(ready, O_CLOEXEC) < 0) {
		result = -errno;
		sys_close(hold[0]);
		sys_close(hold[1]);
		return result;
	}
	helper->hold = hold[1];
	result = sys_mmap(&helper->page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result == 0)
		result = start(helper, hold, ready);
	else
		sys_close(ready[1]);
	sys_close(hold[0]);
	sys_close(ready[0]);
	if (result < 0)
		helper_end(helper);
	return result;
}

void helper_end(struct helper *helper)
{
	sys_close(helper->hold);
	if (helper->pid > 0)
		while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
			;
	sys_munmap(helper->page, PAGE_BYTES);
	*helper = (struct helper){ .hold = -1 };
}
