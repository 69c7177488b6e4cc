/* SPDX-License-Identifier: MIT */
/* The shortest program that still shows a difference. */
#ifndef VERIFY_SHRINK_H
#define VERIFY_SHRINK_H

#include "verify/lockstep.h"

/*
 * Takes operations away from `ops`, and makes the ranges of those that stay smaller, as long as both sides still
 * differ, and until `lockstep` is told not to go on. `lockstep` has just run `ops`, and they differed; what it counted
 * stays. 1: `ops` are as few as `*nr` says then, `difference` and the outcomes are theirs; 0: they did not differ this
 * time, or -errno: they could not be run once more; nothing has changed then.
 */
int shrink(struct lockstep *lockstep, struct model_op *ops, size_t *nr, struct difference *difference);

#endif
