/* SPDX-License-Identifier: MIT */
/* This file answers PAGEMAP_SCAN that only asks: which pages are of the categories that the masks say. */
#include "model/run.h"
#include "model/vma.h"

/* The huge zero page is no page of a file here, other than in pagemap. */
static uint64_t categories_of(uint32_t flags)
{
	return ((flags & (SEEN_FILE | SEEN_ZERO)) == SEEN_FILE ? ASK_FILE : 0) |
	       (flags & SEEN_PRESENT ? ASK_PRESENT : 0) | (flags & SEEN_SWAPPED ? ASK_SWAPPED : 0) |
	       (flags & SEEN_ZERO ? ASK_ZERO : 0) | (flags & SEEN_HUGE ? ASK_HUGE : 0);
}

static bool is_asked_for(uint64_t categories, uint64_t value)
{
	uint64_t all = value & 0xffff, any = value >> 16 & 0xffff, inverted = value >> 32 & 0xffff;

	categories ^= inverted;
	return (categories & all) == all && (any == 0 || (categories & any) != 0);
}

int op_scan(struct doing *doing)
{
	struct model_seen seen[MODEL_PAGES];

	model_look(doing->model, doing->op->process, seen);
	for (uint64_t page = doing->start; page < doing->end; page++) {
		uint64_t i = page - FIRST_PAGE;

		/* What is not mapped is no page. */
		if (vma_find(doing->mm, page) != NULL && is_asked_for(categories_of(seen[i].flags), doing->op->value))
			model_report(doing->result, i);
	}
	return 0;
}
