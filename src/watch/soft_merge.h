/* SPDX-License-Identifier: MIT */
/* What to make of memory whose soft-dirty bits KSM may have dropped (merged.h). */
#ifndef WATCH_SOFT_MERGE_H
#define WATCH_SOFT_MERGE_H

#include "target/target.h"
#include "watch/merged.h"
#include "watch/soft_dirty.h"

/* All zero to begin with. */
struct soft_merge {
	struct merged merged;
	bool is_blind; /* since the last look, something may have been merged that is not now */
	struct intervals was, is;
};

/* Mappings that KSM may merge, now or at the last look, are pending as a whole. 0 or -errno. */
int soft_merge_look(struct soft_merge *merge, struct tide_target *target, struct soft_pending *pending);

/* The same of [start, end), as of the last look. */
int soft_merge_pend(const struct soft_merge *merge, uint64_t start, uint64_t end, struct soft_pending *pending);
void soft_merge_fini(struct soft_merge *merge);

#endif
