/* SPDX-License-Identifier: MIT */
/* This file is the side of the list of written pages that collects. */
#include "watch/log.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/sys.h"

enum {
	MIN_FOR_REMOVALS = 1024,
	NR_TRIES = 4,
	NR_SPINS = 256,
	SYNC_MS = 2000,
};

int log_open(struct log *log, int uffd, const struct log_opts *opts)
{
	uint64_t nr_entries = opts->max_entries + opts->max_entries / 8 + MIN_FOR_REMOVALS;
	size_t bytes = sizeof(struct log_shared) + nr_entries * sizeof(struct log_entry);
	void *memory = NULL;
	int result;

	*log = (struct log){ .handler = -1, .standby = -1, .shared_bytes = bytes };
	result = sys_mmap(&memory, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (result < 0)
		return result;
	/* Where that is not permitted, the writers wait for swap. */
	sys_mlock(memory, bytes);
	log->shared = memory;
	log->shared->granularity_bytes = opts->granularity_bytes;
	log->shared->max_stall_ns = opts->max_stall_ns;
	log->shared->throttle_bytes_per_s = opts->throttle_bytes_per_s;
	log->shared->nr_entries = nr_entries;
	log->shared->max_written = opts->max_entries;
	result = log_start(log, uffd);
	if (result < 0)
		log_close(log);
	return result;
}

static void end(int pidfd, pid_t pid)
{
	pid_t ended = -EIO;

	/* One that cannot be reached ends when we do. */
	if (pid <= 0 || pidfd < 0)
		return;
	for (int tries = 0; tries < NR_TRIES && sys_pidfd_kill(pidfd) < 0; tries++)
		;
	for (int tries = 0; tries < NR_TRIES && ended < 0 && ended != -ECHILD; tries++)
		ended = sys_wait4(pid, NULL, __WALL);
	sys_close(pidfd);
}

void log_close(struct log *log)
{
	if (log->shared == NULL)
		return;
	/* For one that took over, and is not known here. */
	__atomic_store_n(&log->shared->is_ending, 1, __ATOMIC_SEQ_CST);
	end(log->standby, log->standby_pid);
	end(log->handler, log->handler_pid);
	sys_munmap(log->shared, log->shared_bytes);
	*log = (struct log){ .handler = -1, .standby = -1 };
}

int log_sync(struct log *log)
{
	uint64_t turn = __atomic_load_n(&log->shared->turn, __ATOMIC_SEQ_CST);
	uint64_t deadline_ns = 0;

	for (unsigned i = 0; (turn & 1) != 0 && __atomic_load_n(&log->shared->turn, __ATOMIC_SEQ_CST) == turn; i++) {
		uint64_t now_ns;

		if (i < NR_SPINS)
			continue;
		now_ns = sys_clock_ns(CLOCK_MONOTONIC);
		if (deadline_ns == 0)
			deadline_ns = now_ns + SYNC_MS * 1000000ULL;
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		sys_yield();
	}
	return 0;
}

size_t log_nr(const struct log *log)
{
	return __atomic_load_n(&log->shared->head, __ATOMIC_ACQUIRE) - log->shared->tail;
}

const struct log_entry *log_entry(const struct log *log, size_t i)
{
	return &log->shared->entries[(log->shared->tail + i) % log->shared->nr_entries];
}

void log_drop(struct log *log, size_t nr)
{
	__atomic_store_n(&log->shared->tail, log->shared->tail + nr, __ATOMIC_RELEASE);
}

bool log_overflowed(struct log *log)
{
	return __atomic_exchange_n(&log->shared->has_overflowed, 0, __ATOMIC_SEQ_CST) != 0;
}
