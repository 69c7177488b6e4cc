/* SPDX-License-Identifier: MIT */
/* This file starts, steps and ends the processes that tests look at. */
#include "child.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534
#define KEPT   (4u << 20)

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static void hear(struct child *child)
{
	char byte;

	must(read(child->ready, &byte, 1) == 1, "the child said nothing");
}

void child_start(struct child *child, child_fn *fn, void *arg)
{
	int to[2];
	int from[2];

	must(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "pipe");
	child->pid = fork();
	must(child->pid >= 0, "fork");
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		_exit(fn(to[0], from[1], arg));
	}
	close(to[0]);
	close(from[1]);
	child->go = to[1];
	child->ready = from[0];
	hear(child);
}

void child_tell(struct child *child)
{
	must(write(child->go, "x", 1) == 1, "the child does not listen");
}

void child_step(struct child *child)
{
	child_tell(child);
	hear(child);
}

void child_kill(struct child *child)
{
	siginfo_t info;

	kill(child->pid, SIGKILL);
	must(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
}

void child_end(struct child *child)
{
	if (child->pid <= 0)
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->go);
	close(child->ready);
	*child = (struct child){ 0 };
}

void child_say(int out)
{
	if (write(out, "x", 1) != 1)
		_exit(1);
}

void child_pause(int in)
{
	char byte;

	if (read(in, &byte, 1) != 1)
		_exit(1);
}

void child_serve(int in, int out)
{
	for (;;) {
		child_say(out);
		child_pause(in);
	}
}

int child_keep_memory(int in, int out, void *unused)
{
	unsigned char *memory = mmap(NULL, KEPT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	if (memory == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < KEPT; i++)
		memory[i] = (unsigned char)(i * 7);
	for (;;) {
		child_say(out);
		child_pause(in);
		for (size_t i = 0; i < KEPT; i++)
			if (memory[i] != (unsigned char)(i * 7))
				return 1;
	}
}

static pid_t parent_of(const char *pid)
{
	char path[300], line[512] = "", *after;
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL && (after = strrchr(line, ')')) != NULL)
		(void)sscanf(after, ") %*c %d", &parent);
	fclose(file);
	return parent;
}

static int by_number(const void *one, const void *other)
{
	pid_t a = *(const pid_t *)one, b = *(const pid_t *)other;

	return (a > b) - (a < b);
}

unsigned child_list(pid_t parent, pid_t *children, unsigned max)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned nr = 0;

	must(proc != NULL, "opendir");
	while (nr < max && (entry = readdir(proc)) != NULL)
		if (strtol(entry->d_name, NULL, 10) > 0 && parent_of(entry->d_name) == parent)
			children[nr++] = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(proc);
	qsort(children, nr, sizeof(*children), by_number);
	return nr;
}

bool child_reap_to(unsigned nr)
{
	time_t end = time(NULL) + 60;
	pid_t children[64];

	while (child_list(getpid(), children, 64) > nr) {
		if (time(NULL) > end)
			return false;
		waitpid(-1, NULL, __WALL | WNOHANG);
		usleep(500);
	}
	return true;
}

static bool become_nobody(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

int child_as_nobody(int (*fn)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Whoever changes user is not to be looked at, until it says so. */
		if (!become_nobody() || prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(100);
		_exit(fn(arg));
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	return status;
}
