/* SPDX-License-Identifier: MIT */
/* This file visits entries, and empties them. */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static void each_of_table(struct model *model, struct mm *mm, const struct vma_part *part, struct table *table,
                          entry_fn *fn, void *arg)
{
	lock_table(model, table);
	for (uint64_t page = part->start; page < part->end && !table->is_freed; page++)
		if (table->entries[page & (ENTRIES - 1)].kind != ENTRY_NONE)
			fn(model, mm, part->vma, page, &table->entries[page & (ENTRIES - 1)], arg);
	unlock_table(model, table);
}

static void each_of_block(struct model *model, struct mm *mm, const struct vma_part *part, entry_fn *fn, void *arg)
{
	struct table *upper = NULL;
	struct entry *huge = table_huge_entry(model, mm, part->start, false, &upper);

	if (huge == NULL || huge->kind == ENTRY_NONE)
		return;
	if (huge->kind == ENTRY_TABLE) {
		each_of_table(model, mm, part, table_of(model, huge), fn, arg);
		return;
	}
	lock_table(model, upper);
	if (huge->kind == ENTRY_HUGE || huge->kind == ENTRY_ZERO)
		fn(model, mm, part->vma, part->start, huge, arg);
	unlock_table(model, upper);
}

void each_entry(struct model *model, struct mm *mm, uint64_t start, uint64_t end, entry_fn *fn, void *arg)
{
	struct vma_part part;

	for (uint64_t at = start; vma_next_part(mm, at, end, &part); at = part.end) {
		uint64_t end_of_block = block_of(part.start) + MODEL_HUGE;

		part.end = part.end < end_of_block ? part.end : end_of_block;
		each_of_block(model, mm, &part, fn, arg);
	}
}

/*
 * A mark goes with its entry. Contents that are given up are a change, which the kernel tells by the missing entry; but
 * not in mappings of files, where protection stays: trackers know that of those.
 */
static void note_given_up(struct mm *mm, const struct vma *vma, uint64_t page, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		*truth_of(mm, page + i) =
		        (struct truth){ .armed = vma->kind == MODEL_ANON || truth_of(mm, page + i)->armed };
}

/* Zeros are there before and after: all that goes is the mark of the zero page's entry, huge or not. */
static void forget_marks(struct model *model, struct mm *mm, uint64_t page)
{
	uint64_t nr = table_entry(model, mm, page, false) == NULL ? MODEL_HUGE : 1;

	for (uint64_t i = 0; i < nr; i++)
		truth_of(mm, page + i)->soft = false;
}

static void empty(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, void *arg)
{
	const bool *keep_marks = arg;
	struct entry old = *entry;

	*entry = (struct entry){ 0 };
	if (old.uffd_wp && *keep_marks && vma->kind != MODEL_ANON && vma->is_registered)
		*entry = (struct entry){ .kind = ENTRY_MARKER, .uffd_wp = true };
	step(model, 0);
	switch (old.kind) {
	case ENTRY_PAGE:
	case ENTRY_DEVICE:
		note_given_up(mm, vma, page, 1);
		folio_release(model, old.of, old.index);
		break;
	case ENTRY_SWAP:
		note_given_up(mm, vma, page, 1);
		slot_put(model, old.of);
		break;
	case ENTRY_HUGE:
		note_given_up(mm, vma, page, MODEL_HUGE);
		folio_unmap_huge(model, old.of);
		folio_put(model, old.of, 1);
		break;
	case ENTRY_MIGRATION:
		note_given_up(mm, vma, page, 1);
		break;
	case ENTRY_ZERO:
		forget_marks(model, mm, page);
		break;
	default:
		break;
	}
}

void zap(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool keep_marks)
{
	huge_split_at(model, mm, start, end);
	each_entry(model, mm, start, end, empty, &keep_marks);
}

static bool is_empty(const struct table *table)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (table->entries[i].kind != ENTRY_NONE)
			return false;
	return true;
}

/* Tables of whole blocks, each of one mapping, that are empty now. */
static void free_emptied(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t first = block_from(start);

	for (uint64_t block = first; block + MODEL_HUGE <= end; block += MODEL_HUGE) {
		const struct vma *vma = vma_find(mm, block);
		struct table *upper = NULL, *table;
		struct entry *huge = table_huge_entry(model, mm, block, false, &upper);

		if (vma == NULL || vma->end < block + MODEL_HUGE || huge == NULL || huge->kind != ENTRY_TABLE)
			continue;
		table = table_of(model, huge);
		lock_table(model, upper);
		lock_table(model, table);
		if (!table->is_freed && is_empty(table))
			table_free(model, huge);
		unlock_table(model, table);
		unlock_table(model, upper);
	}
}

int op_dontneed(struct doing *doing)
{
	lock_mmap_read(doing->model, doing->mm);
	zap(doing->model, doing->mm, doing->start, doing->end, true);
	if (doing->model->opts.frees_tables)
		free_emptied(doing->model, doing->mm, doing->start, doing->end);
	unlock_mmap(doing->model, doing->mm);
	return vma_covers(doing->mm, doing->start, doing->end) ? 0 : -ENOMEM;
}
