/* SPDX-License-Identifier: MIT */
/*
 * This file does to an arena what its operations say: maps, moves, advises, reads and writes. The calls are the subject
 * of the comparison, and are made as they stand, not through sys.h's table.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "kernel/sys.h"
#include "verify/actor.h"

#define NODES 2

static int done(long result)
{
	return result < 0 ? -errno : 0;
}

static void *at(uint32_t page)
{
	return (void *)(uintptr_t)actor_address(page);
}

static size_t size_of(const struct model_op *op)
{
	return (size_t)op->nr * 4096;
}

static int protection(uint64_t value)
{
	return ((value & MODEL_READ) != 0 ? PROT_READ : 0) | ((value & MODEL_WRITE) != 0 ? PROT_WRITE : 0);
}

static int map(const struct actor *actor, const struct model_op *op)
{
	int flags = MAP_FIXED | (op->flags == MODEL_SHARED ? MAP_SHARED : MAP_PRIVATE);
	int file = op->flags == MODEL_FILE ? actor->file : -1;
	off_t offset = op->flags == MODEL_FILE ? (off_t)op->page * 4096 : 0;

	if (file < 0)
		flags |= MAP_ANONYMOUS;
	return mmap(at(op->page), size_of(op), protection(op->value), flags, file, offset) == MAP_FAILED ? -errno : 0;
}

static int map_hugetlb(const struct model_op *op)
{
	int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB;

	return mmap(at(op->page), size_of(op), protection(op->value), flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

int actor_mapping(struct actor *actor, const struct model_op *op)
{
	if (op->kind == OP_MAP)
		return map(actor, op);
	if (op->kind == OP_MAP_HUGETLB)
		return map_hugetlb(op);
	if (op->kind == OP_UNMAP)
		return done(munmap(at(op->page), size_of(op)));
	return done(mprotect(at(op->page), size_of(op), protection(op->value)));
}

int actor_move(struct actor *actor, const struct model_op *op)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (op->flags != 0 ? MREMAP_DONTUNMAP : 0);

	return mremap(at(op->page), size_of(op), size_of(op), flags, at(op->to)) == MAP_FAILED ? -errno : 0;
}

/* Where a handler goes on; it has no other way to know. */
static sigjmp_buf fault;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(fault, 1);
}

int actor_catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	int result = sys_sigaction(SIGSEGV, &action, NULL);

	return result < 0 ? result : sys_sigaction(SIGBUS, &action, NULL);
}

int actor_access(const struct model_op *op, uint64_t *value)
{
	volatile uint64_t *word = at(op->page);

	if (sigsetjmp(fault, 0) != 0)
		return -EFAULT;
	if (op->kind == OP_WRITE)
		*word = op->value;
	else
		*value = *word;
	return 0;
}

void actor_look(struct actor_board *board)
{
	/* A handler may come in between. */
	for (volatile uint32_t i = 0; i < board->nr; i++) {
		board->unreadable[i] = sigsetjmp(fault, 0) != 0;
		if (!board->unreadable[i])
			board->values[i] = *(volatile uint64_t *)at(board->pages[i]);
	}
}

int actor_advise(const struct model_op *op)
{
	static const int advice[NR_MODEL_OPS] = {
		[OP_DONTNEED] = MADV_DONTNEED, [OP_FREE] = MADV_FREE,           [OP_COLD] = MADV_COLD,
		[OP_PAGEOUT] = MADV_PAGEOUT,   [OP_HUGEPAGE] = MADV_HUGEPAGE,   [OP_NOHUGEPAGE] = MADV_NOHUGEPAGE,
		[OP_COLLAPSE] = MADV_COLLAPSE, [OP_MERGEABLE] = MADV_MERGEABLE, [OP_UNMERGEABLE] = MADV_UNMERGEABLE,
	};
	size_t size = op->kind == OP_COLLAPSE ? (size_t)MODEL_HUGE * 4096 : size_of(op);

	if (op->kind >= NR_MODEL_OPS || advice[op->kind] == 0)
		return -ENOSYS;
	return done(madvise(at(op->page), size, advice[op->kind]));
}

/* Each page goes to the node where it is not, also when others map it; those that are not there stay so. */
int actor_migrate(const struct model_op *op)
{
	void *pages[MODEL_PAGES];
	int nodes[MODEL_PAGES];
	int status[MODEL_PAGES];
	uint32_t nr = 0;
	long result;

	for (uint32_t i = 0; i < op->nr; i++)
		pages[i] = at(op->page + i);
	result = sys_move_pages(op->nr, pages, NULL, status, 0);
	if (result < 0)
		return (int)result;
	for (uint32_t i = 0; i < op->nr; i++) {
		if (status[i] < 0)
			continue;
		nodes[nr] = (status[i] + 1) % NODES;
		pages[nr++] = pages[i];
	}
	result = nr == 0 ? 0 : sys_move_pages(nr, pages, nodes, status, MPOL_MF_MOVE_ALL);
	return result < 0 ? (int)result : 0;
}
