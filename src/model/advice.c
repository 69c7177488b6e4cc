/* SPDX-License-Identifier: MIT */
/* This file takes advice: madvise() where it does not collapse, zap or merge. */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

/* What is advised, of one mapping. */
struct advised {
	uint64_t start, end;
};

/* All of its folio, in order and in one table, is advised with the page. */
static bool has_whole_folio(const struct entry *entry, uint64_t page, const struct advised *advised)
{
	uint64_t first = page - entry->index;
	const struct entry *entries = entry - entry->index;

	if (first % MODEL_HUGE != 0 || first < advised->start || advised->end - first < MODEL_HUGE)
		return false;
	for (unsigned i = 0; i < MODEL_HUGE; i++)
		if (entries[i].kind != ENTRY_PAGE || entries[i].of != entry->of || entries[i].index != i)
			return false;
	return true;
}

/* A page of a large folio that is advised in part, and so split; 6.1 splits it in any case. */
static bool is_part(struct model *model, uint64_t page, const struct entry *entry, const struct advised *advised)
{
	return entry->kind == ENTRY_PAGE && folio_at(model, entry->of)->is_huge &&
	       (model->opts.sharing == MODEL_SHARING_ONE_PAGE || !has_whole_folio(entry, page, advised));
}

static bool is_mapped_by_others(struct model *model, struct mm *mm, const struct entry *entry, bool is_free)
{
	return entry->kind == ENTRY_HUGE ? !folio_looks_alone(model, mm, entry, is_free)
	                                 : folio_mapcount(folio_at(model, entry->of), entry->index) != 1;
}

/* Nobody looks who else maps a small page that is dirty by its entry only. */
static bool may_be_given_up(struct model *model, struct mm *mm, const struct entry *entry)
{
	const struct folio *folio = folio_at(model, entry->of);

	if (!folio->is_anon || folio->slot != 0)
		return false;
	return (entry->kind == ENTRY_PAGE && !folio->is_huge && !folio->is_dirty) ||
	       !is_mapped_by_others(model, mm, entry, true);
}

/* The page may be thrown away from now on, until it is written to. */
static void give_up_later(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                          void *arg)
{
	(void)vma;
	if (is_part(model, page, entry, arg))
		return;
	if (entry->kind == ENTRY_SWAP) {
		uint32_t slot = entry->of;

		*entry = (struct entry){ 0 };
		*truth_of(mm, page) = (struct truth){ .armed = true };
		slot_put(model, slot);
	} else if (entry->kind == ENTRY_PAGE || entry->kind == ENTRY_HUGE) {
		struct folio *folio = folio_at(model, entry->of);

		if (!may_be_given_up(model, mm, entry))
			return;
		folio->is_lazy = true;
		folio->is_dirty = folio->is_active = false;
		entry->young = entry->dirty = false;
		step(model, entry->of);
	}
}

/*
 * Those that are this process's alone are split; the others stay as they are. Returns how far advice goes: 6.1 leaves
 * the rest of the block after one that stays.
 */
static uint64_t split_parts(struct doing *doing, uint64_t start, uint64_t end, const struct advised *advised)
{
	struct model *model = doing->model;

	for (uint64_t page = start; page < end; page++) {
		const struct entry *entry = table_entry(model, doing->mm, page, false);

		if (entry == NULL || !is_part(model, page, entry, advised))
			continue;
		if ((!folio_looks_alone(model, doing->mm, entry, doing->op->kind == OP_FREE) ||
		     !folio_split(model, entry->of)) &&
		    model->opts.sharing == MODEL_SHARING_ONE_PAGE)
			return page;
	}
	return end;
}

/* Block by block: what is meant in part is split first, or left as it is. */
static void on_blocks(struct doing *doing, uint64_t start, uint64_t end, entry_fn *fn)
{
	struct advised advised = { start, end };

	for (uint64_t at = start, next; at < end; at = next) {
		next = block_of(at) + MODEL_HUGE;
		next = next < end ? next : end;
		if (!huge_break_at(doing->model, doing->mm, at, next, doing->op->kind == OP_FREE))
			continue;
		each_entry(doing->model, doing->mm, at, split_parts(doing, at, next, &advised), fn, &advised);
	}
}

/* Each mapping by itself; what is not mapped is passed over, and said at the end. */
static int on_mappings(struct doing *doing, bool anonymous_only, entry_fn *fn)
{
	struct vma_part part;

	for (uint64_t at = doing->start; vma_next_part(doing->mm, at, doing->end, &part); at = part.end) {
		if (anonymous_only && part.vma->kind != MODEL_ANON)
			return -EINVAL;
		on_blocks(doing, part.start, part.end, fn);
	}
	return vma_covers(doing->mm, doing->start, doing->end) ? 0 : -ENOMEM;
}

int op_free(struct doing *doing)
{
	int result;

	lock_mmap_read(doing->model, doing->mm);
	result = on_mappings(doing, true, give_up_later);
	unlock_mmap(doing->model, doing->mm);
	return result;
}

static void make_cold(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                      void *arg)
{
	(void)vma;
	if (is_part(model, page, entry, arg))
		return;
	if (entry->kind == ENTRY_PAGE || entry->kind == ENTRY_HUGE) {
		struct folio *folio = folio_at(model, entry->of);

		if (is_mapped_by_others(model, mm, entry, false))
			return;
		folio->is_active = false;
		folio->is_young = folio->is_young || entry->young;
		entry->young = false;
		step(model, entry->of);
	}
}

/* A huge page that is advised in part is split. What memory is taken away in the end is the kernel's choice (follow.c).
 */
static int make_all_cold(struct doing *doing)
{
	int result;

	lock_mmap_read(doing->model, doing->mm);
	result = on_mappings(doing, false, make_cold);
	unlock_mmap(doing->model, doing->mm);
	return result;
}

int op_cold(struct doing *doing)
{
	return make_all_cold(doing);
}

int op_pageout(struct doing *doing)
{
	return make_all_cold(doing);
}

/* Each changes a copy of a mapping. */
static void set_huge(struct vma *vma, int8_t huge)
{
	vma->huge = huge;
}

static void set_mergeable(struct vma *vma, int8_t is_mergeable)
{
	if (vma_is_private(vma))
		vma->is_mergeable = is_mergeable;
}

/* A mapping that is as it is to be stays whole. */
static void set_part(struct doing *doing, uint64_t start, uint64_t end, void (*set)(struct vma *, int8_t), int8_t value)
{
	struct vma *vma = vma_find(doing->mm, start);
	struct vma changed = *vma;

	set(&changed, value);
	if (changed.huge == vma->huge && changed.is_mergeable == vma->is_mergeable)
		return;
	vma_isolate(doing->model, doing->mm, start, end);
	set(vma_find(doing->mm, start), value);
	vma_merge(doing->model, doing->mm, start, end);
}

static int set_flag(struct doing *doing, void (*set)(struct vma *, int8_t), int8_t value)
{
	struct mm *mm = doing->mm;
	struct vma_part part;

	lock_mmap_write(doing->model, mm);
	for (uint64_t at = doing->start; vma_next_part(mm, at, doing->end, &part); at = part.end)
		set_part(doing, part.start, part.end, set, value);
	unlock_mmap(doing->model, mm);
	return vma_covers(mm, doing->start, doing->end) ? 0 : -ENOMEM;
}

int op_hugepage(struct doing *doing)
{
	return set_flag(doing, set_huge, 1);
}

int op_nohugepage(struct doing *doing)
{
	return set_flag(doing, set_huge, -1);
}

int op_mergeable(struct doing *doing)
{
	struct mm *mm = doing->mm;
	int result = set_flag(doing, set_mergeable, 1);

	for (size_t i = 0; mm->ksm_nr == 0 && i < mm->vmas.nr; i++)
		if (mm->vmas.items[i].is_mergeable)
			mm->ksm_nr = ++doing->model->nr_ksm;
	return result;
}

int op_unmergeable(struct doing *doing)
{
	struct model *model = doing->model;

	lock_mmap_read(model, doing->mm);
	ksm_unmerge(model, doing->mm, doing->start, doing->end);
	unlock_mmap(model, doing->mm);
	return set_flag(doing, set_mergeable, 0);
}
