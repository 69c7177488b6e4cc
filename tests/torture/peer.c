/* SPDX-License-Identifier: MIT */
/* This file is the process outside: it writes to the mutator's memory when the mutator asks it to. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutator.h"

enum {
	MOST = 64 << 10,
};

struct request {
	uint64_t at;
	uint64_t size;
	uint32_t way; /* enum peer_way */
	uint32_t pad;
};

/* Memory whose writers wait for somebody (uffd_log) is not waited for here: such a write fails, as it may. */
static bool poke(pid_t pid, uint64_t at, const char *from, size_t size)
{
	bool done = true;
	int status;

	/* A process can have one tracer: somebody else may be it for a moment. */
	while (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) {
		must(errno == EPERM, "PTRACE_SEIZE");
		sched_yield();
	}
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "PTRACE_INTERRUPT");
	must(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status), "waitpid");
	for (size_t i = 0; i + sizeof(long) <= size; i += sizeof(long)) {
		long word;

		memcpy(&word, from + i, sizeof(word));
		done &= ptrace(PTRACE_POKEDATA, pid, at + i, word) == 0;
		must(done || errno == EIO, "PTRACE_POKEDATA");
	}
	must(ptrace(PTRACE_DETACH, pid, 0, 0) == 0, "PTRACE_DETACH");
	return done;
}

static bool write_mem(int mem, uint64_t at, const char *from, size_t size)
{
	ssize_t wrote = pwrite(mem, from, size, (off_t)at);

	must(wrote >= 0 || errno == EIO, "/proc/PID/mem");
	return wrote == (ssize_t)size;
}

static void serve(int socket, pid_t pid)
{
	static char bytes[MOST];
	struct request request;
	char path[32];
	int mem;

	die_with(pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	must(mem >= 0, path);
	while (read(socket, &request, sizeof(request)) == sizeof(request)) {
		struct iovec here = { bytes, request.size };
		struct iovec there = { (void *)(uintptr_t)request.at, request.size };
		bool done = true;

		must(recv(socket, bytes, request.size, MSG_WAITALL) == (ssize_t)request.size, "recv");
		if (request.way == PEER_VM_WRITEV)
			must(process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)request.size,
			     "process_vm_writev");
		else if (request.way == PEER_PROC_MEM)
			done = write_mem(mem, request.at, bytes, request.size);
		else
			done = poke(pid, request.at, bytes, request.size);
		must(write(socket, done ? "x" : "-", 1) == 1, "write");
	}
	_exit(0);
}

void peer_start(struct mutator *m)
{
	pid_t self = getpid();
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	m->peer_pid = fork();
	must(m->peer_pid >= 0, "fork");
	if (m->peer_pid == 0) {
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(ends[0]);
		serve(ends[1], self);
	}
	prctl(PR_SET_PTRACER, m->peer_pid);
	close(ends[1]);
	m->peer = ends[0];
}

void peer_write(struct mutator *m, enum peer_way way, void *at, size_t size)
{
	struct request request = { .at = (uint64_t)(uintptr_t)at, .size = size, .way = way };
	char byte;

	scribble(m, m->bounce, size);
	must(write(m->peer, &request, sizeof(request)) == sizeof(request), "write");
	must(write(m->peer, m->bounce, size) == (ssize_t)size, "write");
	must(read(m->peer, &byte, 1) == 1, "the process outside has gone");
	agreed(m, byte == 'x');
}
