/* SPDX-License-Identifier: MIT */
/* This file drops memory that is tracked, and touches what was never there. */
#include "verify/hazards.h"

void hazard_pte_hole(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	arena_drop(arena, 7, 1);
	arena_collect(arena);
	/* The hole is armed again by that collect. */
	arena_write(arena, 7);
	arena_collect(arena);
	arena_drop(arena, 8, 1);
	arena_collect(arena);
	arena_read(arena, 8);
	arena_collect(arena);
	arena_write(arena, 8);
	arena_drop(arena, 9, 1);
	arena_write(arena, 9);
	arena_collect(arena);
}

void hazard_pmd_hole(struct arena *arena)
{
	arena_arm(arena);
	arena_drop(arena, 0, ARENA_BLOCK);
	arena_write(arena, ARENA_BLOCK + 3);
	arena_collect(arena);
	arena_write(arena, 5);
	arena_collect(arena);
	arena_drop(arena, 0, ARENA_BLOCK);
	arena_read(arena, 6);
	arena_collect(arena);
	arena_write(arena, 6);
	arena_write(arena, 7);
	arena_collect(arena);
}

void hazard_unpopulated(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 5);
	arena_collect(arena);
	arena_write(arena, 6);
	arena_write(arena, ARENA_BLOCK + 5);
	arena_collect(arena);
}

void hazard_zero_page(struct arena *arena)
{
	arena_read(arena, 5);
	arena_read(arena, ARENA_BLOCK + 5);
	arena_arm(arena);
	arena_write(arena, 5);
	arena_collect(arena);
	arena_write(arena, 6);
	arena_write(arena, ARENA_BLOCK + 5);
	arena_collect(arena);
}

void hazard_huge_zero_page(struct arena *arena)
{
	arena_read(arena, 5);
	arena_read(arena, ARENA_BLOCK + 5);
	if (!arena_is_huge(arena, 5))
		arena_cannot(arena, "the kernel gave no huge zero page");
	hazard_zero_page(arena);
}

/* The new mapping may become one with its old neighbour. */
void hazard_replaced(struct arena *arena)
{
	arena_arm(arena);
	arena_write(arena, 3);
	arena_replace(arena, ARENA_BLOCK, ARENA_BLOCK);
	arena_collect(arena);
	arena_write(arena, 4);
	arena_write(arena, ARENA_BLOCK + 4);
	arena_collect(arena);
}
