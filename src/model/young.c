/* SPDX-License-Identifier: MIT */
/*
 * This file prepares and checks whether a page was used: DAMON's damon_ptep_mkold() and damon_young_pmd_entry(), with
 * the folio's young and idle flags, by which those who clear the same bit do not take it from each other.
 *
 * A walk of page tables needs the mmap lock: whoever has it for writing may free them.
 */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

/* The entry, read table by table as a walk does; NULL: nothing is there. */
static struct entry *walk(struct doing *doing)
{
	uint32_t id = doing->mm->top;

	for (unsigned level = LEVELS - 1;; level--) {
		struct table *table = doing->model->tables.items[id];
		struct entry *entry = &table->entries[doing->start >> 9 * level & (ENTRIES - 1)];

		if (table->is_freed)
			break_model(doing->model, "a walk reads a table that was freed");
		if (level == 0 || entry->kind != ENTRY_TABLE)
			return entry->kind == ENTRY_PAGE || entry->kind == ENTRY_HUGE ? entry : NULL;
		id = entry->of;
		step(doing->model, 0);
	}
}

static int on_page(struct doing *doing, void (*fn)(struct doing *doing, struct entry *entry))
{
	bool locks = doing->model->opts.bug != MODEL_BUG_WALK_UNLOCKED;
	struct entry *entry;

	if (locks)
		lock_mmap_read(doing->model, doing->mm);
	entry = vma_find(doing->mm, doing->start) != NULL ? walk(doing) : NULL;
	if (entry != NULL)
		fn(doing, entry);
	if (locks)
		unlock_mmap(doing->model, doing->mm);
	return 0;
}

static void make_old(struct doing *doing, struct entry *entry)
{
	struct folio *folio = folio_at(doing->model, entry->of);

	folio->is_young = folio->is_young || entry->young;
	folio->is_idle = true;
	entry->young = false;
	step(doing->model, entry->of);
}

static void check(struct doing *doing, struct entry *entry)
{
	const struct folio *folio = folio_at(doing->model, entry->of);

	doing->result->value = entry->young || !folio->is_idle;
}

int op_mkold(struct doing *doing)
{
	return on_page(doing, make_old);
}

int op_young(struct doing *doing)
{
	return on_page(doing, check);
}

/* clear_refs with 1: the bit is taken, and nothing is left for anyone else. */
static void clear_entry(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                        void *arg)
{
	(void)mm, (void)page, (void)arg;
	if ((entry->kind != ENTRY_PAGE && entry->kind != ENTRY_HUGE) || vma->kind == MODEL_HUGETLB)
		return;
	entry->young = false;
	folio_at(model, entry->of)->is_young = false;
	step(model, entry->of);
}

int op_clear_young(struct doing *doing)
{
	lock_mmap_write(doing->model, doing->mm);
	each_entry(doing->model, doing->mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, clear_entry, NULL);
	unlock_mmap(doing->model, doing->mm);
	return 0;
}
