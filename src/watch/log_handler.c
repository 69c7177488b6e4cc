/* SPDX-License-Identifier: MIT */
/*
 * This file answers write faults: it lists what is going to be written, and lifts its protection.
 *
 * In this order, so that a write that was made is in the list. A writer that finds no room in the list waits, and so
 * does one that the throttle holds back, neither for longer than `max_stall_ns`: then it is let go, unlisted if need
 * be, and the list says that it has a hole.
 *
 * All state is in shared memory, so that another process can go on at any instruction at which this one may be killed.
 * At worst an entry is listed twice, or a page lifted twice.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "kernel/sys.h"
#include "watch/log.h"

enum {
	TICK_MS = 1,
	BURST_NS = 10000000, /* the throttle lets so much pass at once: more than a tick's worth */
};

/* What was stored before is there, for whoever goes on after us, before what is stored after. */
static void in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void append(struct log_shared *shared, uint64_t start, uint64_t end, enum log_what what)
{
	uint64_t head = shared->head;
	uint64_t tail = __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE);
	struct log_entry *entry = &shared->entries[head % shared->nr_entries];

	if (head - tail >= shared->nr_entries) {
		__atomic_store_n(&shared->has_overflowed, 1, __ATOMIC_SEQ_CST);
		return;
	}
	*entry = (struct log_entry){ start, end, what };
	__atomic_store_n(&shared->head, head + 1, __ATOMIC_RELEASE);
}

static bool is_full(const struct log_shared *shared)
{
	return shared->head - __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE) >= shared->max_written;
}

static void add_waiting(struct log_shared *shared, uint64_t page, uint64_t now_ns)
{
	shared->waiting[shared->next % LOG_NR_WAITING] = (struct log_waiting){ page, now_ns };
	in_order();
	shared->next++;
	shared->nr_faults++;
}

/* One message becomes a waiting writer, or entries. False: there is no room for it now. */
static bool take(struct log_shared *shared, const struct uffd_message *message, uint64_t now_ns)
{
	uint64_t start, end, to;

	switch (uffd_decode(message, &start, &end, &to)) {
	case UFFD_WRITE:
		if (log_nr_waiting(shared) == LOG_NR_WAITING)
			return false;
		add_waiting(shared, start, now_ns);
		return true;
	case UFFD_REMOVAL:
		append(shared, start, end, LOG_LEAVING);
		return true;
	case UFFD_MOVE:
		append(shared, start, end, LOG_LEAVING);
		append(shared, to, to + (end - start), LOG_UNKNOWN);
		return true;
	case UFFD_UNMAP:
		append(shared, start, end, LOG_UNKNOWN);
		return true;
	default:
		return true;
	}
}

/* What was read. False: some of it is left, which can be only what one who was killed had half done. */
static bool sort_out(struct log_shared *shared)
{
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	bool is_done = true;

	for (size_t i = 0; i < LOG_NR_BATCH; i++) {
		if (!take(shared, &shared->batch[i], now_ns)) {
			is_done = false;
			continue;
		}
		in_order();
		memset(&shared->batch[i], 0, sizeof(shared->batch[i]));
	}
	return is_done;
}

/* All that is there to be read, as far as there is room. False: something is left. */
static bool take_messages(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;
	bool is_done = sort_out(shared); /* what somebody else has read, and was killed */

	while (is_done && log_nr_waiting(shared) + LOG_NR_BATCH <= LOG_NR_WAITING) {
		long nr = uffd_read(handler->uffd, shared->batch, LOG_NR_BATCH);

		if (nr > 0)
			is_done = sort_out(shared);
		if (nr < LOG_NR_BATCH)
			break;
	}
	return is_done;
}

/* Lets go who waits for the page: 0, or -EAGAIN: not now. */
static int lift(struct log_handler *handler, const struct log_waiting *waiting, bool is_overdue)
{
	uint64_t granularity = handler->shared->granularity_bytes;
	uint64_t start = waiting->page & ~(granularity - 1);
	int result = uffd_unprotect(handler->uffd, start, start + granularity);

	/* It sticks out of its mapping. */
	if (result == -ENOENT && granularity > LOG_PAGE)
		result = uffd_unprotect(handler->uffd, waiting->page, waiting->page + LOG_PAGE);
	/* There is another mapping now, or none. */
	if (result == -ENOENT)
		result = uffd_wake(handler->uffd, waiting->page, waiting->page + LOG_PAGE);
	/* So many threads give up memory that there was no instant between: it is not tracked any more. */
	if (result == -EAGAIN && is_overdue) {
		append(handler->shared, waiting->page, waiting->page + LOG_PAGE, LOG_UNKNOWN);
		result = uffd_unregister(handler->uffd, waiting->page, waiting->page + LOG_PAGE);
		/* Which wakes nobody who waits to write. */
		if (result == 0)
			result = uffd_wake(handler->uffd, waiting->page, waiting->page + LOG_PAGE);
	}
	return result < 0 && result != -ESRCH ? -EAGAIN : 0;
}

/* May the first one that waits go, as far as the throttle is concerned? */
static bool is_free(const struct log_shared *shared, uint64_t now_ns)
{
	return shared->throttle_bytes_per_s == 0 || now_ns >= shared->free_from_ns;
}

/* Nobody's debt is for much longer than he may be made to wait. */
static void charge(struct log_shared *shared, uint64_t now_ns)
{
	uint64_t latest_ns = now_ns + shared->max_stall_ns;
	uint64_t cost_ns;

	if (shared->throttle_bytes_per_s == 0)
		return;
	cost_ns = (uint64_t)((double)shared->granularity_bytes * 1e9 / (double)shared->throttle_bytes_per_s);
	if (shared->free_from_ns + BURST_NS < now_ns)
		shared->free_from_ns = now_ns - BURST_NS;
	if (shared->free_from_ns > latest_ns)
		shared->free_from_ns = latest_ns;
	shared->free_from_ns += cost_ns;
}

/*
 * Listed anew at each attempt to lift it: who collects may have taken the entry meanwhile, and protected the page. What
 * is still there as the last one will not be taken without waiting for us.
 */
static void list(struct log_shared *shared, const struct log_waiting *waiting)
{
	uint64_t start = waiting->page & ~(shared->granularity_bytes - 1);
	const struct log_entry *last = &shared->entries[(shared->head - 1) % shared->nr_entries];

	if (__atomic_load_n(&shared->has_overflowed, __ATOMIC_SEQ_CST))
		return;
	if (shared->head != __atomic_load_n(&shared->tail, __ATOMIC_SEQ_CST) && last->what == LOG_WRITTEN &&
	    last->start == start)
		return;
	if (is_full(shared))
		__atomic_store_n(&shared->has_overflowed, 1, __ATOMIC_SEQ_CST);
	else
		append(shared, start, start + shared->granularity_bytes, LOG_WRITTEN);
}

/* Is it the turn of the first one that waits, who then need not ask again? */
static bool may_go(struct log_shared *shared, const struct log_waiting *waiting, uint64_t now_ns, bool is_overdue)
{
	bool has_hole = __atomic_load_n(&shared->has_overflowed, __ATOMIC_SEQ_CST) != 0;

	if (shared->first_may_go)
		return true;
	if (!has_hole && !is_overdue && !is_free(shared, now_ns)) {
		if (shared->held_since_ns == 0)
			shared->held_since_ns = now_ns;
		return false;
	}
	if (!has_hole && !is_overdue && is_full(shared)) {
		shared->held_since_ns = 0;
		return false;
	}
	if (!has_hole)
		charge(shared, now_ns);
	if (shared->held_since_ns != 0)
		shared->throttled_ns += now_ns - (waiting->since_ns > shared->held_since_ns ? waiting->since_ns
		                                                                            : shared->held_since_ns);
	in_order();
	shared->first_may_go = 1;
	return true;
}

/* The first one that waits. 0: it has gone; -EAGAIN: it has to wait on. */
static int serve(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;
	struct log_waiting waiting = shared->waiting[shared->first % LOG_NR_WAITING];
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	bool is_overdue = now_ns - waiting.since_ns >= shared->max_stall_ns;
	uint64_t waited_ns;

	if (!may_go(shared, &waiting, now_ns, is_overdue))
		return -EAGAIN;
	list(shared, &waiting);
	if (lift(handler, &waiting, is_overdue) < 0)
		return -EAGAIN;
	waited_ns = sys_clock_ns(CLOCK_MONOTONIC) - waiting.since_ns;
	if (waited_ns > shared->longest_stall_ns)
		shared->longest_stall_ns = waited_ns;
	/* Whoever goes on for us in between lets the next one go too early, at worst. */
	in_order();
	shared->first++;
	in_order();
	shared->first_may_go = 0;
	return 0;
}

int log_handle(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;
	bool is_done;

	/* It may be odd already: who worked was killed. */
	__atomic_store_n(&shared->turn, shared->turn | 1, __ATOMIC_SEQ_CST);
	is_done = take_messages(handler);
	while (log_nr_waiting(shared) > 0 && serve(handler) == 0)
		;
	if (log_nr_waiting(shared) == 0)
		shared->held_since_ns = 0;
	__atomic_store_n(&shared->turn, shared->turn + 1, __ATOMIC_SEQ_CST);
	return is_done && log_nr_waiting(shared) == 0 ? -1 : TICK_MS;
}
