/* SPDX-License-Identifier: MIT */
/* The port that tells pages' own soft-dirty bits, where the kernel's answers hold those of their mappings, too. */
#ifndef WATCH_REUSED_H
#define WATCH_REUSED_H

#include <tidemark/watch.h>

#include "base/intervals.h"

/* `state` points to `state_size` zeroed bytes, one for each watch. Negative returns are -errno with `err` filled. */
struct tide_reused_ops {
	const char *name;
	size_t state_size;
	/* Get ready for `target`, which outlives the state. */
	int (*init)(void *state, struct tide_target *target, struct tide_error *err);
	/* Adds the pages in [start, end) whose own bit is set. The target stands still. */
	int (*own)(void *state, uint64_t start, uint64_t end, struct intervals *out, struct tide_error *err);
	void (*fini)(void *state);
};

#endif
