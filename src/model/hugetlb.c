/* SPDX-License-Identifier: MIT */
/*
 * This file knows pages of hugetlb's pool: mm/hugetlb.c of the kernel. They are huge from their first fault to their
 * last, also where only one word is copied, and belong to mappings that hold nothing else.
 *
 * The pool is as large as need be: whoever wants a page gets one.
 */
#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/vma.h"

/* Soft-dirty marks of such entries are never cleared, and pagemap does not show them. */
static struct entry make_entry(struct model *model, const struct vma *vma, uint32_t folio, bool write)
{
	folio_set_exclusive(model, folio);
	folio_map_huge(model, folio);
	return (struct entry){ .kind = ENTRY_HUGE,
		               .of = folio,
		               .young = true,
		               .write = write && vma->protection & MODEL_WRITE,
		               .dirty = write,
		               .soft = true };
}

struct entry hugetlb_copy(struct model *model, const struct vma *into, const struct entry *entry)
{
	uint32_t copy = folio_new(model, true, true);

	for (unsigned i = 0; i < MODEL_HUGE; i++)
		folio_at(model, copy)->pages[i].value = folio_at(model, entry->of)->pages[i].value;
	return make_entry(model, into, copy, true);
}

/* Whoever alone maps the page may write to it, whoever else may refer to it: hugetlb_wp(). */
static void write_protected(struct model *model, struct vma *vma, struct entry *entry)
{
	struct entry old = *entry;

	if (folio_mapcount_all(folio_at(model, entry->of)) == 1) {
		folio_set_exclusive(model, entry->of);
		entry->write = entry->dirty = entry->young = true;
		step(model, entry->of);
		return;
	}
	*entry = hugetlb_copy(model, vma, &old);
	step(model, entry->of);
	folio_unmap_huge(model, old.of);
	folio_put(model, old.of, 1);
}

void hugetlb_fault(struct model *model, struct mm *mm, struct vma *vma, struct entry *entry, bool write)
{
	if (entry->kind != ENTRY_NONE) {
		write_protected(model, vma, entry);
		return;
	}
	/* What is only read is a page of its own, too. */
	vma_prepare_anon(model, mm, vma);
	*entry = make_entry(model, vma, folio_new(model, true, true), write);
	step(model, entry->of);
}

/* Some of [start, end) is of hugetlb; with `cut` only where a huge page lies at one of its ends in part. */
static bool is_met(struct mm *mm, uint64_t start, uint64_t nr, bool cut)
{
	struct vma_part part;

	for (uint64_t at = start; vma_next_part(mm, at, start + nr, &part); at = part.end)
		if (part.vma->kind == MODEL_HUGETLB &&
		    (!cut || part.start % MODEL_HUGE != 0 || part.end % MODEL_HUGE != 0))
			return true;
	return false;
}

bool hugetlb_knows(struct mm *mm, const struct model_op *op)
{
	uint64_t start = FIRST_PAGE + op->page, nr = op->kind == OP_COLLAPSE ? MODEL_HUGE : op->nr;

	switch (op->kind) {
	case OP_MAP_HUGETLB:
		return op->page % MODEL_HUGE == 0 && op->nr % MODEL_HUGE == 0;
	case OP_MAP:
	case OP_UNMAP:
	case OP_DONTNEED:
		return !is_met(mm, start, nr, true);
	case OP_READ:
	case OP_WRITE:
	case OP_FORK:
	case OP_EXIT:
	case OP_PIN:
	case OP_UNPIN:
	case OP_DEVICE_READ:
	case OP_DEVICE_WRITE:
	case OP_MERGE:
	case OP_CLEAR_SOFT:
	case OP_CLEAR_YOUNG:
	case OP_COLLECT:
		return true;
	case OP_MOVE:
		return !is_met(mm, start, nr, false) && !is_met(mm, FIRST_PAGE + op->to, nr, false);
	default:
		return !is_met(mm, start, nr, false);
	}
}
