/* SPDX-License-Identifier: MIT */
/* This file maps, unmaps, protects and moves: mmap(), munmap(), mprotect() and mremap(). */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static bool has_mappings(struct mm *mm, uint64_t block)
{
	const struct vma *vma = vma_next(mm, block);

	return vma != NULL && vma->start < block + MODEL_HUGE;
}

/* Tables that no mapping needs any more go. */
static void free_tables(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	for (uint64_t block = block_of(start); block < end; block += MODEL_HUGE) {
		struct table *table = NULL;
		struct entry *huge = table_huge_entry(model, mm, block, false, &table);

		if (huge == NULL || huge->kind != ENTRY_TABLE || has_mappings(mm, block))
			continue;
		lock_table(model, table);
		table_free(model, huge);
		unlock_table(model, table);
	}
}

static void unmap(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	vma_isolate(model, mm, start, end);
	zap(model, mm, start, end, false);
	vma_remove(model, mm, start, end);
	free_tables(model, mm, start, end);
	for (uint64_t page = start; page < end; page++)
		*truth_of(mm, page) = (struct truth){ 0 };
}

int op_unmap(struct doing *doing)
{
	lock_mmap_write(doing->model, doing->mm);
	unmap(doing->model, doing->mm, doing->start, doing->end);
	unlock_mmap(doing->model, doing->mm);
	return 0;
}

static int map(struct doing *doing, enum model_kind kind)
{
	struct model *model = doing->model;
	struct vma vma = { .start = doing->start,
		           .end = doing->end,
		           .kind = kind,
		           .protection = (uint8_t)doing->op->value,
		           .offset = doing->start,
		           .is_accounted =
		                   kind != MODEL_SHARED && kind != MODEL_HUGETLB && doing->op->value & MODEL_WRITE,
		           .is_soft = model->opts.has_soft_dirty };

	lock_mmap_write(model, doing->mm);
	unmap(model, doing->mm, doing->start, doing->end);
	/* Each mapping of hugetlb has one, too, in which nothing of its private pages is: they never merge. */
	if (kind == MODEL_SHARED || kind == MODEL_HUGETLB)
		vma.file = file_new(model);
	vma_insert(model, doing->mm, &vma);
	for (uint64_t page = doing->start; page < doing->end; page++)
		truth_of(doing->mm, page)->soft = true;
	vma_merge_new(model, doing->mm, doing->start, doing->end);
	/* mmap() marks what comes of it. */
	vma_find(doing->mm, doing->start)->is_unsure = false;
	unlock_mmap(model, doing->mm);
	return 0;
}

int op_map(struct doing *doing)
{
	return map(doing, (enum model_kind)doing->op->flags);
}

int op_map_hugetlb(struct doing *doing)
{
	return map(doing, MODEL_HUGETLB);
}

/* An entry becomes writable at once where nothing is to be seen of the next write. */
bool may_write_at_once(struct model *model, const struct vma *vma, const struct entry *entry)
{
	if (entry->uffd_wp || entry->kind != ENTRY_PAGE ||
	    (!vma->is_soft && model->opts.has_soft_dirty && !entry->soft))
		return false;
	if (!vma_is_private(vma))
		return entry->dirty;
	return folio_at(model, entry->of)->is_anon && folio_at(model, entry->of)->pages[entry->index].exclusive &&
	       (entry->dirty || !model->opts.protects_clean);
}

static void protect_entry(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                          void *arg)
{
	(void)mm, (void)page, (void)arg;
	if (!(vma->protection & MODEL_WRITE))
		entry->write = false;
	else if (may_write_at_once(model, vma, entry))
		entry->write = true;
	else if (model->opts.protects_clean && vma_is_private(vma) && (!entry->dirty || entry->kind == ENTRY_HUGE))
		entry->write = false;
	step(model, 0);
}

/* A mapping that has this protection already stays whole. */
static void protect_part(struct doing *doing, uint64_t start, uint64_t end)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;
	uint8_t protection = (uint8_t)doing->op->value;
	struct vma *vma;

	if (vma_find(mm, start)->protection == protection)
		return;
	vma_isolate(model, mm, start, end);
	vma = vma_find(mm, start);
	vma->protection = protection;
	if (protection & MODEL_WRITE)
		vma->is_accounted = vma_is_private(vma);
	else if (!model->opts.keeps_accounts && vma->kind == MODEL_ANON && vma->anon == 0)
		vma->is_accounted = false;
	each_entry(model, mm, start, end, protect_entry, NULL);
	vma_merge(model, mm, start, end);
}

int op_protect(struct doing *doing)
{
	struct mm *mm = doing->mm;
	uint64_t at = doing->start;
	const struct vma *vma;

	lock_mmap_write(doing->model, mm);
	/* It comes as far as there are mappings without a gap. */
	while (at < doing->end && (vma = vma_find(mm, at)) != NULL) {
		uint64_t end = vma->end < doing->end ? vma->end : doing->end;

		protect_part(doing, at, end);
		at = end;
	}
	unlock_mmap(doing->model, mm);
	return at < doing->end ? -ENOMEM : 0;
}

/* Entries go as they are; a registration is lost, and with it what was protected. */
static void move_entry(struct doing *doing, struct table *from, struct table *to, uint64_t page, uint64_t target)
{
	struct entry *old = &from->entries[page & (ENTRIES - 1)];
	struct entry moved = *old;

	moved.uffd_wp = false;
	if (moved.kind == ENTRY_MARKER)
		moved = (struct entry){ 0 };
	if (moved.kind == ENTRY_PAGE || moved.kind == ENTRY_ZERO || moved.kind == ENTRY_DEVICE ||
	    moved.kind == ENTRY_SWAP)
		moved.soft = true;
	*old = (struct entry){ 0 };
	to->entries[target & (ENTRIES - 1)] = moved;
	step(doing->model, moved.kind == ENTRY_PAGE ? moved.of : 0);
}

static bool move_huge(struct doing *doing, uint64_t from, uint64_t to, uint64_t left)
{
	struct table *table;
	struct entry *source = table_huge_entry(doing->model, doing->mm, from, false, NULL), *target;

	if (source == NULL || (source->kind != ENTRY_HUGE && source->kind != ENTRY_ZERO))
		return false;
	target = table_huge_entry(doing->model, doing->mm, to, true, &table);
	if (from % MODEL_HUGE != 0 || to % MODEL_HUGE != 0 || left < MODEL_HUGE || target->kind != ENTRY_NONE) {
		huge_split(doing->model, source);
		return false;
	}
	*target = *source;
	target->uffd_wp = false;
	target->soft = true;
	*source = (struct entry){ 0 };
	step(doing->model, target->kind == ENTRY_HUGE ? target->of : 0);
	return true;
}

/* A whole table goes as it is, without a mark; not where its entries have to lose their protection. */
static bool move_table(struct doing *doing, uint64_t from, uint64_t to, uint64_t left)
{
	struct table *table;
	struct entry *source = table_huge_entry(doing->model, doing->mm, from, false, NULL), *target;

	if (source == NULL || source->kind != ENTRY_TABLE || from % MODEL_HUGE != 0 || to % MODEL_HUGE != 0 ||
	    left < MODEL_HUGE)
		return false;
	target = table_huge_entry(doing->model, doing->mm, to, true, &table);
	if (target->kind != ENTRY_NONE)
		return false;
	*target = *source;
	*source = (struct entry){ 0 };
	step(doing->model, 0);
	return true;
}

static void move_entries(struct doing *doing, uint64_t start, uint64_t to, uint64_t nr, bool whole_tables)
{
	struct model *model = doing->model;

	for (uint64_t i = 0; i < nr;) {
		uint64_t from = start + i;

		if ((whole_tables && move_table(doing, from, to + i, nr - i)) ||
		    move_huge(doing, from, to + i, nr - i)) {
			i += MODEL_HUGE;
		} else if (table_entry(model, doing->mm, from, false) == NULL) {
			i++;
		} else {
			table_entry(model, doing->mm, to + i, true);
			move_entry(doing, table_of(model, table_huge_entry(model, doing->mm, from, false, NULL)),
			           table_of(model, table_huge_entry(model, doing->mm, to + i, false, NULL)), from,
			           to + i);
			i++;
		}
	}
}

/*
 * Several mappings go at once where the kernel can do that, but none that is registered. Where it cannot, what was in
 * their new place is gone before that is noticed.
 */
static int may_move(struct doing *doing)
{
	bool many = doing->model->opts.moves_many;
	uint64_t nr = doing->end - doing->start;
	bool overlaps = doing->to < doing->end && doing->start < doing->to + nr;
	const struct vma *vma = vma_find(doing->mm, doing->start);

	if (overlaps && (many || vma != NULL))
		return -EINVAL;
	if (vma == NULL)
		return -EFAULT;
	if (vma->end >= doing->end || (many && !vma->is_registered))
		return 0;
	if (!many)
		unmap(doing->model, doing->mm, doing->to, doing->to + nr);
	return -EFAULT;
}

/* A mapping that was left whole has no anonymous pages any more, and no anon_vma. */
static void leave(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = vma_find(mm, start);

	if (vma->start != start || vma->end != end)
		return;
	vma->anon = 0;
	vma->is_forked = false;
	if (model->opts.leaves_as_new && vma->kind == MODEL_ANON)
		vma->offset = vma->start;
}

/* [start, end) of one mapping. */
static void move_part(struct doing *doing, uint64_t start, uint64_t end)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;
	uint64_t nr = end - start, to = doing->to + (start - doing->start);
	struct vma moved;

	unmap(model, mm, to, to + nr);
	/* Where a page came from is how KSM finds it. */
	ksm_unmerge(model, mm, start, end);
	moved = *vma_find(mm, start);
	moved.offset += start - moved.start;
	moved.start = to;
	moved.end = to + nr;
	if (moved.kind == MODEL_ANON && moved.anon == 0)
		moved.offset = moved.start;
	vma_insert(model, mm, &moved);
	vma_merge(model, mm, to, to + nr);
	/* The registration is dropped after that: of what it was merged with, too, be it the mapping that it comes
	 * from. */
	if (moved.is_registered)
		vma_find(mm, to)->is_registered = false;
	move_entries(doing, start, to, nr, !moved.is_registered);
	for (uint64_t i = 0; i < nr; i++) {
		*truth_of(mm, to + i) = *truth_of(mm, start + i);
		*truth_of(mm, start + i) = (struct truth){ .armed = true };
	}
	if (doing->op->flags) {
		leave(model, mm, start, end);
	} else {
		vma_remove(model, mm, start, end);
		free_tables(model, mm, start, end);
	}
}

int op_move(struct doing *doing)
{
	struct vma_part part;
	int result;

	lock_mmap_write(doing->model, doing->mm);
	result = may_move(doing);
	for (uint64_t at = doing->start; result == 0 && vma_next_part(doing->mm, at, doing->end, &part);
	     at = part.end) {
		if (part.start > doing->start && part.vma->is_registered)
			result = -EFAULT;
		else
			move_part(doing, part.start, part.end);
	}
	unlock_mmap(doing->model, doing->mm);
	return result;
}
