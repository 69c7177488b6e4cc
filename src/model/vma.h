/* SPDX-License-Identifier: MIT */
/* Mappings: found, split, merged. Page numbers are of the whole address space. */
#ifndef MODEL_VMA_H
#define MODEL_VMA_H

#include "model/state.h"

/* The mapping that holds the page; NULL. Pointers last until mappings are changed. */
struct vma *vma_find(struct mm *mm, uint64_t page);
/* The first that ends after the page. */
struct vma *vma_next(struct mm *mm, uint64_t page);

/* The part of a mapping that lies in a range. */
struct vma_part {
	struct vma *vma;
	uint64_t start, end;
};

/* The first in [from, to); false: nothing is mapped there. */
bool vma_next_part(struct mm *mm, uint64_t from, uint64_t to, struct vma_part *part);

/* Splits at both ends, so that every mapping lies in [start, end) or outside of it. */
void vma_isolate(struct model *model, struct mm *mm, uint64_t start, uint64_t end);
void vma_insert(struct model *model, struct mm *mm, const struct vma *vma);
/* Forgets the mappings in [start, end). */
void vma_remove(struct model *model, struct mm *mm, uint64_t start, uint64_t end);
/* Merges what can be merged, in [start, end) and at its ends. */
void vma_merge(struct model *model, struct mm *mm, uint64_t start, uint64_t end);
/* The same for what mmap() made. */
void vma_merge_new(struct model *model, struct mm *mm, uint64_t start, uint64_t end);

/* The mapping is about to have anonymous pages: it gets an anon_vma, a neighbour's if that may be. */
void vma_prepare_anon(struct model *model, struct mm *mm, struct vma *vma);

/* All of [start, end) is mapped. */
bool vma_covers(struct mm *mm, uint64_t start, uint64_t end);

/* The block of `page` lies in the mapping whole. */
bool vma_holds_block(const struct vma *vma, uint64_t page);

/* Huge pages may be there, and the block of `page` lies in the mapping whole. */
bool vma_takes_huge(const struct model *model, const struct vma *vma, uint64_t page);

static inline bool vma_is_private(const struct vma *vma)
{
	return vma->kind != MODEL_SHARED;
}

#endif
