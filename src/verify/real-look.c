/* SPDX-License-Identifier: MIT */
/* This file looks at an actor's arena from outside: its entries, and what its present pages hold. */
#include <errno.h>
#include <string.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "verify/real.h"

static uint32_t seen_of(uint64_t entry)
{
	static const struct {
		uint64_t bit;
		uint32_t seen;
	} bits[] = {
		{ PAGEMAP_PRESENT, SEEN_PRESENT }, { PAGEMAP_SWAPPED, SEEN_SWAPPED }, { PAGEMAP_FILE, SEEN_FILE },
		{ PAGEMAP_EXCLUSIVE, SEEN_ONCE },  { PAGEMAP_UFFD_WP, SEEN_ARMED },   { PAGEMAP_SOFT_DIRTY, SEEN_SOFT },
	};
	uint32_t seen = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((entry & bits[i].bit) != 0)
			seen |= bits[i].seen;
	return seen;
}

static int look_at_entries(const struct real_process *process, struct model_seen *seen)
{
	uint64_t entries[MODEL_PAGES];
	long nr = pagemap_read(process->pagemap, MODEL_BASE, entries, MODEL_PAGES);

	if (nr != MODEL_PAGES)
		return nr < 0 ? (int)nr : -ESRCH;
	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		seen[i] = (struct model_seen){ .flags = seen_of(entries[i]) };
	return 0;
}

/* Which present pages are huge, or the zero page: pagemap's entries do not tell. A place for one of hugetlb is huge. */
static int look_at_kinds(const struct real_process *process, struct model_seen *seen)
{
	struct pagescan_region regions[MODEL_PAGES];
	struct pagescan scan = {
		.start = MODEL_BASE,
		.end = MODEL_BASE + (uint64_t)MODEL_PAGES * 4096,
		.all_of = PAGESCAN_PRESENT,
		.any_of = PAGESCAN_HUGE | PAGESCAN_ZERO,
		.returned = PAGESCAN_HUGE | PAGESCAN_ZERO,
	};
	long nr = pagescan(process->pagemap, &scan, regions, MODEL_PAGES);

	for (long i = 0; i < nr; i++) {
		uint32_t flags = ((regions[i].categories & PAGESCAN_HUGE) != 0 ? SEEN_HUGE : 0) |
		                 ((regions[i].categories & PAGESCAN_ZERO) != 0 ? SEEN_ZERO : 0);

		for (uint64_t at = regions[i].start; at < regions[i].end; at += 4096)
			seen[(at - MODEL_BASE) / 4096].flags |= flags;
	}
	return nr < 0 ? (int)nr : 0;
}

/*
 * What forbids reading is read past it, where the kernel lets others than tracers do that (before Linux 7.2).
 * process_vm_readv() would not do: it unshares what fork shares.
 */
static int look_into_one(const struct real_process *process, struct model_seen *seen, uint32_t page)
{
	ssize_t got =
	        sys_pread(process->memory, &seen[page].value, sizeof(seen[page].value), (off_t)actor_address(page));

	if (got == -EIO)
		seen[page].flags |= SEEN_UNREAD;
	return got == sizeof(seen[page].value) || got == -EIO ? 0 : got < 0 ? (int)got : -ENODATA;
}

/* The process itself reads what it may. */
static int look_at_contents(struct real *real, unsigned number, struct model_seen *seen)
{
	struct model_op look = { .kind = (enum model_op_kind)ACTOR_LOOK, .process = number };
	struct actor_board *board = real->actor->board;
	struct actor_answer answer;
	int result;

	board->nr = 0;
	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		if ((seen[i].flags & SEEN_PRESENT) != 0)
			board->pages[board->nr++] = i;
	result = board->nr > 0 ? real_ask(real, &look, &answer) : 0;
	for (uint32_t i = 0; result == 0 && i < board->nr; i++) {
		if (board->unreadable[i])
			result = look_into_one(&real->processes[number], seen, board->pages[i]);
		else
			seen[board->pages[i]].value = board->values[i];
	}
	return result;
}

int real_look(struct side *side, unsigned process, struct model_seen *seen)
{
	struct real *real = (struct real *)side;
	const struct real_process *whom = &real->processes[process];
	int result = look_at_entries(whom, seen);

	if (result == 0 && (side->sees & SEEN_HUGE) != 0)
		result = look_at_kinds(whom, seen);
	return result < 0 ? result : look_at_contents(real, process, seen);
}
