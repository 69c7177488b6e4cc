/* SPDX-License-Identifier: MIT */
/*
 * This file is what happens at a write to a protected page: the page is marked, then lifted, and the write goes on.
 *
 * It runs in a handler of SIGSEGV, in any thread, and in a child after fork(): it takes no lock, allocates nothing, and
 * calls mprotect(2) and madvise(2) only. All of its own memory that it writes is in pages of its own, which are never
 * protected.
 *
 * A fault says what was at the time. By now the page may have been lifted, or given up by a watch that was closed. So
 * where it cannot tell otherwise, it asks the kernel whether a write would do now (MADV_POPULATE_WRITE, which does to
 * the page what the write will do in a moment), and if so has it tried again.
 *
 * Who collects must know when the handlers have ended that were under way at some moment. Each counts itself in one of
 * two counters. The collector waits until the one is zero that nobody goes to, sends the handlers there, and waits for
 * the other: so it does not wait for those that come later, however many there are.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "watch/mprotect.h"
#include "watch/tracker.h"

enum {
	NR_WATCHES = 8,
};

/* A handler cannot be told whose it is, and must find this. It has its pages to itself: alignment pads. */
static struct board {
	struct guarded *watches[NR_WATCHES];
	uint64_t nr_inside[2];
	uint32_t turn; /* where handlers count themselves now */
	bool is_locked;
	bool knows_forks;
	unsigned nr_watches;
} __attribute__((aligned(4096))) board;

static void lock(void)
{
	while (__atomic_test_and_set(&board.is_locked, __ATOMIC_SEQ_CST))
		sys_yield();
}

static void unlock(void)
{
	__atomic_clear(&board.is_locked, __ATOMIC_SEQ_CST);
}

/* Other threads, and what they were at, are not there. */
static void after_fork(void)
{
	board.nr_inside[0] = board.nr_inside[1] = 0;
	for (size_t i = 0; i < NR_WATCHES; i++)
		if (board.watches[i] != NULL)
			board.watches[i]->is_lifting = 0;
	unlock();
}

bool fault_needs(uint64_t at)
{
	const uint64_t here = (uint64_t)(uintptr_t)&board;

	if (at >= here && at < here + sizeof(board))
		return true;
	for (size_t i = 0; i < NR_WATCHES; i++) {
		const struct guarded *watch = __atomic_load_n(&board.watches[i], __ATOMIC_SEQ_CST);
		uint64_t start = (uint64_t)(uintptr_t)watch;

		if (watch != NULL && at >= start && at < start + watch->size)
			return true;
	}
	return false;
}

static unsigned enter(void)
{
	unsigned turn = __atomic_load_n(&board.turn, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&board.nr_inside[turn], 1, __ATOMIC_SEQ_CST);
	return turn;
}

static void leave(unsigned turn)
{
	__atomic_fetch_sub(&board.nr_inside[turn], 1, __ATOMIC_SEQ_CST);
}

static void wait_for(unsigned turn)
{
	while (__atomic_load_n(&board.nr_inside[turn], __ATOMIC_SEQ_CST) != 0)
		sys_yield();
}

void fault_wait(void)
{
	unsigned turn = __atomic_load_n(&board.turn, __ATOMIC_SEQ_CST);

	wait_for(!turn);
	__atomic_store_n(&board.turn, !turn, __ATOMIC_SEQ_CST);
	wait_for(turn);
}

static bool can_be_written(uint64_t page)
{
	return sys_madvise(guarded_pointer(page), WATCH_PAGE, ADVICE_POPULATE_WRITE) == 0;
}

/* Marks all pages from `at` on that are like the first, up to where the next one is not. */
static uint64_t mark_run(const struct guarded_range *range, uint64_t start)
{
	uint8_t first = guarded_load(guarded_page(range, start));
	uint64_t at = start;

	for (; at < range->end; at += WATCH_PAGE) {
		uint8_t *page = guarded_page(range, at);
		uint8_t flags = guarded_load(page);

		if (at > start && (flags ^ first) & (GUARDED_OURS | GUARDED_PROT))
			break;
		while (!(flags & GUARDED_WRITTEN) && flags & GUARDED_OURS &&
		       !__atomic_compare_exchange_n(page, &flags, flags | GUARDED_WRITTEN | GUARDED_BOUND, false,
		                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	return at;
}

/* Part of it may not be there any more: then as much as is. */
static void lift_run(uint64_t start, uint64_t end, int prot)
{
	uint64_t size = end - start;

	while (start < end) {
		if (sys_mprotect(guarded_pointer(start), size, prot) == -ENOMEM && size > WATCH_PAGE) {
			size = (size / 2 + WATCH_PAGE - 1) & ~(WATCH_PAGE - 1);
			continue;
		}
		start += size;
		size = end - start;
	}
}

/*
 * The whole range, where more pieces would be too many mappings: then it is few again. One handler does it; others that
 * come meanwhile try again.
 */
static void lift_range(struct guarded *watch, const struct guarded_range *range)
{
	if (__atomic_exchange_n(&watch->is_lifting, 1, __ATOMIC_SEQ_CST)) {
		sys_yield();
		return;
	}
	for (uint64_t at = range->start; at < range->end;) {
		uint8_t flags = guarded_load(guarded_page(range, at));
		uint64_t end = flags & GUARDED_OURS && flags & PROT_WRITE ? mark_run(range, at) : at + WATCH_PAGE;

		if (flags & GUARDED_OURS && flags & PROT_WRITE)
			lift_run(at, end, flags & GUARDED_PROT);
		at = end;
	}
	__atomic_store_n(&watch->is_lifting, 0, __ATOMIC_SEQ_CST);
}

/* A page among pages that are not written makes two mappings more; one that joins two pieces, two less. */
static bool is_too_many(struct guarded *watch, const struct guarded_range *range, uint64_t at)
{
	bool below = at > range->start && guarded_load(guarded_page(range, at - WATCH_PAGE)) & GUARDED_WRITTEN;
	bool above =
	        at + WATCH_PAGE < range->end && guarded_load(guarded_page(range, at + WATCH_PAGE)) & GUARDED_WRITTEN;

	if (below != above)
		return false;
	if (below) {
		__atomic_fetch_sub(&watch->nr_pieces, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	return (int64_t)__atomic_add_fetch(&watch->nr_pieces, 1, __ATOMIC_SEQ_CST) > (int64_t)watch->max_pieces;
}

/* First the mark, then the lifting: a page that is writable is marked. */
static bool lift_page(struct guarded *watch, const struct guarded_range *range, uint64_t at)
{
	uint8_t *page = guarded_page(range, at), flags = guarded_load(page);
	int result = -ENOMEM;

	do {
		if (!(flags & GUARDED_OURS) || !(flags & PROT_WRITE))
			return false;
	} while (!__atomic_compare_exchange_n(page, &flags, flags | GUARDED_WRITTEN, false, __ATOMIC_SEQ_CST,
	                                      __ATOMIC_SEQ_CST));
	if (flags & GUARDED_WRITTEN && can_be_written(at)) /* another thread was here */
		return true;
	if (flags & GUARDED_WRITTEN || !is_too_many(watch, range, at))
		result = sys_mprotect(guarded_pointer(at), WATCH_PAGE, flags & GUARDED_PROT);
	if (result != -ENOMEM)
		return result == 0;
	lift_range(watch, range);
	return __atomic_load_n(&watch->is_lifting, __ATOMIC_SEQ_CST) || can_be_written(at) ||
	       sys_mprotect(guarded_pointer(at), WATCH_PAGE, flags & GUARDED_PROT) == 0;
}

/* Nothing of ours is protected against reading. Where it cannot be told, it is taken for a write. */
static bool is_write(const ucontext_t *context)
{
#if defined(__x86_64__)
	return context->uc_mcontext.gregs[REG_ERR] & 2;
#elif defined(__aarch64__)
	const struct _aarch64_ctx *head = (const struct _aarch64_ctx *)context->uc_mcontext.__reserved;

	for (; head->magic != 0 && head->size != 0;
	     head = (const struct _aarch64_ctx *)((const char *)head + head->size))
		if (head->magic == ESR_MAGIC)
			return ((const struct esr_context *)head)->esr & 1 << 6;
	return true;
#else
	(void)context;
	return true;
#endif
}

static bool take(uint64_t at)
{
	for (size_t i = 0; i < NR_WATCHES; i++) {
		struct guarded *watch = __atomic_load_n(&board.watches[i], __ATOMIC_SEQ_CST);
		const struct guarded_range *range = watch != NULL ? guarded_range_from(watch, at) : NULL;

		if (range != NULL && range->start <= at && lift_page(watch, range, at))
			return true;
	}
	return can_be_written(at);
}

static bool on_fault(const siginfo_t *info, const void *context)
{
	unsigned turn;
	bool is_ours;

	if (info->si_code != SEGV_ACCERR || !is_write(context))
		return false;
	turn = enter();
	is_ours = take((uint64_t)(uintptr_t)info->si_addr & ~(WATCH_PAGE - 1));
	leave(turn);
	return is_ours;
}

static bool overlap(const struct guarded *one, struct guarded *other)
{
	for (size_t i = 0; i < one->nr; i++) {
		const struct guarded_range *range = guarded_range_from(other, one->ranges[i].start);

		if (range != NULL && range->start < one->ranges[i].end)
			return true;
	}
	return false;
}

/* Where it may go. */
static int find_place(const struct guarded *guarded, struct guarded ***out, struct tide_error *err)
{
	*out = NULL;
	for (size_t i = 0; i < NR_WATCHES; i++) {
		if (board.watches[i] == NULL)
			*out = &board.watches[i];
		else if (overlap(guarded, board.watches[i]))
			return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
			                 "a part of these ranges is watched by mprotect already: each page can have "
			                 "one such watch only");
	}
	if (*out == NULL)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "%d watches by mprotect are open: there cannot be more, but each can have many ranges",
		                 NR_WATCHES);
	return 0;
}

int fault_add(struct guarded *guarded, struct tide_error *err)
{
	struct guarded **place;
	int result;

	lock();
	result = find_place(guarded, &place, err);
	if (result == 0 && !board.knows_forks) {
		result = -pthread_atfork(NULL, NULL, after_fork);
		board.knows_forks = result == 0;
		if (result < 0)
			error_system(err, result, "cannot prepare for fork()");
	}
	if (result == 0) /* on top again, if somebody has come on top of it */
		result = relay_install(on_fault, err);
	if (result == 0) {
		board.nr_watches++;
		__atomic_store_n(place, guarded, __ATOMIC_SEQ_CST);
	}
	unlock();
	return result;
}

void fault_remove(struct guarded *guarded)
{
	lock();
	for (size_t i = 0; i < NR_WATCHES; i++)
		if (board.watches[i] == guarded)
			__atomic_store_n(&board.watches[i], NULL, __ATOMIC_SEQ_CST);
	fault_wait();
	if (--board.nr_watches == 0)
		relay_remove();
	unlock();
}
