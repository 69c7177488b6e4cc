/* SPDX-License-Identifier: MIT */
/*
 * A small, exact software memory manager: what Linux does to page tables, folios and tracking bits, written down once,
 * and checked against the kernel that runs (src/verify). It stands on base alone and makes no system calls.
 *
 * Each operation is a sequence of micro-steps (take a reference, count a mapping, set an entry ...) under the kernel's
 * locks. After each micro-step all invariants are checked. model_run() takes the steps of one operation after another;
 * model_run_all() lets a seeded scheduler choose whose step comes next.
 *
 * Where the kernel may do one thing or another, the model does the more likely one, and model_follow() puts it on the
 * kernel's way when a rule with a name allows what was seen.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"

/* Bugs that Linux or its trackers had, each a switch. */
#define MODEL_BUGS(X)                                                                                                  \
	X(SPLIT_SOFT, "soft-dirty is lost when a huge page is split")                                                  \
	X(MIGRATE_SOFT, "soft-dirty is lost when a page migrates")                                                     \
	X(FORK_PINNED, "a pinned page is shared at fork")                                                              \
	X(HUGE_UNSEEN, "a scan for what is written passes over huge entries")                                          \
	X(MAPCOUNT_FIRST, "fork counts the mapping before it takes the reference, beside KSM")                         \
	X(KSM_REFERENCE, "KSM overlooks a reference that is not a mapping")                                            \
	X(MERGE_SOFT, "VM_SOFTDIRTY is lost when mappings merge")                                                      \
	X(STALE_SOFT, "a partial clear leaves VM_SOFTDIRTY, and writes below it leave no mark")                        \
	X(HOLES, "holes in page tables are neither reported nor armed again")                                          \
	X(PIN_FORGOTTEN, "a tracker arms pinned pages and forgets them")                                               \
	X(WALK_UNLOCKED, "a page-table walk without the lock")

enum model_bug {
	MODEL_NO_BUG,
#define X(name, text) MODEL_BUG_##name,
	MODEL_BUGS(X)
#undef X
	        MODEL_NR_BUGS,
};

/* How madvise() tells whether a large folio is shared. */
enum model_sharing {
	MODEL_SHARING_EXACT,    /* whose mappings they are (6.16) */
	MODEL_SHARING_LIKELY,   /* by their number, and by the first page where that says nothing (6.9) */
	MODEL_SHARING_ONE_PAGE, /* by how often one of its pages is mapped, most often (6.1) */
};

struct model_opts {
	enum model_bug bug;
	enum model_sharing sharing;
	bool has_soft_dirty;     /* the kernel keeps soft-dirty bits */
	bool has_huge;           /* huge pages where a mapping asks for them */
	bool merges_lose_marks;  /* of mappings that merge one's VM_SOFTDIRTY is lost (before 6.19) */
	bool keeps_unused_apart; /* a mapping with pages does not merge with a neighbour that never had one
	                            (before 6.16) */
	bool maps_to_next;   /* mmap() merges with what follows first, and with what precedes as that allows (6.1) */
	bool pins_one_file;  /* io_uring pins memory of one file at a time (6.1) */
	bool keeps_accounts; /* mprotect() keeps accounted what is not used (6.1) */
	bool moves_many;     /* mremap() moves several mappings at once, and leaves out the holes (Linux 6.17) */
	bool collapses_read_only; /* MADV_COLLAPSE takes pages of which none is writable (6.18) */
	bool frees_tables;        /* MADV_DONTNEED of a whole block frees its table (6.14) */
	bool reuses_large;        /* a write takes over a page of a large folio that nobody else maps (6.15) */
	bool zeros_stay_huge;     /* a write to the huge zero page makes a huge page of it (6.13) */
	bool splits_map_zeros;    /* pages of a split huge one that hold zeros become the zero page (6.12) */
	bool splits_clean;       /* entries that come of a dirty huge one are clean, and no more marked than it (6.1) */
	bool protects_clean;     /* mprotect() lets nobody write to clean and to huge entries without a fault
	                                 (6.1) */
	bool stops_at_forbidden; /* KSM does not get at what nobody may access: where it looks for an equal page it
	                            stops at such, and what it merged stays merged (6.1) */
	bool unmerges_by_write;  /* what KSM merged is taken apart by a write, and so marked; else it is unshared (6.1)
	                          */
	bool moves_mark; /* dirty entries of what is split or moved elsewhere are marked (since 6.1, not everywhere) */
	bool leaves_as_new; /* what MREMAP_DONTUNMAP leaves merges with its neighbours as if it was new (6.12.117, 7.2;
	                       not 6.18) */
	bool once_of_first; /* of a huge entry SEEN_ONCE is what holds for its first page (6.1, 6.18) */
};

struct model;

/* 0 or -ENOMEM. Process 0 is there, with nothing mapped in its arena. */
int model_new(struct model **out, const struct model_opts *opts);
void model_free(struct model *model);

bool model_has(const struct model *model, unsigned process);

/*
 * Can it tell what comes of `op`? Of a collapse of file pages it cannot: there are no huge ones of files. Nor of a
 * merge that stops at what nobody may access: for what is found before depends on the shape of KSM's tree. Of pages of
 * hugetlb it knows how they are mapped, used, forked, pinned and given up, as wholes: anything else comes to
 * -EOPNOTSUPP.
 */
bool model_knows(const struct model *model, const struct model_op *op);

/* Runs `op` to its end. 0, or -ENOMEM: the model itself is out of memory, and of no more use. */
int model_run(struct model *model, const struct model_op *op, struct model_result *result);

/* Runs all of them, interleaved at random; `seed` decides. -EDEADLK: all that are left wait for each other. */
int model_run_all(struct model *model, const struct model_op *ops, size_t nr, uint64_t seed,
                  struct model_result *results);

/* What an observer of `process` sees of the arena's MODEL_PAGES pages. */
void model_look(const struct model *model, unsigned process, struct model_seen *seen);

/* The sentence of the first invariant that did not hold; NULL: all did. It stays until the model is freed. */
const char *model_broken(const struct model *model);

/*
 * After `op` the kernel shows `real` for all pages of `process`, and the model something else for `page`. When a rule
 * lets the kernel do that, the model does it too, and the rule's name is returned; NULL: no rule covers it. `sees`: the
 * flags that can be seen of the kernel. Rules may change more pages than this one (a huge page is made or split whole).
 */
const char *model_follow(struct model *model, const struct model_op *op, unsigned process, uint32_t page, uint32_t sees,
                         const struct model_seen *real);

/* The name of rule `i`, and what it allows; NULL: there are no more. */
const char *model_rule(unsigned i, const char **sentence);

#endif
