/* SPDX-License-Identifier: MIT */
/*
 * What KSM has merged of a target: the page that takes the place of others has neither a soft-dirty bit nor a mark of
 * userfaultfd.
 */
#ifndef WATCH_MERGED_H
#define WATCH_MERGED_H

#include "base/intervals.h"
#include "kernel/ksm.h"
#include "target/target.h"

/* All zero to begin with. */
struct merged {
	struct ksm_progress progress; /* at the beginning of the last look */
};

/* Since the last look; at the first one, since the machine was started. */
enum merged_state {
	MERGED_NOTHING,
	MERGED_ONCE, /* there may have been something; nobody knows where */
	MERGED_NOW,  /* KSM keeps something for the target, or that cannot be told: besides, there may have been more */
};

enum merged_state merged_look(struct merged *merged, struct tide_target *target);

/* What the three readings of a look, in this order, say beside what was read at the beginning of the last one. */
enum merged_state merged_judge(const struct ksm_progress *last, uint64_t nr_items, const struct ksm_progress *after);

/* Adds to `out` the mappings that KSM may merge. Takes as long as reading all page tables. 0 or -errno. */
int merged_find(struct tide_target *target, struct intervals *out);

#endif
