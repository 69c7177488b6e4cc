/* SPDX-License-Identifier: MIT */
/* This file starts mutators and speaks with them. */
#include "rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

static void become(const char *program, uint64_t seed, const char *family, bool uffd, int in, int out)
{
	char number[24];

	snprintf(number, sizeof(number), "0x%lx", seed);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(dup2(in, STDIN_FILENO) == STDIN_FILENO && dup2(out, STDOUT_FILENO) == STDOUT_FILENO, "dup2");
	execl(program, program, number, family, uffd ? "--userfaultfd" : NULL, NULL);
	must(false, program);
}

void rig_start(struct rig *rig, const char *program, uint64_t seed, const char *family, bool uffd)
{
	int to[2];
	int from[2];

	*rig = (struct rig){ 0 };
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	must(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "pipe2");
	rig->pid = fork();
	must(rig->pid >= 0, "fork");
	if (rig->pid == 0)
		become(program, seed, family, uffd, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	rig->orders = to[1];
	rig->replies = from[0];
	must(read(rig->replies, &rig->hello, sizeof(rig->hello)) == sizeof(rig->hello), "the mutator did not begin");
}

void rig_end(struct rig *rig)
{
	kill(rig->pid, SIGKILL);
	/* Its children die with it, and become ours before. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(rig->orders);
	close(rig->replies);
}

static void order(struct rig *rig, const struct wire_command *command)
{
	must(write(rig->orders, command, sizeof(*command)) == sizeof(*command), "the mutator does not listen");
}

void rig_run(struct rig *rig, unsigned nr)
{
	order(rig, &(struct wire_command){ .kind = WIRE_RUN, .nr = nr });
}

void rig_do(struct rig *rig, const char *name, unsigned nr)
{
	struct wire_command command = { .kind = WIRE_DO, .nr = nr };

	strncpy(command.name, name, WIRE_NAME_SIZE - 1);
	order(rig, &command);
}

void rig_autopsy(const struct rig *rig)
{
	int status = 0;

	waitpid(rig->pid, &status, 0);
	fprintf(stderr, "the mutator ended: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit code",
	        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	exit(2);
}

bool rig_done(struct rig *rig, int timeout_ms)
{
	struct pollfd wait = { .fd = rig->replies, .events = POLLIN };

	if (poll(&wait, 1, timeout_ms) != 1)
		return false;
	if (read(rig->replies, &rig->reply, sizeof(rig->reply)) != sizeof(rig->reply))
		rig_autopsy(rig);
	return true;
}

void rig_hold(struct rig *rig)
{
	int status;

	must(kill(rig->pid, SIGSTOP) == 0, "SIGSTOP");
	must(waitpid(rig->pid, &status, WUNTRACED) == rig->pid && WIFSTOPPED(status), "the mutator did not stop");
}

void rig_release(struct rig *rig)
{
	int status;

	must(kill(rig->pid, SIGCONT) == 0, "SIGCONT");
	must(waitpid(rig->pid, &status, WCONTINUED) == rig->pid && WIFCONTINUED(status), "the mutator did not go on");
}
