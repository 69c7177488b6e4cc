/* SPDX-License-Identifier: MIT */
/* What each operation is done by: one function for each, of the operation's name. They return 0 or -errno. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model/state.h"

/* An operation on its way: the process, and pages of the whole address space. */
struct doing {
	struct model *model;
	struct mm *mm;
	const struct model_op *op;
	struct model_result *result;
	uint64_t start, end, to;
};

void run_op(struct model *model, const struct model_op *op, struct model_result *result);

#define X(name, lower, text) int op_##lower(struct doing *doing);
MODEL_OPS(X)
#undef X

/* Fills in the page as an access would, with the mmap lock held: 0 or -EFAULT. */
int fault_in(struct model *model, struct mm *mm, uint64_t page, bool write);
/* The contents of a page that an entry maps. */
uint64_t *entry_value(struct model *model, const struct entry *entry);
/* What is seen of a page of a mapping. */
struct model_seen look_at(const struct model *model, const struct mm *mm, const struct vma *vma, uint64_t page);
struct truth *truth_of(struct mm *mm, uint64_t page);

/* A huge entry becomes a table of entries; its table is locked. */
void huge_split(struct model *model, struct entry *huge);
/* The same for a page whose entries are to wait: they stay dirty, and are marked when they arrive. */
void huge_split_to_leave(struct model *model, struct entry *huge);
/* Splits the huge entries that [start, end) covers in part. */
void huge_split_at(struct model *model, struct mm *mm, uint64_t start, uint64_t end);
/* Entries of the folio's pages, huge ones are split first, become such as make every access wait; and name its pages
 * again, or the one page of each of the folios `to`. Nobody but the mappings comes by it meanwhile. */
void entries_leave(struct model *model, uint32_t from);
void entries_arrive(struct model *model, uint32_t from, const uint32_t *to);
/* A huge folio becomes that many small ones, in all address spaces. false: others than mappings refer to it. */
bool folio_split(struct model *model, uint32_t id);
/* Can KSM get at all pages that it may merge? */
bool ksm_sees_all(const struct model *model);
/* KSM's pages in [start, end) become their process's own again, with the mmap lock held. */
void ksm_unmerge(struct model *model, struct mm *mm, uint64_t start, uint64_t end);
/* The huge page in whose block [start, end) lies is split, if that is but a part. false: it is not, as others have it.
 */
bool huge_break_at(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool is_free);
/* A write to a huge entry that is not writable; false: it was split. */
bool huge_write(struct model *model, struct mm *mm, struct vma *vma, struct entry *huge);
/* The block of `page` becomes one huge page, with the mmap lock held for writing: 0 or -errno. */
int huge_collapse(struct model *model, struct mm *mm, struct vma *vma, uint64_t page);
/* A huge page, or the huge zero page, where nothing is. */
void huge_fault(struct model *model, struct mm *mm, struct vma *vma, struct entry *huge, bool write);

/* hugetlb.c. A fault at an entry of such a mapping; and a page of the pool that holds the same, for another process. */
void hugetlb_fault(struct model *model, struct mm *mm, struct vma *vma, struct entry *entry, bool write);
struct entry hugetlb_copy(struct model *model, const struct vma *into, const struct entry *entry);
/* Can it be told what comes of `op`, if such mappings have a part in it? */
bool hugetlb_knows(struct mm *mm, const struct model_op *op);

/* All that is left of an address space whose entries are gone. */
void mm_forget(struct model *model, struct mm *mm);

/* Empties [start, end), whose mappings stay; `keep_marks`: what is armed in shared memory stays armed. */
void zap(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool keep_marks);

/* Every entry in [start, end) that is there, huge ones and those of pages; tables are locked around each. `fn` may
 * change it. */
typedef void entry_fn(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                      void *arg);
void each_entry(struct model *model, struct mm *mm, uint64_t start, uint64_t end, entry_fn *fn, void *arg);

/* A protection was taken away: may the entry be writable, or is the next write to be seen? */
bool may_write_at_once(struct model *model, const struct vma *vma, const struct entry *entry);

/* Protects [start, end) of one mapping, or takes the protection away. */
void protect_entries(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool protect);

#endif
