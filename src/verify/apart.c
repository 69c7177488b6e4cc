/* SPDX-License-Identifier: MIT */
/* This file puts questions in a child. */
#include "verify/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/sys.h"

/* How long the end of a process that was killed may take on a busy machine. */
#define END_MS 10000

static void answer(int out, pid_t parent, const struct doctor_row *question, void (*ask)(struct doctor_row *row))
{
	struct doctor_row row = *question;

	/* It ends with us; the second look is for a parent that died before the first call. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	ask(&row);
	_exit(write(out, &row, sizeof(row)) == (ssize_t)sizeof(row) ? 0 : 1);
}

/* The end of the pipe is the end of the child: nobody else has it. 1 in time, 0 not, -errno. */
static int wait_for(int pipe, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = pipe, .events = POLLIN };
	uint64_t end_ns = sys_clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000;
	int result;

	for (;;) {
		result = poll(&poll_fd, 1, timeout_ms);
		if (result >= 0 || errno != EINTR)
			return result < 0 ? -errno : result;
		if (sys_clock_ns(CLOCK_MONOTONIC) >= end_ns)
			return 0;
		timeout_ms = (int)((end_ns - sys_clock_ns(CLOCK_MONOTONIC)) / 1000000);
	}
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void give_up(struct doctor_row *row, pid_t pid, int pipe, int timeout_ms)
{
	kill(pid, SIGKILL);
	if (wait_for(pipe, END_MS) == 1) {
		reap(pid);
		row_unknown(row, "no answer within %d s", timeout_ms / 1000);
	} else {
		row_no(row, "process %d hangs in the kernel over it, and cannot be killed", pid);
	}
}

static void receive(struct doctor_row *row, pid_t pid, int pipe)
{
	struct doctor_row answered;
	ssize_t got = sys_read(pipe, &answered, sizeof(answered));

	reap(pid);
	if (got == (ssize_t)sizeof(answered))
		*row = answered;
	else
		row_unknown(row, "the child that was to ask died");
}

void apart_ask(struct doctor_row *row, void (*ask)(struct doctor_row *row), int timeout_ms)
{
	pid_t parent = getpid();
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		row_unknown(row, "a pipe to ask through: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0)
		answer(ends[1], parent, row, ask);
	sys_close(ends[1]);
	if (pid < 0)
		row_unknown(row, "a child to ask in: %s", strerror(errno));
	else if (wait_for(ends[0], timeout_ms) == 1)
		receive(row, pid, ends[0]);
	else
		give_up(row, pid, ends[0], timeout_ms);
	sys_close(ends[0]);
}
