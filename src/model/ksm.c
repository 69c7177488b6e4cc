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
	uint32_t folio;
	unsigned index;
	uint64_t value;
	struct table *table; /* of its own entry; NULL, as that: a huge one speaks for it */
	struct entry *entry;
};

static bool find_candidate(struct model *model, struct mm *mm, uint64_t page, struct candidate *out)
{
	const struct vma *vma = vma_find(mm, page);
	struct entry entry;

	if (vma == NULL || !vma->is_mergeable)
		return false;
	entry = table_look(model, mm, page);
	if ((entry.kind != ENTRY_PAGE && entry.kind != ENTRY_HUGE) || !folio_at(model, entry.of)->is_anon)
		return false;
	*out = (struct candidate){
		.mm = mm, .page = page, .folio = entry.of, .index = entry.index, .value = *entry_value(model, &entry)
	};
	if (entry.kind == ENTRY_PAGE) {
		out->table = table_of(model, table_huge_entry(model, mm, page, false, NULL));
		out->entry = &out->table->entries[page & (ENTRIES - 1)];
	}
	return true;
}

/* A base page, to which it has a reference, comes of it: as it is now, whatever was found before. */
static bool hold(struct model *model, struct candidate *one)
{
	if (!find_candidate(model, one->mm, one->page, one))
		return false;
	if (folio_at(model, one->folio)->is_huge &&
	    (!folio_split(model, one->folio) || !find_candidate(model, one->mm, one->page, one) ||
	     folio_at(model, one->folio)->is_huge))
		return false;
	folio_get(model, one->folio, 1);
	return true;
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

/* The entry is still as it was protected: nobody has written since. */
static bool is_unchanged(const struct candidate *one, uint32_t id)
{
	return one->entry->kind == ENTRY_PAGE && one->entry->of == id && !one->entry->write;
}

/* The page `old` by `merged`, unless it has changed. */
static bool replace(struct model *model, struct candidate *one, uint32_t old, uint32_t merged)
{
	bool result;

	lock_table(model, one->table);
	result = is_unchanged(one, old) &&
	         folio_at(model, old)->pages[0].value == folio_at(model, merged)->pages[0].value;
	if (result) {
		if (folio_at(model, old)->nr_pins + folio_at(model, merged)->nr_pins > 0)
			break_model(model, "KSM merges a page that a device writes to");
		folio_get(model, merged, 1);
		folio_map(model, merged, 0);
		/* Nothing of the old entry is kept, a mark neither. */
		*one->entry = (struct entry){ .kind = ENTRY_PAGE, .of = merged, .young = true };
		step(model, merged);
		folio_release(model, old, 0);
		truth_of(one->mm, one->page)->soft = false;
	}
	unlock_table(model, one->table);
	return result;
}

static void make_merged(struct model *model, uint32_t id)
{
	folio_at(model, id)->is_ksm = folio_at(model, id)->is_dirty = true;
	slot_uncache(model, folio_at(model, id)->slot);
}

/*
 * The page became KSM's for nothing, or is to be that no more: its process gets one of its own again. That is unshared
 * as it is, or written to.
 */
static void break_again(struct model *model, struct candidate *one, uint32_t id)
{
	uint32_t copy = folio_new(model, false, true);
	bool writes = model->opts.unmerges_by_write;

	lock_table(model, one->table);
	if (is_unchanged(one, id)) {
		folio_at(model, copy)->pages[0].exclusive = true;
		folio_at(model, copy)->pages[0].value = folio_at(model, id)->pages[0].value;
		folio_get(model, copy, 1);
		folio_map(model, copy, 0);
		one->entry->of = copy;
		one->entry->dirty = writes;
		one->entry->soft = one->entry->soft || writes;
		one->entry->uffd_wp = one->entry->uffd_wp && !writes;
		one->entry->write = writes && vma_find(one->mm, one->page)->protection & MODEL_WRITE;
		step(model, copy);
		folio_release(model, id, 0);
	}
	unlock_table(model, one->table);
	folio_put(model, copy, 1);
}

void ksm_unmerge(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	struct candidate one;

	for (uint64_t page = start; page < end; page++)
		if (find_candidate(model, mm, page, &one) && one.entry != NULL && folio_at(model, one.folio)->is_ksm &&
		    !(model->opts.stops_at_forbidden && vma_find(mm, page)->protection == 0))
			break_again(model, &one, one.folio);
}

/* The page `one` goes, for one that is KSM's: try_to_merge_with_ksm_page(). false: it stays. */
static bool join(struct model *model, struct candidate *one, uint32_t merged)
{
	uint32_t old;
	bool result;

	if (!hold(model, one))
		return false;
	old = one->folio;
	result = write_protect(model, one, old) && replace(model, one, old, merged);
	folio_put(model, old, 1);
	return result;
}

static void merge_with(struct model *model, struct candidate *one, struct candidate *other)
{
	make_merged(model, other->folio);
	if (join(model, one, other->folio))
		folio_at(model, other->folio)->is_stable = true;
	else
		break_again(model, other, other->folio);
}

/* `other` goes, for a page that is merged already. */
static void merge_into(struct model *model, struct candidate *other, uint32_t merged)
{
	folio_get(model, merged, 1);
	(void)join(model, other, merged);
	folio_put(model, merged, 1);
}

/*
 * The later page becomes KSM's, and the earlier one is replaced by it: try_to_merge_two_pages(). Two of one folio are
 * merged after that is split.
 */
static void merge_two(struct model *model, struct candidate *one, struct candidate *other)
{
	if (one->folio == other->folio) {
		(void)folio_split(model, one->folio);
		return;
	}
	if (!hold(model, other))
		return;
	if (write_protect(model, other, other->folio))
		merge_with(model, one, other);
	folio_put(model, other->folio, 1);
}

/* The same page twice, as after fork, is nothing to merge. */
static bool is_equal(const struct candidate *one, const struct candidate *other)
{
	return one->value == other->value && (one->folio != other->folio || one->index != other->index);
}

/* The processes that KSM knows, in the order in which it came to know them. */
struct known {
	struct mm *mms[MODEL_PROCESSES];
	unsigned nr;
};

static void lock_known(struct model *model, struct known *known)
{
	known->nr = 0;
	for (uint32_t nr = 1; nr <= model->nr_ksm; nr++)
		for (unsigned i = 0; i < MODEL_PROCESSES; i++)
			if (model->mms[i].is_there && model->mms[i].ksm_nr == nr)
				known->mms[known->nr++] = &model->mms[i];
	for (unsigned i = 0; i < known->nr; i++)
		lock_mmap_read(model, known->mms[i]);
}

/* The pages that come before it, until one is equal. */
static void merge_into_earlier(struct model *model, const struct known *known, struct candidate *other)
{
	for (unsigned i = 0; i < known->nr; i++)
		for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page++) {
			struct candidate one;

			if (known->mms[i] == other->mm && page == other->page)
				return;
			if (find_candidate(model, known->mms[i], page, &one) && is_equal(&one, other)) {
				merge_two(model, &one, other);
				return;
			}
		}
}

/* KSM's own page of these contents; 0: there is none. */
static uint32_t find_merged(struct model *model, uint64_t value)
{
	for (uint32_t id = 1; id < model->folios.nr; id++)
		if (folio_at(model, id)->is_stable && folio_at(model, id)->pages[0].value == value &&
		    folio_mapcount_all(folio_at(model, id)) > 0)
			return id;
	return 0;
}

static void merge_one(struct model *model, const struct known *known, struct candidate *other)
{
	uint32_t merged = find_merged(model, other->value);

	if (merged != 0)
		merge_into(model, other, merged);
	else
		merge_into_earlier(model, known, other);
}

/* Each page once; what became KSM's for nothing is not tried again. */
static void pass(struct model *model, const struct known *known)
{
	struct candidate other;

	for (unsigned i = 0; i < known->nr; i++)
		for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page++)
			if (find_candidate(model, known->mms[i], page, &other) && !folio_at(model, other.folio)->is_ksm)
				merge_one(model, known, &other);
}

static bool mm_stops_merging(struct model *model, struct mm *mm)
{
	struct candidate one;

	for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page++)
		if (find_candidate(model, mm, page, &one) && vma_find(mm, page)->protection == 0 &&
		    !folio_at(model, one.folio)->is_ksm)
			return true;
	return false;
}

bool ksm_sees_all(const struct model *model)
{
	for (unsigned i = 0; i < MODEL_PROCESSES && model->opts.stops_at_forbidden; i++)
		if (model_has(model, i) && mm_stops_merging((struct model *)model, (struct mm *)&model->mms[i]))
			return false;
	return true;
}

int op_merge(struct doing *doing)
{
	struct model *model = doing->model;
	struct known known;

	lock_known(model, &known);
	/* What the first one split is merged in the second. */
	pass(model, &known);
	pass(model, &known);
	for (unsigned i = 0; i < known.nr; i++)
		unlock_mmap(model, known.mms[i]);
	return 0;
}
