/* SPDX-License-Identifier: MIT */
/* This file clears soft-dirty bits: clear_refs of the kernel's fs/proc/task_mmu.c. */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

/* A page that a device may write to keeps its mark: nothing would set it again. */
static bool keeps_mark(struct model *model, const struct mm *mm, const struct vma *vma, const struct entry *entry)
{
	return entry->kind == ENTRY_PAGE && entry->write && vma_is_private(vma) && mm->has_pinned &&
	       folio_may_be_pinned(folio_at(model, entry->of));
}

static void clear_entry(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                        void *arg)
{
	bool is_huge = table_entry(model, mm, page, false) == NULL;

	(void)arg;
	if (vma->kind == MODEL_HUGETLB || keeps_mark(model, mm, vma, entry))
		return;
	entry->soft = false;
	if (entry->kind != ENTRY_SWAP && entry->kind != ENTRY_MIGRATION)
		entry->write = false;
	for (uint64_t i = 0; i < (is_huge ? MODEL_HUGE : 1); i++)
		truth_of(mm, page + i)->soft = false;
	step(model, 0);
}

/* Marks of entries, not of their mappings. */
static void clear_entries(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	huge_split_at(model, mm, start, end);
	for (uint64_t page = start; page < end; page++)
		if (table_look(model, mm, page).kind == ENTRY_NONE)
			truth_of(mm, page)->soft = false;
	each_entry(model, mm, start, end, clear_entry, NULL);
}

/* That whole mappings are marked is forgotten in [start, end). */
static void clear_mappings(struct mm *mm, uint64_t start, uint64_t end)
{
	for (struct vma *vma = vma_next(mm, start);
	     vma != NULL && vma < mm->vmas.items + mm->vmas.nr && vma->start < end; vma++)
		vma->is_soft = vma->is_unsure = false;
}

int op_clear_soft(struct doing *doing)
{
	uint64_t end = FIRST_PAGE + MODEL_PAGES;

	if (!doing->model->opts.has_soft_dirty)
		return 0;
	lock_mmap_write(doing->model, doing->mm);
	clear_mappings(doing->mm, FIRST_PAGE, end);
	clear_entries(doing->model, doing->mm, FIRST_PAGE, end);
	unlock_mmap(doing->model, doing->mm);
	return 0;
}

/* The part becomes a mapping of its own, as the flag of a mapping speaks for all of it. */
int op_clear_part(struct doing *doing)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;
	bool is_stale = model->opts.bug == MODEL_BUG_STALE_SOFT;

	if (!model->opts.has_soft_dirty)
		return -EOPNOTSUPP;
	lock_mmap_write(model, mm);
	if (!is_stale) {
		vma_isolate(model, mm, doing->start, doing->end);
		clear_mappings(mm, doing->start, doing->end);
	}
	clear_entries(model, mm, doing->start, doing->end);
	for (uint64_t page = doing->start; page < doing->end; page++)
		truth_of(mm, page)->alone = is_stale;
	unlock_mmap(model, mm);
	return 0;
}
