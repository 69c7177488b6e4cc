/* SPDX-License-Identifier: MIT */
/* This file moves pages to other places in memory: mm/migrate.c of the kernel. */
#include <string.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

struct moving {
	uint32_t from, to;
};

/* An entry becomes one that makes every fault wait. */
static void leave(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, void *arg)
{
	const struct moving *moving = arg;

	(void)mm, (void)vma, (void)page;
	if (entry->kind != ENTRY_PAGE || entry->of != moving->from)
		return;
	entry->kind = ENTRY_MIGRATION;
	entry->exclusive = folio_at(model, entry->of)->pages[entry->index].exclusive;
	if (model->opts.bug == MODEL_BUG_MIGRATE_SOFT)
		entry->soft = false;
	step(model, 0);
	folio_release(model, entry->of, entry->index);
}

static void arrive(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, void *arg)
{
	const struct moving *moving = arg;

	(void)mm, (void)vma, (void)page;
	if (entry->kind != ENTRY_MIGRATION || entry->of != moving->from)
		return;
	folio_get(model, moving->to, 1);
	folio_map(model, moving->to, entry->index);
	folio_at(model, moving->to)->pages[entry->index].exclusive = entry->exclusive;
	entry->kind = ENTRY_PAGE;
	entry->of = moving->to;
	entry->exclusive = false;
	step(model, moving->to);
}

/* A child that is being made has to be whole first: it may have a copy of an entry that waits. */
static void each_mm(struct model *model, entry_fn *fn, struct moving *moving)
{
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		struct mm *mm = &model->mms[i];

		if (!mm->is_taken)
			continue;
		lock_mmap_read(model, mm);
		if (mm->is_there)
			each_entry(model, mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, fn, moving);
		unlock_mmap(model, mm);
	}
}

static void move_cached(struct model *model, uint32_t from, uint32_t to)
{
	uint32_t slot = folio_at(model, from)->slot;

	folio_at(model, from)->slot = 0;
	slot_cache(model, slot, to);
}

/* Base pages that nobody but their mappings refers to. */
static void migrate(struct model *model, uint32_t from)
{
	struct moving moving = { .from = from };
	struct folio *folio = folio_at(model, from);

	if (folio->is_huge || folio->in_cache || !trylock_folio(model, from))
		return;
	folio_get(model, from, 1);
	if (folio->nr_refs == folio_mapcount_all(folio) + 1) {
		moving.to = folio_new(model, false, folio->is_anon);
		each_mm(model, leave, &moving);
		*folio_at(model, moving.to)->pages = (struct page){ .value = folio->pages[0].value };
		folio_at(model, moving.to)->is_ksm = folio->is_ksm;
		folio_at(model, moving.to)->is_lazy = folio->is_lazy;
		if (folio->slot != 0)
			move_cached(model, from, moving.to);
		each_mm(model, arrive, &moving);
		folio_put(model, moving.to, 1);
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
