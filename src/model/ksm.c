/* SPDX-License-Identifier: MIT */
/* This file merges pages of the same contents: mm/ksm.c of the kernel. */
#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

/* A page that may be merged. */
struct candidate {
	struct mm *mm;
	uint64_t page;
	struct entry *entry;
	struct table *table;
};

static bool find_candidate(struct model *model, struct mm *mm, uint64_t page, struct candidate *out)
{
	const struct vma *vma = vma_find(mm, page);
	struct entry *huge = table_huge_entry(model, mm, page, false, NULL);
	const struct folio *folio;

	if (vma == NULL || !vma->is_mergeable || huge == NULL || huge->kind != ENTRY_TABLE)
		return false;
	out->table = table_of(model, huge);
	out->entry = &out->table->entries[page & (ENTRIES - 1)];
	out->mm = mm;
	out->page = page;
	if (out->entry->kind != ENTRY_PAGE)
		return false;
	folio = folio_at(model, out->entry->of);
	return folio->is_anon && !folio->is_huge;
}

/*
 * Makes the page read-only, so that it stays what it is. Anyone who holds a reference that is no mapping, a device or
 * O_DIRECT, may write to it all the same: `mapcount + 1 + swap cache != references`, where 1 is KSM's own.
 */
static bool write_protect(struct model *model, struct candidate *one, uint32_t id)
{
	struct folio *folio = folio_at(model, id);
	bool result = false;

	lock_table(model, one->table);
	if (one->entry->kind == ENTRY_PAGE && one->entry->of == id &&
	    (folio_mapcount_all(folio) + 1 == folio->nr_refs || model->opts.bug == MODEL_BUG_KSM_REFERENCE)) {
		folio->pages[0].exclusive = false;
		one->entry->write = one->entry->dirty = false;
		result = true;
	}
	unlock_table(model, one->table);
	return result;
}

static void replace(struct model *model, struct candidate *one, uint32_t merged)
{
	struct entry old = *one->entry;

	lock_table(model, one->table);
	folio_get(model, merged, 1);
	folio_map(model, merged, 0);
	/* Nothing of the old entry is kept, a mark neither. */
	*one->entry = (struct entry){ .kind = ENTRY_PAGE, .of = merged, .young = true };
	step(model, merged);
	folio_release(model, old.of, old.index);
	truth_of(one->mm, one->page)->soft = false;
	unlock_table(model, one->table);
}

/* Merges the page with the first that holds the same; both become the same page of KSM's. */
static void merge_two(struct model *model, struct candidate *one, struct candidate *other)
{
	uint32_t first = one->entry->of, second = other->entry->of;
	struct folio *folio = folio_at(model, first);

	folio_get(model, first, 1);
	folio_get(model, second, 1);
	if ((folio->is_ksm || write_protect(model, one, first)) && write_protect(model, other, second)) {
		if (folio->nr_pins + folio_at(model, second)->nr_pins > 0)
			break_model(model, "KSM merges a page that a device writes to");
		folio->is_ksm = true;
		slot_uncache(model, folio->slot);
		replace(model, other, first);
	}
	folio_put(model, second, 1);
	folio_put(model, first, 1);
}

static bool is_earlier(const struct candidate *a, struct mm *mm, uint64_t page)
{
	return a->mm < mm || (a->mm == mm && a->page < page);
}

static void merge_into_earlier(struct model *model, struct candidate *other)
{
	for (unsigned i = 0; i < MODEL_PROCESSES; i++)
		for (uint64_t page = FIRST_PAGE; model->mms[i].is_there && page < FIRST_PAGE + MODEL_PAGES; page++) {
			struct candidate one;

			if (!find_candidate(model, &model->mms[i], page, &one))
				continue;
			if (!is_earlier(&one, other->mm, other->page))
				return;
			if (one.entry->of != other->entry->of &&
			    *entry_value(model, one.entry) == *entry_value(model, other->entry)) {
				merge_two(model, &one, other);
				return;
			}
		}
}

int op_merge(struct doing *doing)
{
	struct model *model = doing->model;

	bool is_locked[MODEL_PROCESSES];

	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		is_locked[i] = model->mms[i].is_there;
		if (is_locked[i])
			lock_mmap_read(model, &model->mms[i]);
	}
	for (unsigned i = 0; i < MODEL_PROCESSES; i++)
		for (uint64_t page = FIRST_PAGE; is_locked[i] && page < FIRST_PAGE + MODEL_PAGES; page++) {
			struct candidate other;

			if (find_candidate(model, &model->mms[i], page, &other) &&
			    !folio_at(model, other.entry->of)->is_ksm)
				merge_into_earlier(model, &other);
		}
	for (unsigned i = 0; i < MODEL_PROCESSES; i++)
		if (is_locked[i])
			unlock_mmap(model, &model->mms[i]);
	return 0;
}
