/* SPDX-License-Identifier: MIT */
/* A copy of a process' memory that knows only the pages it was told to copy. */
#ifndef TESTS_TORTURE_MIRROR_H
#define TESTS_TORTURE_MIRROR_H

#include <stddef.h>
#include <stdint.h>

#include "proc.h"

enum {
	NR_PAST = 4,
};

/* Why a page was copied, and what was found. */
struct mirror_copy {
	uint64_t epoch;
	uint32_t certainty;
	uint32_t why;
	uint64_t run; /* where the run that said so began */
	bool there;
};

struct mirror_page {
	uint64_t address;
	unsigned char bytes[PAGE]; /* zeros: it was not there; in shared memory that says nothing */
	uint64_t nr_copies;
	struct mirror_copy past[NR_PAST]; /* copy k, from 0, is at k % NR_PAST */
};

struct mirror {
	struct mirror_page **slots; /* open addressing; NULL: free */
	size_t nr_slots;
	size_t nr_pages;
};

/* NULL when it was never copied. */
const struct mirror_page *mirror_find(const struct mirror *mirror, uint64_t address);

/*
 * Takes over what [start, end) holds now; what is not there becomes zeros. `why` is noted with each page, of those that
 * are not there and never were only in shared memory, as `vmas` tell it.
 */
void mirror_take(struct mirror *mirror, const struct proc *proc, const struct vmas *vmas, uint64_t start, uint64_t end,
                 const struct mirror_copy *why);

/* Whether it was there when it was copied last. */
bool mirror_was_there(const struct mirror_page *page);

/* What `is_mapped` denies is forgotten: zeros. */
typedef bool mirror_fn(const void *arg, uint64_t address);
void mirror_keep(struct mirror *mirror, mirror_fn *is_mapped, const void *arg);

void mirror_free(struct mirror *mirror);

#endif
