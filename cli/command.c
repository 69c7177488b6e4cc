/* SPDX-License-Identifier: MIT */
/* This file runs the command that record was given. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"

#define GRACE_MS 5000

/* In the child. What went wrong travels through the pipe; a program that runs has closed it. */
static void __attribute__((noreturn)) execute(char **argv, const struct stop *stop, int report)
{
	int failure;

	stop_undo_in_child(stop);
	execvp(argv[0], argv);
	failure = errno;
	if (write(report, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

static void reap(struct command *command)
{
	while (waitpid(command->pid, &command->status, 0) < 0 && errno == EINTR)
		;
	command->pid = 0;
	close(command->pidfd);
	command->pidfd = -1;
}

static int exec_failure(const char *name, int failure, struct tide_error *err)
{
	bool is_word = failure == ENOENT || failure == EACCES || failure == ENOEXEC || failure == ENOTDIR ||
	               failure == EISDIR || failure == ENAMETOOLONG || failure == ELOOP;

	return error_set(err, is_word ? TIDE_CAUSE_USAGE : TIDE_CAUSE_SYSTEM, -failure, "cannot run %.150s: %s", name,
	                 strerror(failure));
}

/* Reads what the child has to say: nothing when it executes. */
static int await_exec(struct command *command, const char *name, int report, struct tide_error *err)
{
	int failure = 0;
	ssize_t size;

	do
		size = read(report, &failure, sizeof(failure));
	while (size < 0 && errno == EINTR);
	if (size != sizeof(failure))
		return 0;
	reap(command);
	return exec_failure(name, failure, err);
}

int command_start(struct command *command, char **argv, const struct stop *stop, struct tide_error *err)
{
	scope_fd int report_out = -1;
	scope_fd int report_in = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_system(err, -errno, "cannot run %.100s", argv[0]);
	report_out = ends[0];
	report_in = ends[1];
	command->pid = fork();
	if (command->pid < 0) {
		command->pid = 0;
		return error_system(err, -errno, "cannot run %.100s", argv[0]);
	}
	if (command->pid == 0)
		execute(argv, stop, report_in);
	close(take_fd(&report_in));
	command->pidfd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	if (command->pidfd < 0) {
		int failure = errno;

		kill(command->pid, SIGKILL);
		reap(command);
		return error_system(err, -failure, "cannot wait for %.100s", argv[0]);
	}
	return await_exec(command, argv[0], report_out, err);
}

int command_wait(struct command *command, const struct stop *stop, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = command->pidfd, .events = POLLIN }, { .fd = stop->fd, .events = POLLIN } };
	int nr;

	if (command->pid == 0)
		return 1;
	do
		nr = poll(fds, 2, timeout_ms);
	while (nr < 0 && errno == EINTR);
	if (nr <= 0 || (fds[0].revents & POLLIN) == 0)
		return 0;
	reap(command);
	return 1;
}

void command_end(struct command *command, const struct stop *stop)
{
	if (command->pid == 0)
		return;
	/* Not reaped, so the number is still its own. A stopped process hears SIGTERM only when it goes on. */
	kill(command->pid, SIGTERM);
	kill(command->pid, SIGCONT);
	if (command_wait(command, stop, GRACE_MS) == 1)
		return;
	kill(command->pid, SIGKILL);
	reap(command);
}

const char *command_status_text(const struct command *command, char *buf, size_t size)
{
	if (WIFSIGNALED(command->status)) {
		snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(command->status),
		         strsignal(WTERMSIG(command->status)));
		return buf;
	}
	if (WEXITSTATUS(command->status) == 0)
		return NULL;
	snprintf(buf, size, "exited with status %d", WEXITSTATUS(command->status));
	return buf;
}
