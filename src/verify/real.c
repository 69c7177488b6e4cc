/* SPDX-License-Identifier: MIT */
/* This file starts actors, sends them operations, and waits for what comes of them. */
#include "verify/real.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"

/* An operation that takes longer hangs; emulated machines pass over all memory in one of them. */
#define TIMEOUT_MS 30000

static struct real *of(struct side *side)
{
	return (struct real *)side;
}

static int __attribute__((format(printf, 3, 4))) failed(struct real *real, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(real->why, sizeof(real->why), fmt, args);
	va_end(args);
	return code;
}

static void forget(struct real_process *process)
{
	sys_close(process->pidfd);
	sys_close(process->pagemap);
	sys_close(process->memory);
	process->pidfd = process->pagemap = process->memory = -1;
	process->pid = 0;
}

static bool ends(const struct real_process *process)
{
	struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };
	int nr;

	do
		nr = poll(&ended, 1, TIMEOUT_MS);
	while (nr < 0 && errno == EINTR);
	return nr == 1;
}

/* Its status, or negative. One that cannot even be killed is given up. */
static int reap(struct real *real, unsigned number)
{
	struct real_process *process = &real->processes[number];
	bool ended = !process->hangs && process->pidfd >= 0 && ends(process);
	int status = 0;
	pid_t pid;

	if (!ended) {
		kill(process->pid, SIGKILL);
		/* Without a pidfd it has done nothing yet that could keep it. */
		ended = process->pidfd < 0 || ends(process);
	}
	pid = ended ? sys_wait4(process->pid, &status, 0)
	            : failed(real, -ETIMEDOUT, "process %u does not end, even killed", number);
	forget(process);
	return pid < 0 ? pid : status;
}

static int open_of(pid_t pid, const char *what)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return sys_open(path, O_RDONLY);
}

/* From now on `process` is `pid`. */
static int meet(struct real *real, unsigned number, pid_t pid)
{
	struct real_process *process = &real->processes[number];

	process->pid = pid;
	process->hangs = false;
	process->pidfd = sys_pidfd_open(pid);
	process->pagemap = open_of(pid, "pagemap");
	process->memory = open_of(pid, "mem");
	if (process->pidfd < 0)
		return failed(real, process->pidfd, "opening a descriptor of process %u", number);
	if (process->pagemap < 0 || process->memory < 0)
		return failed(real, process->pagemap < 0 ? process->pagemap : process->memory,
		              "opening /proc/PID/pagemap and mem of process %u", number);
	return 0;
}

static int end_one(struct real *real, unsigned number)
{
	struct real_process *process = &real->processes[number];
	struct model_op quit = { .kind = (enum model_op_kind)ACTOR_QUIT };

	if (process->pid == 0)
		return 0;
	/* In order, so that nothing of it is pinned any more; or else not in order. */
	if (!process->hangs && sys_send(process->socket, &quit, sizeof(quit)) < 0)
		kill(process->pid, SIGKILL);
	return reap(real, number);
}

static int end_world(struct real *real)
{
	int result = 0;

	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		if (end_one(real, i) == -ETIMEDOUT)
			result = -ETIMEDOUT;
		sys_close(real->processes[i].socket);
		sys_close(real->actor->sockets[i]);
		real->processes[i].socket = real->actor->sockets[i] = -1;
	}
	return result;
}

static int make_sockets(struct real *real)
{
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		int ends[2];
		int result = sys_socketpair(ends);

		if (result < 0)
			return failed(real, result, "making a socket to a process");
		real->processes[i].socket = ends[0];
		real->actor->sockets[i] = ends[1];
	}
	return 0;
}

static int make_file(void)
{
	int fd = sys_memfd_create("tidemark-verify");
	int result = fd < 0 ? fd : sys_ftruncate(fd, (off_t)MODEL_PAGES * 4096);

	for (uint32_t i = 0; result >= 0 && i < MODEL_PAGES; i++) {
		uint64_t value = MODEL_FILE_VALUE + i;

		result = (int)sys_pwrite(fd, &value, sizeof(value), (off_t)i * 4096);
	}
	if (result < 0)
		sys_close(fd);
	return result < 0 ? result : fd;
}

/* What MODEL_FILE maps. A collapse changes it for all who map it later: then there is a new one. */
static int renew_file(struct real *real)
{
	int fd = real->file;

	if (fd >= 0 && !real->file_changed)
		return 0;
	sys_close(fd);
	real->file_changed = false;
	real->file = real->actor->file = fd = make_file();
	return fd < 0 ? failed(real, fd, "making a file to map") : 0;
}

static int begin(struct side *side)
{
	struct real *real = of(side);
	int result;
	pid_t pid;

	real->why[0] = 0;
	result = end_world(real);
	if (result == 0)
		result = renew_file(real);
	if (result == 0)
		result = make_sockets(real);
	if (result < 0)
		return result;
	real->actor->process = 0;
	real->actor->master = getpid();
	pid = sys_clone(SIGCHLD);
	if (pid == 0) {
		for (unsigned i = 0; i < MODEL_PROCESSES; i++)
			sys_close(real->processes[i].socket);
		actor_serve(real->actor);
	}
	if (pid < 0)
		return failed(real, pid, "starting a process");
	return meet(real, 0, pid);
}

static const char *name_of(const struct model_op *op)
{
	return op->kind < NR_MODEL_OPS ? model_op_name(op->kind) : "look";
}

static int died(struct real *real, const struct model_op *op)
{
	int status = reap(real, op->process);

	if (status == -ETIMEDOUT)
		return status;
	if (status >= 0 && WIFSIGNALED(status))
		return failed(real, -ECHILD, "%s: process %u was killed by signal %d", name_of(op), op->process,
		              WTERMSIG(status));
	return failed(real, -ECHILD, "%s: process %u ended", name_of(op), op->process);
}

/* poll() looks at the socket first: one that answers and ends after that shows its end only. */
static bool has_answered(const struct real_process *process)
{
	struct pollfd answer = { .fd = process->socket, .events = POLLIN };

	return poll(&answer, 1, 0) == 1 && (answer.revents & POLLIN) != 0;
}

static int receive(struct real *real, const struct model_op *op, struct actor_answer *answer)
{
	struct real_process *process = &real->processes[op->process];
	struct pollfd ready[] = { { .fd = process->socket, .events = POLLIN },
		                  { .fd = process->pidfd, .events = POLLIN } };
	int nr;

	do
		nr = poll(ready, 2, TIMEOUT_MS);
	while (nr < 0 && errno == EINTR);
	process->hangs = nr <= 0;
	if (process->hangs)
		return failed(real, -ETIMEDOUT, "%s: process %u hangs in it", name_of(op), op->process);
	if ((ready[0].revents & POLLIN) == 0 && !has_answered(process))
		return died(real, op);
	return sys_receive(process->socket, answer, sizeof(*answer)) == sizeof(*answer) ? 0 : died(real, op);
}

int real_ask(struct real *real, const struct model_op *op, struct actor_answer *answer)
{
	int result = (int)sys_send(real->processes[op->process].socket, op, sizeof(*op));

	if (result < 0)
		return failed(real, result, "%s could not be sent to process %u", name_of(op), op->process);
	return receive(real, op, answer);
}

static int run(struct side *side, const struct model_op *op, struct model_result *result)
{
	struct real *real = of(side);
	struct actor_answer answer = { 0 };
	int code = real_ask(real, op, &answer);

	if (code < 0)
		return code;
	/* A limit of processes; no kernel's way to do it. */
	if (op->kind == OP_FORK && answer.result.code == -EAGAIN)
		return failed(real, -EAGAIN, "forking process %u", op->process);
	*result = answer.result;
	real->file_changed |= op->kind == OP_COLLAPSE;
	if (op->kind == OP_EXIT)
		return reap(real, op->process) < 0 ? -ECHILD : 0;
	return op->kind == OP_FORK && answer.result.code == 0 ? meet(real, op->to, answer.child) : 0;
}

static const struct side_ops ops = { .begin = begin, .run = run, .look = real_look };

static int prepare(struct real *real)
{
	struct actor *actor = real->actor = calloc(1, sizeof(*actor));
	void *board;
	int result;

	if (actor == NULL)
		return -ENOMEM;
	result = sys_mmap(&board, sizeof(*actor->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result < 0)
		return result;
	actor->board = board;
	actor->uffd = actor->pagemap = actor->pipe[0] = actor->pipe[1] = -1;
	for (int i = 0; i < MODEL_PINS; i++)
		actor->pins[i].ring.fd = -1;
	for (int i = 0; i < MODEL_PROCESSES; i++)
		actor->sockets[i] = -1;
	return 0;
}

static void settle_on_one(struct real *real)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	if (sched_getaffinity(0, sizeof(real->cpus), &real->cpus) < 0 || cpu < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

int real_open(struct real *real, struct tide_error *err)
{
	int result;

	*real = (struct real){ .side = { &ops, 0 }, .file = -1 };
	for (int i = 0; i < MODEL_PROCESSES; i++)
		real->processes[i] = (struct real_process){ 0, -1, -1, -1, -1, false };
	powers_ask(&real->powers);
	real->side.sees = real->powers.sees;
	result = prepare(real);
	if (result < 0) {
		real_close(real);
		return error_system(err, result, "making ready for processes to compare with");
	}
	settle_on_one(real);
	result = begin(&real->side);
	if (result < 0) {
		error_set(err, TIDE_CAUSE_UNSUPPORTED, result, "%s: %s", real->why, strerror(-result));
		real_close(real);
	}
	return result;
}

void real_close(struct real *real)
{
	if (real->actor != NULL) {
		(void)end_world(real);
		sys_munmap(real->actor->board, sizeof(*real->actor->board));
	}
	free(real->actor);
	sys_close(real->file);
	if (CPU_COUNT(&real->cpus) > 0)
		(void)sched_setaffinity(0, sizeof(real->cpus), &real->cpus);
	*real = (struct real){ .file = -1 };
}
