/* SPDX-License-Identifier: MIT */
/*
 * The list of written pages that synchronous write protection gives, and the two processes that keep it.
 *
 * A writer waits until somebody has read of it and lifted the protection. That is the handler, a process of its own:
 * whoever stops, hangs or kills the one that collects keeps no writer waiting. A second one, the standby, takes over
 * when the handler itself is stopped or killed. Both end when the collecting process does. They share this memory with
 * it; each of its members has one writer at a time, except where it says otherwise.
 */
#ifndef WATCH_LOG_H
#define WATCH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/uffd.h"

enum {
	LOG_PAGE = 4096,
	LOG_NR_BATCH = 64,
	LOG_NR_WAITING = 4096,
};

enum log_what {
	LOG_WRITTEN,
	LOG_LEAVING, /* is about to be given up, or has moved away */
	LOG_UNKNOWN, /* is not mapped any more, or other memory has moved there, with its protection */
};

struct log_entry {
	uint64_t start;
	uint64_t end;
	uint64_t what; /* enum log_what */
};

struct log_waiting {
	uint64_t page;
	uint64_t since_ns;
};

struct log_shared {
	/* What is asked for. */
	uint64_t granularity_bytes;
	uint64_t max_stall_ns;
	uint64_t throttle_bytes_per_s; /* 0: no limit */
	uint64_t nr_entries;
	uint64_t max_written; /* of them: the rest is for what is given up, which nobody waits to list */

	/* Odd while the handler works: all that it has read until it is even again is in the list, and lifted. */
	uint64_t turn;
	uint64_t head; /* entries appended; entry i is at i % nr_entries */
	uint64_t tail; /* entries taken: written by who collects */
	/* Writers were let go unlisted, as the list was full for too long. Set by the handler, cleared by who collects.
	 */
	uint32_t has_overflowed;
	uint32_t is_ending; /* written by who collects */

	/* Measured since the beginning. */
	uint64_t nr_faults;
	uint64_t longest_stall_ns;
	uint64_t throttled_ns;
	uint64_t nr_relieved;

	/* In the handler's hands; the standby goes on from here. */
	struct uffd_message batch[LOG_NR_BATCH]; /* all zero: nothing was read */
	uint64_t free_from_ns;                   /* the throttle lets the next one go */
	uint32_t first_may_go;  /* neither the list nor the throttle keeps the first of those that wait */
	uint64_t held_since_ns; /* the throttle has kept the first of those that wait, and so the others; 0: no */
	uint64_t first, next;   /* of those that wait; number i is at i % LOG_NR_WAITING */
	struct log_waiting waiting[LOG_NR_WAITING];

	struct log_entry entries[];
};

/* How many writers wait. */
static inline uint64_t log_nr_waiting(const struct log_shared *shared)
{
	return __atomic_load_n(&shared->next, __ATOMIC_SEQ_CST) - __atomic_load_n(&shared->first, __ATOMIC_SEQ_CST);
}

struct log_opts {
	uint64_t granularity_bytes;
	uint64_t max_stall_ns;
	uint64_t throttle_bytes_per_s;
	uint64_t max_entries; /* of writes */
};

struct log {
	struct log_shared *shared;
	size_t shared_bytes;
	int handler; /* pidfds */
	int standby;
	pid_t handler_pid;
	pid_t standby_pid;
};

/* Starts both for the userfaultfd `uffd`. 0 or -errno, and nothing is left then. */
int log_open(struct log *log, int uffd, const struct log_opts *opts);

/* Ends both. All zero, or as log_open() left it after a failure, is fine. */
void log_close(struct log *log);

/*
 * Everything that was let go before this call is in the list, and is not touched by the handler any more. 0, or
 * -ETIMEDOUT: it does not answer, nor does the standby.
 */
int log_sync(struct log *log);

/* How many entries there are; entry `i` of them; the first `nr` are not needed any more. */
size_t log_nr(const struct log *log);
const struct log_entry *log_entry(const struct log *log, size_t i);
void log_drop(struct log *log, size_t nr);

/* Writers were let go unlisted since the last time that this was asked; from now on they are listed again. */
bool log_overflowed(struct log *log);

/* log_process.c. Starts both processes; on failure some of it may be left to log_close(). */
int log_start(struct log *log, int uffd);

/* One of the two processes. log_handler.c */
struct log_handler {
	struct log_shared *shared;
	int uffd;
	int caller;  /* pidfd of the process that collects */
	int handler; /* pidfd; -1: we are it */
	int stat;    /* of the handler's /proc/PID/stat */
	int epoll;
};

/* What there is to do now, and how long may be waited then, in ms; -1: until something comes. */
int log_handle(struct log_handler *handler);

#endif
