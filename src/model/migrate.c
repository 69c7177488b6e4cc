/* SPDX-License-Identifier: MIT */
/* This file moves pages to other places in memory: mm/migrate.c of the kernel. */
#include <string.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static void move_cached(struct model *model, uint32_t from, uint32_t to)
{
	uint32_t slot = folio_at(model, from)->slot;

	folio_at(model, from)->slot = 0;
	slot_cache(model, slot, to);
}

static void copy_to(struct model *model, uint32_t from, uint32_t to)
{
	const struct folio *old = folio_at(model, from);
	struct folio *folio = folio_at(model, to);

	folio->pages[0] = (struct page){ .value = old->pages[0].value };
	folio->is_ksm = old->is_ksm;
	folio->is_stable = old->is_stable;
	folio->is_lazy = old->is_lazy;
	folio->is_dirty = old->is_dirty;
	if (old->slot != 0)
		move_cached(model, from, to);
}

/* Base pages that nobody but their mappings refers to. */
static void migrate(struct model *model, uint32_t from)
{
	struct folio *folio = folio_at(model, from);

	if (folio->is_huge || folio->in_cache || !trylock_folio(model, from))
		return;
	folio_get(model, from, 1);
	if (folio->nr_refs == folio_mapcount_all(folio) + 1) {
		uint32_t to = folio_new(model, false, folio->is_anon);
		bool is_left;

		entries_leave(model, from);
		/* From now on nobody else comes by it; one may have a moment ago. */
		is_left = folio->nr_refs == 1;
		if (is_left)
			copy_to(model, from, to);
		entries_arrive(model, from, is_left ? &to : NULL);
		folio_put(model, to, 1);
	}
	unlock_folio(model, from);
	folio_put(model, from, 1);
}

int op_migrate(struct doing *doing)
{
	struct model *model = doing->model;

	lock_mmap_read(model, doing->mm);
	for (uint64_t page = doing->start; page < doing->end; page++) {
		struct entry entry = table_look(model, doing->mm, page);

		if (entry.kind == ENTRY_PAGE)
			migrate(model, entry.of);
	}
	unlock_mmap(model, doing->mm);
	return 0;
}

/* Private pages of this process alone go to a device's memory, of which the processor sees nothing. */
static void go_to_device(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                         void *arg)
{
	const struct folio *folio = entry->kind == ENTRY_PAGE ? folio_at(model, entry->of) : NULL;

	(void)mm, (void)vma, (void)page, (void)arg;
	if (folio == NULL || !folio->is_anon || folio->is_huge || folio->is_ksm || folio->nr_refs != 1 ||
	    !folio->pages[0].exclusive)
		return;
	entry->kind = ENTRY_DEVICE;
	entry->write = false;
	step(model, entry->of);
}

int op_to_device(struct doing *doing)
{
	lock_mmap_read(doing->model, doing->mm);
	each_entry(doing->model, doing->mm, doing->start, doing->end, go_to_device, NULL);
	unlock_mmap(doing->model, doing->mm);
	return 0;
}
