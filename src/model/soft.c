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

static void clear_entry(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, void *arg)
{
	bool is_huge = table_entry(model, mm, page, false) == NULL;

	(void)arg;
	if (keeps_mark(model, mm, vma, entry))
		return;
	entry->soft = false;
	if (entry->kind != ENTRY_SWAP && entry->kind != ENTRY_MIGRATION)
		entry->write = false;
	for (uint64_t i = 0; i < (is_huge ? MODEL_HUGE : 1); i++)
		truth_of(mm, page + i)->soft = false;
	step(model, 0);
}

int op_clear_soft(struct doing *doing)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;

	if (!model->opts.has_soft_dirty)
		return 0;
	lock_mmap_write(model, mm);
	for (size_t i = 0; i < mm->vmas.nr; i++)
		mm->vmas.items[i].is_soft = false;
	for (size_t i = 0; i < MODEL_PAGES; i++)
		if (table_look(model, mm, FIRST_PAGE + i).kind == ENTRY_NONE)
			mm->truth[i].soft = false;
	each_entry(model, mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, clear_entry, NULL);
	unlock_mmap(model, mm);
	return 0;
}

/* The part becomes a mapping of its own, as the flag of a mapping speaks for all of it. */
int op_clear_part(struct doing *doing)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;

	if (!model->opts.has_soft_dirty)
		return -EOPNOTSUPP;
	lock_mmap_write(model, mm);
	if (model->opts.bug != MODEL_BUG_STALE_SOFT) {
		vma_isolate(model, mm, doing->start, doing->end);
		for (struct vma *vma = vma_next(mm, doing->start);
		     vma != NULL && vma < mm->vmas.items + mm->vmas.nr && vma->start < doing->end; vma++)
			vma->is_soft = false;
	}
	huge_split_at(model, mm, doing->start, doing->end);
	each_entry(model, mm, doing->start, doing->end, clear_entry, NULL);
	for (uint64_t page = doing->start; page < doing->end; page++)
		*truth_of(mm, page) = (struct truth){ .armed = truth_of(mm, page)->armed, .alone = true };
	unlock_mmap(model, mm);
	return 0;
}
