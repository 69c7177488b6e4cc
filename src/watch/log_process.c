/* SPDX-License-Identifier: MIT */
/*
 * This file is the life of the two processes that keep the list of written pages.
 *
 * The handler waits for writers. The standby looks at it from time to time; when it has died, or was stopped or hangs
 * while there is something to do, it is killed for good, and the standby takes its place, with a new standby.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "target/inject/helper.h"
#include "watch/log.h"

enum {
	NR_TRIES = 4,
	NR_LOOKS = 8,  /* a quarter of the longest stall apart: one that does nothing for so long is hung */
	LOOK_MS = 250, /* of one whom its starter does not know, whether it is still wanted */
};

/* What an event of epoll is about. */
enum {
	ABOUT_UFFD,
	ABOUT_CALLER,
	ABOUT_HANDLER,
};

static bool is_ending(const struct log_handler *self)
{
	return __atomic_load_n(&self->shared->is_ending, __ATOMIC_SEQ_CST) != 0;
}

static int insist_epoll(void)
{
	int epoll = -EIO;

	for (int tries = 0; tries < NR_TRIES && epoll < 0; tries++)
		epoll = sys_epoll_create();
	return epoll;
}

static void insist_add(int epoll, int fd, uint64_t about)
{
	for (int tries = 0; tries < NR_TRIES && sys_epoll_add(epoll, fd, about) < 0; tries++)
		;
}

/* What the caller has open is none of our business, and would stay open with us. Missing ones are negative. */
static void close_all_but(int *keep, size_t nr)
{
	unsigned from = 0;

	/* Few enough to be looked through for the next one again and again. */
	for (size_t i = 0; i < nr; i++) {
		unsigned next = UINT_MAX;

		for (size_t j = 0; j < nr; j++)
			if (keep[j] >= 0 && (unsigned)keep[j] >= from && (unsigned)keep[j] < next)
				next = (unsigned)keep[j];
		if (next == UINT_MAX)
			break;
		if (next > from)
			sys_close_range(from, next - 1);
		from = next + 1;
	}
	sys_close_range(from, UINT_MAX);
}

static pid_t start_standby(struct log_handler *self, const char *stat);

_Noreturn static void handle(struct log_handler *self)
{
	struct epoll_event event;
	int timeout_ms = 0;

	self->epoll = insist_epoll();
	insist_add(self->epoll, self->uffd, ABOUT_UFFD);
	insist_add(self->epoll, self->caller, ABOUT_CALLER);
	for (;;) {
		int nr = sys_epoll_wait(self->epoll, &event, 1, timeout_ms);

		if (is_ending(self) || (nr > 0 && event.data.u64 == ABOUT_CALLER))
			sys_exit(0);
		timeout_ms = log_handle(self);
		if (timeout_ms < 0 && self->shared->nr_relieved > 0)
			timeout_ms = LOOK_MS;
	}
}

static void live_as_handler(void *arg)
{
	struct log_handler *self = arg;

	close_all_but((int[]){ self->uffd, self->caller }, 2);
	handle(self);
}

/* It has been stopped, by a signal or a tracer. */
static bool is_stopped(const struct log_handler *self)
{
	struct procfs_stat stat;
	char text[4096];
	ssize_t size = sys_pread(self->stat, text, sizeof(text), 0);

	return size > 0 && procfs_parse_stat(text, (size_t)size, &stat) == 0 &&
	       (stat.state == 'T' || stat.state == 't');
}

/*
 * Nothing has moved since the last look, and there is something to do. `faults` is readable when writers are unread.
 * One that merely waits for a processor would not be helped: another would wait, too.
 */
static bool is_stuck(const struct log_handler *self, int faults, uint64_t *turn, unsigned *nr_looks)
{
	const struct log_shared *shared = self->shared;
	uint64_t before = *turn;
	struct epoll_event event;

	*turn = __atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST);
	if (*turn != before ||
	    ((*turn & 1) == 0 && log_nr_waiting(shared) == 0 && sys_epoll_wait(faults, &event, 1, 0) <= 0)) {
		*nr_looks = 0;
		return false;
	}
	return ++*nr_looks >= NR_LOOKS || is_stopped(self);
}

/* Until the handler is dead. */
static void wait_until_it_is_over(struct log_handler *self, int deaths)
{
	int interval_ms = (int)(self->shared->max_stall_ns / 4 / 1000000);
	uint64_t turn = ~(uint64_t)0;
	struct epoll_event event;
	int faults = insist_epoll();
	unsigned nr_looks = 0;

	insist_add(faults, self->uffd, ABOUT_UFFD);
	for (;;) {
		int nr = sys_epoll_wait(deaths, &event, 1, interval_ms > 0 ? interval_ms : 1);

		if (is_ending(self) || (nr > 0 && event.data.u64 == ABOUT_CALLER))
			sys_exit(0);
		if (nr > 0 && event.data.u64 == ABOUT_HANDLER)
			break;
		if (nr == 0 && is_stuck(self, faults, &turn, &nr_looks))
			sys_pidfd_kill(self->handler);
	}
	sys_close(faults);
}

static void live_as_standby(void *arg)
{
	struct log_handler *self = arg;
	int deaths;

	close_all_but((int[]){ self->uffd, self->caller, self->handler, self->stat }, 4);
	deaths = insist_epoll();
	insist_add(deaths, self->caller, ABOUT_CALLER);
	insist_add(deaths, self->handler, ABOUT_HANDLER);
	wait_until_it_is_over(self, deaths);
	sys_close(deaths);
	sys_close(self->handler);
	sys_close(self->stat);
	self->shared->nr_relieved++;
	/* Without one we do as well as we can. */
	self->handler = sys_pidfd_open(getpid());
	if (self->handler >= 0)
		start_standby(self, "/proc/self/stat");
	sys_close(self->handler);
	handle(self);
}

/* Of the process whose pidfd is self->handler, `stat` says how it is. */
static pid_t start_standby(struct log_handler *self, const char *stat)
{
	pid_t pid;

	self->stat = sys_open(stat, O_RDONLY);
	pid = clone_helper(live_as_standby, self);
	sys_close(self->stat);
	return pid;
}

static int insist_pidfd(pid_t pid)
{
	int pidfd = -EIO;

	for (int tries = 0; tries < NR_TRIES && pidfd < 0; tries++)
		pidfd = sys_pidfd_open(pid);
	return pidfd;
}

int log_start(struct log *log, int uffd)
{
	struct log_handler self = { .shared = log->shared, .uffd = uffd, .epoll = -1, .handler = -1, .stat = -1 };
	char stat[32];
	int result = sys_pidfd_open(getpid());

	self.caller = result;
	if (result >= 0)
		result = log->handler_pid = clone_helper(live_as_handler, &self);
	if (result > 0)
		result = log->handler = self.handler = insist_pidfd(log->handler_pid);
	snprintf(stat, sizeof(stat), "/proc/%d/stat", log->handler_pid);
	if (result >= 0)
		result = log->standby_pid = start_standby(&self, stat);
	if (result > 0)
		result = log->standby = insist_pidfd(log->standby_pid);
	sys_close(self.caller);
	return result < 0 ? result : 0;
}
