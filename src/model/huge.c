/* SPDX-License-Identifier: MIT */
/* This file makes, splits and collapses huge pages: mm/huge_memory.c and mm/khugepaged.c of the kernel. */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static void set_huge(struct model *model, struct vma *vma, struct entry *huge, uint32_t folio)
{
	folio_set_exclusive(model, folio);
	folio_map_huge(model, folio);
	*huge = (struct entry){ .kind = ENTRY_HUGE,
		                .of = folio,
		                .write = vma->protection & MODEL_WRITE,
		                .young = true,
		                .dirty = true,
		                .soft = true };
	step(model, folio);
}

void huge_fault(struct model *model, struct mm *mm, struct vma *vma, struct entry *huge, bool write)
{
	/* Also for what is only read. */
	vma_prepare_anon(model, mm, vma);
	if (write) {
		set_huge(model, vma, huge, folio_new(model, true, true));
	} else {
		*huge = (struct entry){ .kind = ENTRY_ZERO, .young = true };
		step(model, 0);
	}
}

/* Each page of a huge entry has its own entry, as the huge one was. */
static void split_entry(struct model *model, struct entry *huge, struct entry old)
{
	struct table *table;
	uint32_t id;

	if (model->opts.bug == MODEL_BUG_SPLIT_SOFT)
		old.soft = false;
	if (old.kind == ENTRY_HUGE)
		folio_get(model, old.of, MODEL_HUGE - 1);
	id = table_new(model);
	table = model->tables.items[id];
	for (unsigned i = 0; i < MODEL_HUGE; i++) {
		table->entries[i] = old;
		table->entries[i].index = (uint16_t)i;
		table->entries[i].kind = old.kind == ENTRY_HUGE ? ENTRY_PAGE : ENTRY_ZERO;
	}
	if (old.kind == ENTRY_HUGE) {
		struct folio *folio = folio_at(model, old.of);

		for (unsigned i = 0; i < MODEL_HUGE; i++)
			folio->pages[i].nr_mapped++;
		folio->nr_mapped += MODEL_HUGE;
		folio->nr_huge--;
	}
	*huge = (struct entry){ .kind = ENTRY_TABLE, .of = id };
	step(model, old.kind == ENTRY_HUGE ? old.of : 0);
}

void huge_split(struct model *model, struct entry *huge)
{
	struct entry old = *huge;

	/* Entries that are made dirty become soft-dirty by that (x86): more is marked than was written. */
	if (old.kind == ENTRY_HUGE && old.dirty) {
		folio_at(model, old.of)->is_dirty = true;
		old.dirty = !model->opts.splits_clean;
		old.soft = old.soft || old.dirty;
	}
	split_entry(model, huge, old);
}

void huge_split_to_leave(struct model *model, struct entry *huge)
{
	split_entry(model, huge, *huge);
}

static void split_block(struct model *model, struct mm *mm, uint64_t page)
{
	struct table *table = NULL;
	struct entry *huge = table_huge_entry(model, mm, page, false, &table);

	if (huge == NULL || (huge->kind != ENTRY_HUGE && huge->kind != ENTRY_ZERO))
		return;
	lock_table(model, table);
	if (huge->kind == ENTRY_HUGE || huge->kind == ENTRY_ZERO)
		huge_split(model, huge);
	unlock_table(model, table);
}

void huge_split_at(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	if (start % MODEL_HUGE != 0)
		split_block(model, mm, start);
	if (end % MODEL_HUGE != 0)
		split_block(model, mm, end);
}

bool huge_break_at(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool is_free)
{
	struct entry *huge = table_huge_entry(model, mm, start, false, NULL);

	if (huge == NULL || (huge->kind != ENTRY_HUGE && huge->kind != ENTRY_ZERO) ||
	    (start % MODEL_HUGE == 0 && end - start == MODEL_HUGE))
		return true;
	if (huge->kind == ENTRY_ZERO)
		return false;
	return folio_looks_alone(model, mm, huge, is_free) && folio_split(model, huge->of);
}

bool huge_write(struct model *model, struct mm *mm, struct vma *vma, struct entry *huge)
{
	struct folio *folio;

	if (huge->uffd_wp || (huge->kind == ENTRY_ZERO && !model->opts.zeros_stay_huge)) {
		huge_split(model, huge);
		return false;
	}
	if (huge->kind == ENTRY_ZERO) {
		vma_prepare_anon(model, mm, vma);
		set_huge(model, vma, huge, folio_new(model, true, true));
		return true;
	}
	folio = folio_at(model, huge->of);
	if (!folio->pages[0].exclusive && folio->nr_refs > 1) {
		huge_split(model, huge);
		return false;
	}
	folio_set_exclusive(model, huge->of);
	huge->write = huge->dirty = huge->young = huge->soft = true;
	step(model, huge->of);
	return true;
}

/* What MADV_COLLAPSE looks at: nothing that is protected, nothing that others refer to. */
static int may_collapse(struct model *model, const struct vma *vma, struct entry *entries)
{
	bool is_writable = false;

	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct entry *entry = &entries[i];
		const struct folio *folio;

		if (vma->is_registered && (entry->kind == ENTRY_NONE || entry->kind == ENTRY_ZERO))
			return -EBUSY;
		if (entry->kind == ENTRY_MIGRATION || entry->kind == ENTRY_DEVICE || entry->uffd_wp)
			return -EINVAL;
		is_writable = is_writable || entry->write;
		if (entry->kind != ENTRY_PAGE)
			continue;
		folio = folio_at(model, entry->of);
		if (!folio->is_anon)
			return -EINVAL;
		if (folio->nr_refs != folio_mapcount_all(folio) || folio->locked_by != 0)
			return -EAGAIN;
	}
	return is_writable || model->opts.collapses_read_only ? 0 : -EINVAL;
}

/* Each page is copied, and lets go of what it was copied from. */
static void gather(struct model *model, struct entry *entries, struct folio *into)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry old = entries[i];

		if (old.kind == ENTRY_PAGE)
			into->pages[i].value = *entry_value(model, &old);
		else if (old.kind == ENTRY_SWAP)
			into->pages[i].value = model->slots.items[old.of].value;
		entries[i] = (struct entry){ 0 };
		if (old.kind == ENTRY_PAGE)
			folio_release(model, old.of, old.index);
		else if (old.kind == ENTRY_SWAP)
			slot_put(model, old.of);
	}
}

int huge_collapse(struct model *model, struct mm *mm, struct vma *vma, uint64_t page)
{
	struct table *upper, *table;
	struct entry *huge = table_huge_entry(model, mm, page, false, &upper);
	uint32_t folio;
	int result;

	if (huge == NULL || huge->kind == ENTRY_NONE)
		return -EINVAL;
	if (huge->kind != ENTRY_TABLE)
		return huge->kind == ENTRY_MIGRATION ? -EAGAIN : 0;
	table = table_of(model, huge);
	result = may_collapse(model, vma, table->entries);
	if (result < 0)
		return result;
	folio = folio_new(model, true, true);
	lock_table(model, upper);
	lock_table(model, table);
	gather(model, table->entries, folio_at(model, folio));
	unlock_table(model, table);
	vma_prepare_anon(model, mm, vma);
	table->is_freed = true;
	set_huge(model, vma, huge, folio);
	unlock_table(model, upper);
	return 0;
}

/* It has a whole block, whether or not that is what is asked for. */
static bool may_have_huge(const struct model *model, const struct vma *vma)
{
	uint64_t last = block_of(vma->end - MODEL_HUGE);

	return model->opts.has_huge && vma->kind == MODEL_ANON && vma->huge >= 0 && vma->anon != 0 &&
	       vma->end - vma->start >= MODEL_HUGE && last >= vma->start;
}

static int collapse_part(struct model *model, struct mm *mm, struct vma *vma, uint64_t start, uint64_t end)
{
	uint64_t first = block_from(start), last = block_of(end);

	if (!may_have_huge(model, vma) || last < first)
		return -EINVAL;
	return last == first ? 0 : huge_collapse(model, mm, vma, first);
}

/* Mapping by mapping, as all advice; what is not mapped is passed over, and said at the end. */
int op_collapse(struct doing *doing)
{
	uint64_t end = doing->start + MODEL_HUGE;
	struct vma_part part;
	int result = 0;

	lock_mmap_write(doing->model, doing->mm);
	for (uint64_t at = doing->start; result == 0 && vma_next_part(doing->mm, at, end, &part); at = part.end)
		result = collapse_part(doing->model, doing->mm, part.vma, part.start, part.end);
	if (result == 0 && !vma_covers(doing->mm, doing->start, end))
		result = -ENOMEM;
	unlock_mmap(doing->model, doing->mm);
	return result;
}
