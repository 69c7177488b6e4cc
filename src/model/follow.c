/* SPDX-License-Identifier: MIT */
/*
 * This file puts the model on the kernel's way where the kernel may choose: a huge page is had or not, memory is
 * reclaimed or not, a lazily freed page is thrown away or not. Each rule says in one sentence what it allows.
 */
#include "model/follow.h"

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static const char *const sentences[] = {
#define X(name, lower, text) text,
	MODEL_RULES(X)
#undef X
};

static const char *const names[] = {
#define X(name, lower, text) lower,
	MODEL_RULES(X)
#undef X
};

const char *model_rule(unsigned i, const char **sentence)
{
	if (i >= MODEL_NR_RULES)
		return NULL;
	*sentence = sentences[i];
	return names[i];
}

/* A difference at a page: what is there, and what is shown. */
struct difference {
	struct model *model;
	struct mm *mm;
	struct vma *vma;
	uint64_t page, block;
	const struct model_op *op;
	uint32_t sees, differs;        /* what can be seen, and what of the page that is */
	const struct model_seen *real; /* of the page; those of its block begin at block_real */
	const struct model_seen *block_real;
	struct entry entry;
	bool is_huge; /* in the model */
};

static bool is_pinned(struct difference *diff, const struct entry *entry)
{
	return folio_at(diff->model, entry->of)->nr_pins > 0;
}

/* A page of the block that was never there, as only some of it was had. */
static bool was_never_there(struct difference *diff, unsigned i)
{
	struct entry entry = table_look(diff->model, diff->mm, diff->block + i);

	return !(diff->block_real[i].flags & (SEEN_PRESENT | SEEN_SWAPPED)) &&
	       (entry.kind == ENTRY_ZERO ||
	        (entry.kind == ENTRY_PAGE && *entry_value(diff->model, &entry) == 0 && !is_pinned(diff, &entry)));
}

/* An access of this process, which may fill what is empty. */
static bool is_access(const struct difference *diff)
{
	return diff->mm == &diff->model->mms[diff->op->process] &&
	       (diff->op->kind == OP_READ || diff->op->kind == OP_WRITE || diff->op->kind == OP_PIN);
}

/* What is split by no access is split whole. Where entries stay as dirty as they were, that makes no difference. */
static void split_as(struct difference *diff, struct table *table, struct entry *huge)
{
	if (diff->model->opts.splits_clean && huge->kind == ENTRY_HUGE && !is_access(diff) &&
	    folio_split(diff->model, huge->of))
		return;
	lock_table(diff->model, table);
	huge_split(diff->model, huge);
	unlock_table(diff->model, table);
}

/* Huge where the kernel has base pages: those that are there stay, and what something was written to. */
static bool make_small(struct difference *diff)
{
	uint32_t shown =
	        SEEN_HUGE | SEEN_PRESENT | SEEN_SWAPPED | SEEN_ONCE | (diff->entry.kind == ENTRY_ZERO ? SEEN_FILE : 0);
	struct table *table;
	struct entry *huge = table_huge_entry(diff->model, diff->mm, diff->page, false, &table);

	/* Where huge pages are not seen, it shows by what else becomes of its pages. */
	if (!diff->is_huge || diff->real->flags & SEEN_HUGE || !(diff->differs & shown))
		return false;
	split_as(diff, table, huge);
	for (unsigned i = 0; i < MODEL_HUGE; i++)
		if (was_never_there(diff, i))
			zap(diff->model, diff->mm, diff->block + i, diff->block + i + 1, false);
	return true;
}

/* The huge zero page counts as a file's, and is mapped more than once; other huge pages that are new are mapped once.
 */
static bool is_of_huge(uint32_t flags, bool zero)
{
	return (flags & (SEEN_PRESENT | SEEN_FILE | SEEN_ONCE)) == (SEEN_PRESENT | (zero ? SEEN_FILE : SEEN_ONCE));
}

/* Where huge pages are not seen, one shows by what all of its pages have in common. */
static bool shows_huge(const struct difference *diff)
{
	bool zero = (diff->real->flags & SEEN_FILE) != 0;

	if (diff->sees & SEEN_HUGE)
		return (diff->real->flags & SEEN_HUGE) != 0;
	for (unsigned i = 0; i < MODEL_HUGE; i++)
		if (!is_of_huge(diff->block_real[i].flags, zero))
			return false;
	return (diff->differs & (SEEN_PRESENT | SEEN_ONCE)) != 0;
}

/* Only an access makes a huge page of nothing; pages become one at any time. */
static bool make_huge(struct difference *diff)
{
	struct table *table;
	struct entry *huge;
	bool write = !(diff->real->flags & SEEN_FILE);

	if (diff->is_huge || !shows_huge(diff) || !diff->model->opts.has_huge || diff->vma->kind != MODEL_ANON ||
	    diff->vma->huge < 0 || !vma_holds_block(diff->vma, diff->page))
		return false;
	huge = table_huge_entry(diff->model, diff->mm, diff->page, true, &table);
	if (huge->kind != ENTRY_NONE)
		return huge_collapse(diff->model, diff->mm, diff->vma, diff->block) == 0;
	if (!is_access(diff))
		return false;
	huge_fault(diff->model, diff->mm, diff->vma, huge, write);
	return true;
}

/* The slot of a page that goes to swap: one for all who map it, but for KSM's and what was huge. */
static uint32_t slot_for(struct model *model, const struct entry *entry)
{
	struct folio *folio = folio_at(model, entry->of);
	uint32_t slot = folio->slot;

	if (slot != 0) {
		model->slots.items[slot].nr_refs++;
		return slot;
	}
	slot = slot_new(model, *entry_value(model, entry));
	model->slots.items[slot].is_of_large = folio->is_huge;
	if (!folio->is_huge && !folio->is_ksm)
		slot_cache(model, slot, entry->of);
	return slot;
}

/* What is known of its use and age is gone. */
static void forget_use(struct folio *folio, unsigned index)
{
	folio->pages[index].exclusive = false;
	if (folio->slot != 0)
		folio->is_lazy = folio->is_dirty = folio->is_active = folio->is_idle = folio->is_young = false;
}

/* The page is where it was, in swap. */
static bool swap_out(struct difference *diff)
{
	struct entry *entry, old;

	if (diff->entry.kind != ENTRY_PAGE || !(diff->real->flags & SEEN_SWAPPED) ||
	    !folio_at(diff->model, diff->entry.of)->is_anon || is_pinned(diff, &diff->entry))
		return false;
	entry = table_entry(diff->model, diff->mm, diff->page, false);
	old = *entry;
	entry->kind = ENTRY_SWAP;
	entry->exclusive = folio_at(diff->model, old.of)->pages[old.index].exclusive;
	entry->of = slot_for(diff->model, &old);
	entry->write = false;
	forget_use(folio_at(diff->model, old.of), old.index);
	folio_release(diff->model, old.of, old.index);
	return true;
}

static bool swap_in(struct difference *diff)
{
	return diff->entry.kind == ENTRY_SWAP && diff->real->flags & SEEN_PRESENT &&
	       fault_in(diff->model, diff->mm, diff->page, false) == 0;
}

/* The kernel took what it was told it might take, while nobody had written to it. */
static bool throw_away(struct difference *diff)
{
	const struct folio *folio;

	if (diff->entry.kind != ENTRY_PAGE || diff->real->flags & (SEEN_PRESENT | SEEN_SWAPPED))
		return false;
	folio = folio_at(diff->model, diff->entry.of);
	if (diff->entry.dirty || !folio->is_lazy || folio->is_dirty || is_pinned(diff, &diff->entry))
		return false;
	zap(diff->model, diff->mm, diff->page, diff->page + 1, false);
	return true;
}

/* Pages of a file in memory are unmapped as the kernel likes; their contents are in its cache. */
static bool drop_file_page(struct difference *diff)
{
	bool keep_marks = diff->entry.uffd_wp;

	if (diff->entry.kind != ENTRY_PAGE || diff->real->flags & SEEN_PRESENT ||
	    folio_at(diff->model, diff->entry.of)->is_anon)
		return false;
	zap(diff->model, diff->mm, diff->page, diff->page + 1, keep_marks);
	return true;
}

/* What the rule for mappings around a fault brings in depends on locks that are free or not. */
static bool map_file_page(struct difference *diff)
{
	return diff->vma->kind != MODEL_ANON && diff->entry.kind == ENTRY_NONE && diff->real->flags & SEEN_PRESENT &&
	       fault_in(diff->model, diff->mm, diff->page, false) == 0;
}

static bool map_zeros(struct difference *diff)
{
	struct entry *entry, old;

	if (diff->entry.kind != ENTRY_PAGE || !(diff->real->flags & SEEN_ZERO) || !diff->model->opts.splits_map_zeros ||
	    !folio_at(diff->model, diff->entry.of)->is_anon || is_pinned(diff, &diff->entry) ||
	    *entry_value(diff->model, &diff->entry) != 0 ||
	    (diff->op->kind != OP_FREE && diff->op->kind != OP_COLD && diff->op->kind != OP_PAGEOUT &&
	     diff->op->kind != OP_MIGRATE && diff->op->kind != OP_MERGE))
		return false;
	entry = table_entry(diff->model, diff->mm, diff->page, false);
	old = *entry;
	entry->kind = ENTRY_ZERO;
	entry->of = entry->index = 0;
	entry->write = entry->dirty = false;
	folio_release(diff->model, old.of, old.index);
	return true;
}

/* A dirty entry of the same folio is among what the operation is done to. */
static bool is_among_dirty(struct difference *diff)
{
	const struct model_op *op = diff->op;

	for (uint64_t page = FIRST_PAGE + op->page; page < FIRST_PAGE + op->page + op->nr; page++) {
		struct entry entry = table_look(diff->model, &diff->model->mms[op->process], page);

		if (entry.kind == ENTRY_PAGE && entry.of == diff->entry.of && entry.dirty)
			return true;
	}
	return false;
}

/* A page of its block is pinned: if both are of one folio, that is. */
static bool is_near_pinned(struct difference *diff)
{
	for (unsigned i = 0; i < MODEL_HUGE; i++) {
		struct entry entry = table_look(diff->model, diff->mm, diff->block + i);

		if (entry.kind == ENTRY_PAGE && is_pinned(diff, &entry))
			return true;
	}
	return false;
}

/* Making an entry dirty marks it, and these make it dirty again; or all that are changed together, when one was. */
static bool may_mark(struct difference *diff)
{
	/* Compaction moves what it likes at any time; but then what was just cleared is seen to be clear. */
	if (diff->model->opts.moves_mark && diff->entry.dirty && diff->op->kind != OP_CLEAR_SOFT)
		return true;
	switch (diff->op->kind) {
	case OP_MIGRATE:
		return diff->is_huge && diff->entry.dirty;
	case OP_CLEAR_SOFT:
		return folio_at(diff->model, diff->entry.of)->may_be_large && is_near_pinned(diff);
	case OP_PROTECT:
	case OP_ARM:
	case OP_DISARM:
		return diff->mm == &diff->model->mms[diff->op->process] && diff->page - FIRST_PAGE >= diff->op->page &&
		       diff->page - FIRST_PAGE < (uint64_t)diff->op->page + diff->op->nr && !diff->is_huge &&
		       folio_at(diff->model, diff->entry.of)->is_huge && is_among_dirty(diff);
	default:
		return false;
	}
}

static bool mark_too(struct difference *diff)
{
	struct entry *entry = table_entry(diff->model, diff->mm, diff->page, false);

	if ((diff->entry.kind != ENTRY_PAGE && diff->entry.kind != ENTRY_HUGE) || diff->entry.soft ||
	    diff->vma->is_soft || !(diff->real->flags & SEEN_SOFT) || !may_mark(diff))
		return false;
	if (entry == NULL)
		entry = table_huge_entry(diff->model, diff->mm, diff->page, false, NULL);
	entry->soft = true;
	return true;
}

/*
 * Whose mark a merged mapping has depends on which of them took in the other, before Linux 6.19. It shows at a page
 * for which only that speaks.
 */
static bool follow_mark(struct difference *diff)
{
	struct vma *vma = diff->vma;

	if (!diff->model->opts.merges_lose_marks || !vma->is_unsure || diff->entry.soft || !(diff->differs & SEEN_SOFT))
		return false;
	vma->is_soft = !vma->is_soft;
	vma->is_unsure = false;
	for (uint64_t page = vma->start; page < vma->end; page++)
		if (!table_look(diff->model, diff->mm, page).soft)
			truth_of(diff->mm, page)->soft = truth_of(diff->mm, page)->soft && vma->is_soft;
	return true;
}

static bool (*const rules[])(struct difference *) = {
	[RULE_SMALL] = make_small,          [RULE_HUGE] = make_huge,  [RULE_RECLAIMED] = swap_out,
	[RULE_SWAPPED_IN] = swap_in,        [RULE_LAZY] = throw_away, [RULE_FILE_DROPPED] = drop_file_page,
	[RULE_FILE_AROUND] = map_file_page, [RULE_ZEROS] = map_zeros, [RULE_MARK] = follow_mark,
	[RULE_MARKED_TOO] = mark_too,
};

const char *model_follow(struct model *model, const struct model_op *op, unsigned process, uint32_t page, uint32_t sees,
                         const struct model_seen *real)
{
	struct mm *mm = &model->mms[process];
	uint64_t number = FIRST_PAGE + page;
	struct difference diff = { .model = model,
		                   .mm = mm,
		                   .vma = vma_find(mm, number),
		                   .page = number,
		                   .block = block_of(number),
		                   .op = op,
		                   .sees = sees,
		                   .real = &real[page],
		                   .block_real = &real[block_of(page)],
		                   .entry = table_look(model, mm, number) };

	/* Pages of hugetlb are neither reclaimed nor split. */
	if (diff.vma == NULL || diff.vma->kind == MODEL_HUGETLB || setjmp(model->out) != 0)
		return NULL;
	diff.differs = (look_at(model, mm, diff.vma, number).flags ^ diff.real->flags) & sees;
	diff.is_huge = (diff.entry.kind == ENTRY_HUGE || diff.entry.kind == ENTRY_ZERO) &&
	               table_entry(model, mm, number, false) == NULL;
	for (unsigned i = 0; i < MODEL_NR_RULES; i++)
		if (rules[i](&diff)) {
			invariants_of_all(model);
			return names[i];
		}
	return NULL;
}
