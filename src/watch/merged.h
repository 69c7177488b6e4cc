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

enum merged_state {
	MERGED_NOTHING, /* since the last look; at the first one, since the machine was started */
	MERGED_ONCE,    /* perhaps; if so it was taken apart, and in which mappings nobody knows */
	MERGED_NOW,     /* perhaps: KSM keeps something for the target; or as above */
};

enum merged_state merged_look(struct merged *merged, struct tide_target *target);

/* Adds to `out` the mappings that KSM may merge. Takes as long as reading all page tables. 0 or -errno. */
int merged_find(struct tide_target *target, struct intervals *out);

#endif
