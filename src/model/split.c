/* SPDX-License-Identifier: MIT */
/*
 * This file has entries wait for a folio that is on its way, and splits huge ones: split_huge_page() and the migration
 * entries of the kernel.
 */
#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"

struct moving {
	uint32_t from;
	const uint32_t *to;
	uint32_t nr_arrived;
};

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
	if (entry->dirty)
		folio_at(model, entry->of)->is_dirty = true;
	step(model, 0);
	folio_release(model, entry->of, entry->index);
}

/* Of a page that is split off and holds zeros only the zero page is mapped instead. */
static bool becomes_zero(struct model *model, const struct moving *moving, uint32_t to)
{
	return moving->to != NULL && model->opts.splits_map_zeros && folio_at(model, moving->from)->is_huge &&
	       folio_at(model, to)->pages[0].value == 0;
}

static void arrive(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, void *arg)
{
	struct moving *moving = arg;
	uint32_t to;

	(void)mm, (void)vma, (void)page;
	if (entry->kind != ENTRY_MIGRATION || entry->of != moving->from)
		return;
	to = moving->to != NULL ? moving->to[entry->index] : moving->from;
	if (moving->to != NULL)
		entry->index = 0;
	if (becomes_zero(model, moving, to)) {
		entry->kind = ENTRY_ZERO;
		entry->of = to = 0;
		entry->write = entry->dirty = false;
	} else {
		folio_get(model, to, 1);
		folio_map(model, to, entry->index);
		folio_at(model, to)->pages[entry->index].exclusive = entry->exclusive;
		/* It is made dirty again, and so marked. What migrates may have been where it was to go (follow.c). */
		if (entry->dirty && model->opts.moves_mark && folio_at(model, moving->from)->is_huge)
			entry->soft = true;
		entry->kind = ENTRY_PAGE;
		entry->of = to;
	}
	entry->exclusive = false;
	moving->nr_arrived++;
	step(model, to);
}

/* A child that is being made has to be whole first: it may have a copy of an entry that waits. */
static void each_mm(struct model *model, void (*fn)(struct model *, struct mm *, struct moving *),
                    struct moving *moving)
{
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		struct mm *mm = &model->mms[i];

		if (!mm->is_taken)
			continue;
		lock_mmap_read(model, mm);
		if (mm->is_there)
			fn(model, mm, moving);
		unlock_mmap(model, mm);
	}
}

static void leave_all(struct model *model, struct mm *mm, struct moving *moving)
{
	for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page += MODEL_HUGE) {
		struct table *table = NULL;
		struct entry *huge = table_huge_entry(model, mm, page, false, &table);

		if (huge == NULL || huge->kind != ENTRY_HUGE || huge->of != moving->from)
			continue;
		lock_table(model, table);
		if (huge->kind == ENTRY_HUGE && huge->of == moving->from)
			huge_split_to_leave(model, huge);
		unlock_table(model, table);
	}
	each_entry(model, mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, leave, moving);
}

static void arrive_all(struct model *model, struct mm *mm, struct moving *moving)
{
	each_entry(model, mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, arrive, moving);
}

void entries_leave(struct model *model, uint32_t from)
{
	struct moving moving = { .from = from };

	each_mm(model, leave_all, &moving);
}

void entries_arrive(struct model *model, uint32_t from, const uint32_t *to)
{
	struct moving moving = { .from = from, .to = to };

	/* Meanwhile one that was not visited yet may have had a child in a place that was. */
	do {
		moving.nr_arrived = 0;
		each_mm(model, arrive_all, &moving);
	} while (moving.nr_arrived > 0);
}

/* A folio for each page. */
static void divide(struct model *model, uint32_t id, uint32_t *to)
{
	for (unsigned i = 0; i < MODEL_HUGE; i++) {
		const struct folio *from;
		struct folio *page;

		to[i] = folio_new(model, false, true);
		from = folio_at(model, id);
		page = folio_at(model, to[i]);
		page->pages[0].value = from->pages[i].value;
		page->is_lazy = from->is_lazy;
		page->is_dirty = from->is_dirty;
		page->is_active = from->is_active;
	}
}

bool folio_split(struct model *model, uint32_t id)
{
	struct folio *folio = folio_at(model, id);
	uint32_t to[MODEL_HUGE];
	bool is_split = false;

	if (!trylock_folio(model, id))
		return false;
	folio_get(model, id, 1);
	if (folio->nr_refs == folio_mapcount_all(folio) + 1) {
		entries_leave(model, id);
		/* From now on nobody else comes by it. */
		is_split = folio->nr_refs == 1;
		if (is_split)
			divide(model, id, to);
		entries_arrive(model, id, is_split ? to : NULL);
	}
	for (unsigned i = 0; is_split && i < MODEL_HUGE; i++)
		folio_put(model, to[i], 1);
	unlock_folio(model, id);
	folio_put(model, id, 1);
	return is_split;
}
