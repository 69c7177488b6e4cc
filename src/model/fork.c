/* SPDX-License-Identifier: MIT */
/*
 * This file duplicates an address space: copy_page_range() of the kernel, with page_try_dup_anon_rmap() (now
 * folio_try_dup_anon_rmap_pte()) and page_dup_file_rmap().
 *
 * File pages duplicate always. Anonymous ones that are exclusive stop being it, and are read-only in both from then on;
 * if the page may be pinned that is refused (EBUSY), and the child gets a copy at once. A huge page that may be pinned
 * is split, and its pages are asked one by one; one of hugetlb is copied whole. Migration and swap entries duplicate
 * always: what is pinned neither migrates nor is swapped.
 */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

struct copying {
	struct mm *child;
	struct vma *into;
};

/* What every entry of a child is like. */
static void set_in_child(struct entry *entry, const struct vma *vma)
{
	entry->young = false;
	entry->uffd_wp = false;
	if (vma_is_private(vma))
		entry->write = false;
	else
		entry->dirty = false;
}

/* May the page be mapped once more? It loses what makes it its owner's alone. 0 or -EBUSY. */
static int try_duplicate(struct model *model, const struct mm *mm, struct folio *folio, unsigned first, unsigned nr)
{
	bool may_be_pinned = mm->has_pinned && folio_may_be_pinned(folio) && model->opts.bug != MODEL_BUG_FORK_PINNED;

	for (unsigned i = first; i < first + nr; i++)
		if (folio->pages[i].exclusive && may_be_pinned)
			return -EBUSY;
	for (unsigned i = first; i < first + nr; i++)
		folio->pages[i].exclusive = false;
	return 0;
}

/* The child's own copy of a page that stays its parent's. */
static void copy_page(struct model *model, struct copying *copying, const struct entry *entry, struct entry *out)
{
	uint32_t copy = folio_new(model, false, true);

	folio_at(model, copy)->pages[0].value = *entry_value(model, entry);
	folio_at(model, copy)->pages[0].exclusive = true;
	folio_map(model, copy, 0);
	*out = (struct entry){ .kind = ENTRY_PAGE,
		               .of = copy,
		               .write = copying->into->protection & MODEL_WRITE,
		               .dirty = true,
		               .soft = true };
	step(model, copy);
}

static void share_page(struct model *model, struct mm *mm, struct copying *copying, struct entry *entry,
                       struct entry *out)
{
	struct folio *folio = folio_at(model, entry->of);
	bool is_mapped_first = model->opts.bug == MODEL_BUG_MAPCOUNT_FIRST;

	if (is_mapped_first)
		folio_map(model, entry->of, entry->index);
	folio_get(model, entry->of, 1);
	if (folio->is_anon && try_duplicate(model, mm, folio, entry->index, 1) < 0) {
		folio_put(model, entry->of, 1);
		copy_page(model, copying, entry, out);
		return;
	}
	if (!is_mapped_first)
		folio_map(model, entry->of, entry->index);
	if (vma_is_private(copying->into))
		entry->write = false;
	*out = *entry;
	set_in_child(out, copying->into);
	step(model, entry->of);
}

static void copy_entry(struct model *model, struct mm *mm, struct copying *copying, struct entry *entry,
                       struct entry *out)
{
	switch (entry->kind) {
	case ENTRY_PAGE:
		share_page(model, mm, copying, entry, out);
		break;
	case ENTRY_ZERO:
		*out = *entry;
		set_in_child(out, copying->into);
		break;
	case ENTRY_DEVICE:
		/* Nobody can have pinned it. */
		folio_get(model, entry->of, 1);
		folio_at(model, entry->of)->pages[entry->index].exclusive = false;
		folio_map(model, entry->of, entry->index);
		*out = *entry;
		out->uffd_wp = false;
		break;
	case ENTRY_MIGRATION:
		/* Whoever moves the page finds the child's entry, too; it is nobody's alone when it arrives. */
		entry->write = entry->exclusive = false;
		*out = *entry;
		set_in_child(out, copying->into);
		step(model, 0);
		break;
	case ENTRY_SWAP:
		model->slots.items[entry->of].nr_refs++;
		entry->exclusive = false;
		*out = *entry;
		out->uffd_wp = false;
		step(model, 0);
		break;
	default: /* markers stay with the registration */
		break;
	}
}

/* 0, or -EAGAIN: it was split. */
static int copy_huge(struct model *model, struct mm *mm, struct copying *copying, struct entry *huge, struct entry *out)
{
	if (huge->kind == ENTRY_HUGE) {
		struct folio *folio = folio_at(model, huge->of);

		folio_get(model, huge->of, 1);
		if (try_duplicate(model, mm, folio, 0, MODEL_HUGE) < 0) {
			if (copying->into->kind == MODEL_HUGETLB) {
				*out = hugetlb_copy(model, copying->into, huge);
				folio_put(model, huge->of, 1);
				return 0;
			}
			folio_put(model, huge->of, 1);
			huge_split(model, huge);
			return -EAGAIN;
		}
		folio_map_huge(model, huge->of);
		huge->write = false;
	}
	*out = *huge;
	set_in_child(out, copying->into);
	step(model, huge->kind == ENTRY_HUGE ? huge->of : 0);
	return 0;
}

static void copy_block(struct model *model, struct mm *mm, struct copying *copying, uint64_t start, uint64_t end)
{
	struct table *upper = NULL;
	struct entry *huge = table_huge_entry(model, mm, start, false, &upper);

	if (huge == NULL || huge->kind == ENTRY_NONE)
		return;
	lock_table(model, upper);
	if (huge->kind != ENTRY_TABLE &&
	    copy_huge(model, mm, copying, huge, table_huge_entry(model, copying->child, start, true, NULL)) == 0)
		end = start;
	unlock_table(model, upper);
	/* An empty table is copied, too. */
	if (start < end)
		(void)table_entry(model, copying->child, start, true);
	for (uint64_t page = start; page < end; page++) {
		struct entry *entry = table_entry(model, mm, page, false);
		struct table *table = table_of(model, huge);

		if (entry->kind == ENTRY_NONE)
			continue;
		lock_table(model, table);
		copy_entry(model, mm, copying, entry, table_entry(model, copying->child, page, true));
		unlock_table(model, table);
	}
}

static void copy_mapping(struct model *model, struct mm *mm, struct mm *child, const struct vma *vma)
{
	struct vma copy = *vma;
	struct copying copying = { .child = child };

	copy.is_registered = false;
	copy.is_forked = vma->anon != 0;
	copy.anon = vma->anon != 0 ? ++model->nr_anons : 0;
	vma_insert(model, child, &copy);
	copying.into = vma_find(child, copy.start);
	if (vma->anon == 0)
		return;
	for (uint64_t at = vma->start, next; at < vma->end; at = next) {
		next = block_of(at) + MODEL_HUGE;
		next = next < vma->end ? next : vma->end;
		copy_block(model, mm, &copying, at, next);
	}
}

int op_fork(struct doing *doing)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm, *child = &model->mms[doing->op->to];

	if (doing->op->to >= MODEL_PROCESSES || child->is_taken)
		return -EAGAIN;
	child->is_taken = true;
	child->top = table_new(model);
	lock_mmap_write(model, mm);
	lock_mmap_write(model, child);
	for (size_t i = 0; i < mm->vmas.nr; i++)
		copy_mapping(model, mm, child, &mm->vmas.items[i]);
	for (size_t i = 0; i < MODEL_PAGES; i++)
		if (table_look(model, child, FIRST_PAGE + i).kind != ENTRY_NONE)
			child->truth[i].soft = mm->truth[i].soft;
	child->ksm_nr = mm->ksm_nr != 0 ? ++model->nr_ksm : 0;
	/* Nobody has reached into it before it was whole. */
	child->is_there = true;
	unlock_mmap(model, child);
	unlock_mmap(model, mm);
	return 0;
}
