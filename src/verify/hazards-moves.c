/* SPDX-License-Identifier: MIT */
/* This file shares, moves, swaps out and migrates memory that is tracked. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "kernel/sys.h"
#include "verify/hazards.h"
#include "verify/helper.h"

#define NODES 64

void hazard_fork(struct arena *arena)
{
	struct helper helper;
	int result;

	arena_arm(arena);
	arena_write(arena, 2);
	if (arena->error < 0)
		return;
	result = helper_start(&helper);
	if (result < 0)
		arena_failed(arena, result, "fork()");
	/* Copied on write, twice over an armed entry. */
	arena_write(arena, 4);
	arena_collect(arena);
	arena_write(arena, 4);
	arena_write(arena, 6);
	arena_collect(arena);
	helper_end(&helper);
	/* Nobody shares it any more: the page is taken over, not copied. */
	arena_write(arena, 8);
	arena_collect(arena);
}

void hazard_mremap(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 2);
	arena_move(arena);
	arena_collect(arena);
	arena_write(arena, 2);
	arena_write(arena, 3);
	arena_collect(arena);
}

static void swap_out(struct arena *arena)
{
	arena_advise(arena, 0, ARENA_PAGES, MADV_PAGEOUT);
	if (arena_nr_swapped(arena) == 0)
		arena_cannot(arena, "nothing of it could be swapped out");
}

void hazard_swap(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	swap_out(arena);
	arena_collect(arena);
	/* Comes in to be written, and to be read. */
	arena_write(arena, 5);
	arena_read(arena, 6);
	arena_collect(arena);
	swap_out(arena);
	arena_write(arena, 6);
	arena_write(arena, 7);
	arena_collect(arena);
}

/* The node that a page is on, or -errno. */
static int node_of(void *page)
{
	int status = -ENODEV;
	long result = sys_move_pages(1, &page, NULL, &status, 0);

	return result < 0 ? (int)result : status;
}

static void migrate(struct arena *arena)
{
	void *pages[ARENA_PAGES];
	int nodes[ARENA_PAGES];
	int status[ARENA_PAGES];
	int here;

	if (arena->error < 0)
		return;
	for (unsigned i = 0; i < ARENA_PAGES; i++)
		pages[i] = (void *)(uintptr_t)(arena->start + (size_t)i * ARENA_PAGE);
	here = node_of(pages[0]);
	for (int node = 0; here >= 0 && node < NODES; node++) {
		for (unsigned i = 0; i < ARENA_PAGES; i++)
			nodes[i] = node;
		if (node != here && sys_move_pages(ARENA_PAGES, pages, nodes, status, MPOL_MF_MOVE) >= 0 &&
		    node_of(pages[0]) == node)
			return;
	}
	arena_cannot(arena, "no other memory node to migrate pages to");
}

void hazard_migration(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	migrate(arena);
	arena_collect(arena);
	arena_write(arena, 3);
	arena_write(arena, 4);
	arena_collect(arena);
	migrate(arena);
	arena_write(arena, ARENA_BLOCK + 4);
	arena_collect(arena);
}
