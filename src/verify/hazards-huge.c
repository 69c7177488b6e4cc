/* SPDX-License-Identifier: MIT */
/* This file splits and makes huge pages that are tracked. */
#include <errno.h>
#include <sys/mman.h>

#include "kernel/sys.h"
#include "verify/hazards.h"
#include "verify/helper.h"

void hazard_huge_split(struct arena *arena)
{
	size_t huge = arena_huge_bytes();

	arena_arm(arena);
	if (arena_huge_bytes() < huge)
		arena_cannot(arena, "arming alone split the huge pages");
	arena_write(arena, 3);
	arena_collect(arena);
	arena_write(arena, 3);
	arena_write(arena, ARENA_BLOCK - 1);
	arena_write(arena, ARENA_BLOCK);
	arena_collect(arena);
}

/* The folio itself comes apart, by way of migration entries; base pages of zeroes may become the zero page. */
void hazard_folio_split(struct arena *arena)
{
	size_t huge;

	arena_arm(arena);
	huge = arena_huge_bytes();
	arena_advise(arena, 0, 16, MADV_COLD);
	if (arena_huge_bytes() >= huge)
		arena_cannot(arena, "MADV_COLD on a part of a huge page left it whole");
	arena_write(arena, 4);
	arena_write(arena, 5);
	arena_collect(arena);
	/* Written before the split, with something and with zeroes. */
	arena_write(arena, ARENA_BLOCK + 6);
	arena_zero(arena, ARENA_BLOCK + 9);
	arena_advise(arena, ARENA_BLOCK, 16, MADV_COLD);
	arena_collect(arena);
	arena_write(arena, ARENA_BLOCK + 9);
	arena_write(arena, ARENA_BLOCK + 200);
	arena_collect(arena);
}

/* That the kernel refuses is as good an answer as one in which the write is still reported. */
void hazard_collapse(struct arena *arena)
{
	arena_advise(arena, 0, ARENA_PAGES, MADV_HUGEPAGE);
	arena_arm(arena);
	arena_write(arena, 3);
	arena_advise(arena, 0, ARENA_BLOCK, MADV_COLLAPSE);
	arena_collect(arena);
	arena_write(arena, 3);
	arena_write(arena, 4);
	arena_advise(arena, 0, ARENA_BLOCK, MADV_COLLAPSE);
	arena_write(arena, 5);
	arena_collect(arena);
}

/* Half of it was never touched: collecting that hung some kernels. */
void hazard_hugetlb(struct arena *arena)
{
	struct helper helper;
	int result;

	arena_arm(arena);
	arena_write(arena, 3);
	arena_collect(arena);
	if (arena->error < 0)
		return;
	result = helper_start(&helper);
	if (result < 0)
		arena_failed(arena, result, "fork()");
	arena_collect(arena);
	helper_end(&helper);
	arena_write(arena, 4);
	arena_collect(arena);
}
