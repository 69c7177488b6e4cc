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

/* What was read becomes entries and waiting writers; nothing is left in the batch. */
static void sort_out(struct log_shared *shared, uint64_t now_ns)
{
	for (size_t i = 0; i < LOG_NR_BATCH; i++) {
		uint64_t start, end, to;

		switch (uffd_decode(&shared->batch[i], &start, &end, &to)) {
		case UFFD_WRITE:
			if (shared->nr_waiting == LOG_NR_WAITING) /* cannot be: nothing was read then */
				continue;
			shared->waiting[shared->nr_waiting] = (struct log_waiting){ start, now_ns };
			in_order();
			shared->nr_waiting++;
			shared->nr_faults++;
			break;
		case UFFD_REMOVAL:
			append(shared, start, end, LOG_LEAVING);
			break;
		case UFFD_MOVE:
			append(shared, start, end, LOG_LEAVING);
			append(shared, to, to + (end - start), LOG_UNKNOWN);
			break;
		case UFFD_UNMAP:
			append(shared, start, end, LOG_UNKNOWN);
			break;
		default:
			break;
		}
		in_order();
		memset(&shared->batch[i], 0, sizeof(shared->batch[i]));
	}
}

static void take_messages(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;

	/* What somebody else has read, and was killed. */
	sort_out(shared, sys_clock_ns(CLOCK_MONOTONIC));
	while (shared->nr_waiting + LOG_NR_BATCH <= LOG_NR_WAITING) {
		long nr = uffd_read(handler->uffd, shared->batch, LOG_NR_BATCH);

		if (nr > 0)
			sort_out(shared, sys_clock_ns(CLOCK_MONOTONIC));
		if (nr < LOG_NR_BATCH)
			break;
	}
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
	if (result < 0 && is_overdue) {
		append(handler->shared, waiting->page, waiting->page + LOG_PAGE, LOG_UNKNOWN);
		result = uffd_unregister(handler->uffd, waiting->page, waiting->page + LOG_PAGE);
	}
	return result < 0 ? -EAGAIN : 0;
}

/* May the first one that waits go, as far as the throttle is concerned? */
static bool is_free(const struct log_shared *shared, uint64_t now_ns)
{
	return shared->throttle_bytes_per_s == 0 || now_ns >= shared->free_from_ns;
}

static void charge(struct log_shared *shared, uint64_t now_ns)
{
	uint64_t bytes = shared->granularity_bytes;

	if (shared->throttle_bytes_per_s == 0)
		return;
	if (shared->free_from_ns + BURST_NS < now_ns)
		shared->free_from_ns = now_ns - BURST_NS;
	shared->free_from_ns += (uint64_t)((double)bytes * 1e9 / (double)shared->throttle_bytes_per_s);
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
	append(shared, start, start + shared->granularity_bytes, LOG_WRITTEN);
}

/* Is it the turn of the first one that waits, who then need not ask again? */
static bool may_go(struct log_shared *shared, uint64_t now_ns, bool is_overdue)
{
	bool has_hole = __atomic_load_n(&shared->has_overflowed, __ATOMIC_SEQ_CST) != 0;

	if (shared->first_may_go)
		return true;
	if (!has_hole && !is_overdue && (is_full(shared) || !is_free(shared, now_ns)))
		return false;
	charge(shared, now_ns);
	if (shared->throttle_bytes_per_s != 0)
		shared->throttled_ns += now_ns - shared->waiting[0].since_ns;
	in_order();
	shared->first_may_go = 1;
	return true;
}

/* The first one that waits. 0: it has gone; -EAGAIN: it has to wait on. */
static int serve(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;
	struct log_waiting waiting = shared->waiting[0];
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	bool is_overdue = now_ns - waiting.since_ns >= shared->max_stall_ns;
	uint64_t waited_ns;

	if (!may_go(shared, now_ns, is_overdue))
		return -EAGAIN;
	if (is_full(shared))
		__atomic_store_n(&shared->has_overflowed, 1, __ATOMIC_SEQ_CST);
	list(shared, &waiting);
	if (lift(handler, &waiting, is_overdue) < 0)
		return -EAGAIN;
	waited_ns = sys_clock_ns(CLOCK_MONOTONIC) - waiting.since_ns;
	if (waited_ns > shared->longest_stall_ns)
		shared->longest_stall_ns = waited_ns;
	in_order();
	shared->first_may_go = 0;
	return 0;
}

static void drop_first(struct log_shared *shared)
{
	memmove(&shared->waiting[0], &shared->waiting[1], (shared->nr_waiting - 1) * sizeof(shared->waiting[0]));
	in_order();
	shared->nr_waiting--;
}

int log_handle(struct log_handler *handler)
{
	struct log_shared *shared = handler->shared;

	/* It may be odd already: who worked was killed. */
	__atomic_store_n(&shared->turn, shared->turn | 1, __ATOMIC_SEQ_CST);
	take_messages(handler);
	while (shared->nr_waiting > 0 && serve(handler) == 0)
		drop_first(shared);
	__atomic_store_n(&shared->turn, shared->turn + 1, __ATOMIC_SEQ_CST);
	return shared->nr_waiting > 0 ? TICK_MS : -1;
}
