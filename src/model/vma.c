/* SPDX-License-Identifier: MIT */
/* This file keeps mappings: where they are split, and which are merged again. */
#include "model/vma.h"

#include <string.h>

#include "model/run.h"
#include "model/steps.h"

/* The index of the first mapping that ends after `page`. */
static size_t index_of(const struct mm *mm, uint64_t page)
{
	size_t low = 0, high = mm->vmas.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->vmas.items[middle].end <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vma *vma_next(struct mm *mm, uint64_t page)
{
	size_t i = index_of(mm, page);

	return i < mm->vmas.nr ? &mm->vmas.items[i] : NULL;
}

struct vma *vma_find(struct mm *mm, uint64_t page)
{
	struct vma *vma = vma_next(mm, page);

	return vma != NULL && vma->start <= page ? vma : NULL;
}

bool vma_next_part(struct mm *mm, uint64_t from, uint64_t to, struct vma_part *part)
{
	struct vma *vma = from < to ? vma_next(mm, from) : NULL;

	if (vma == NULL || vma->start >= to)
		return false;
	*part = (struct vma_part){ .vma = vma,
		                   .start = vma->start > from ? vma->start : from,
		                   .end = vma->end < to ? vma->end : to };
	return true;
}

static void insert_at(struct model *model, struct mm *mm, size_t i, const struct vma *vma)
{
	if (vec_push(&mm->vmas, *vma) < 0)
		step_no_memory(model);
	memmove(&mm->vmas.items[i + 1], &mm->vmas.items[i], (mm->vmas.nr - 1 - i) * sizeof(*vma));
	mm->vmas.items[i] = *vma;
}

static void remove_at(struct mm *mm, size_t i, size_t nr)
{
	if (nr == 0)
		return;
	memmove(&mm->vmas.items[i], &mm->vmas.items[i + nr], (mm->vmas.nr - i - nr) * sizeof(mm->vmas.items[0]));
	mm->vmas.nr -= nr;
}

static void split_at(struct model *model, struct mm *mm, uint64_t page)
{
	struct vma *vma = vma_find(mm, page);
	struct vma upper;

	if (vma == NULL || vma->start == page)
		return;
	/* No huge entry lies in two mappings. */
	huge_split_at(model, mm, page, page);
	upper = *vma;
	upper.start = page;
	upper.offset += page - vma->start;
	vma->end = page;
	insert_at(model, mm, index_of(mm, page), &upper);
}

void vma_isolate(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	split_at(model, mm, start);
	split_at(model, mm, end);
}

void vma_insert(struct model *model, struct mm *mm, const struct vma *vma)
{
	insert_at(model, mm, index_of(mm, vma->start), vma);
}

void vma_remove(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	size_t first, last;

	vma_isolate(model, mm, start, end);
	first = index_of(mm, start);
	for (last = first; last < mm->vmas.nr && mm->vmas.items[last].start < end; last++)
		;
	remove_at(mm, first, last - first);
}

static bool same_memory(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->kind == b->kind && a->file == b->file &&
	       a->offset + (a->end - a->start) == b->offset && a->is_registered == b->is_registered &&
	       a->is_mergeable == b->is_mergeable && a->is_accounted == b->is_accounted && a->huge == b->huge;
}

/* Their anonymous pages may be found by one anon_vma. */
static bool same_anon(const struct vma *a, const struct vma *b)
{
	if (a->anon == b->anon)
		return true;
	return (a->anon == 0 && !b->is_forked) || (b->anon == 0 && !a->is_forked);
}

/* The one that changes, at `start`, has pages, and this neighbour never had one: a mistake that 6.16 corrected. */
static bool stays_apart(const struct vma *a, const struct vma *b, uint64_t start)
{
	return b->start == start ? a->anon == 0 : b->anon == 0;
}

static bool is_alike(const struct vma *a, const struct vma *b)
{
	return same_memory(a, b) && a->protection == b->protection && same_anon(a, b);
}

/* The mapping of this index takes in the next. */
static void take_next(struct model *model, struct mm *mm, size_t i)
{
	struct vma *a = &mm->vmas.items[i], *b = &mm->vmas.items[i + 1];

	a->end = b->end;
	a->is_unsure = a->is_unsure || b->is_unsure || a->is_soft != b->is_soft;
	a->is_soft = model->opts.bug == MODEL_BUG_MERGE_SOFT ? a->is_soft : a->is_soft || b->is_soft;
	a->is_forked = a->is_forked || b->is_forked;
	a->anon = a->anon != 0 ? a->anon : b->anon;
	remove_at(mm, i + 1, 1);
}

void vma_merge(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = index_of(mm, start);
	bool is_used = model->opts.keeps_unused_apart && mm->vmas.items[i].anon != 0;

	for (i = i > 0 ? i - 1 : 0; i + 1 < mm->vmas.nr && mm->vmas.items[i].start < end;) {
		const struct vma *a = &mm->vmas.items[i], *b = &mm->vmas.items[i + 1];

		if (is_alike(a, b) && !(is_used && stays_apart(a, b, start)))
			take_next(model, mm, i);
		else
			i++;
	}
}

void vma_merge_new(struct model *model, struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = index_of(mm, start);
	const struct vma *vma = &mm->vmas.items[i], *before = i > 0 ? vma - 1 : NULL, *after = vma + 1;
	bool takes_before;

	if (!model->opts.maps_to_next || i + 1 == mm->vmas.nr || !is_alike(vma, after)) {
		vma_merge(model, mm, start, end);
		return;
	}
	takes_before = before != NULL && is_alike(before, vma) &&
	               (before->anon == after->anon || (before->anon != 0 && after->anon == 0));
	take_next(model, mm, i);
	if (takes_before)
		take_next(model, mm, i - 1);
}

/* What the neighbour has, if this one could be merged with it but for its protection. */
static uint32_t anon_of_neighbour(const struct vma *a, const struct vma *b, const struct vma *neighbour)
{
	return same_memory(a, b) && !neighbour->is_forked ? neighbour->anon : 0;
}

void vma_prepare_anon(struct model *model, struct mm *mm, struct vma *vma)
{
	size_t i = (size_t)(vma - mm->vmas.items);

	if (vma->anon == 0 && i + 1 < mm->vmas.nr)
		vma->anon = anon_of_neighbour(vma, vma + 1, vma + 1);
	if (vma->anon == 0 && i > 0)
		vma->anon = anon_of_neighbour(vma - 1, vma, vma - 1);
	if (vma->anon == 0)
		vma->anon = ++model->nr_anons;
}

bool vma_covers(struct mm *mm, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *vma = vma_find(mm, start);

		if (vma == NULL)
			return false;
		start = vma->end;
	}
	return true;
}

bool vma_holds_block(const struct vma *vma, uint64_t page)
{
	return vma->start <= block_of(page) && block_of(page) + MODEL_HUGE <= vma->end;
}

bool vma_takes_huge(const struct model *model, const struct vma *vma, uint64_t page)
{
	return model->opts.has_huge && vma->kind == MODEL_ANON && vma->huge > 0 && vma_holds_block(vma, page);
}
