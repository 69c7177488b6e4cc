/* SPDX-License-Identifier: MIT */
/* The shortest program that still shows a difference. */
#ifndef VERIFY_SHRINK_H
#define VERIFY_SHRINK_H

#include "verify/lockstep.h"

/*
 * Takes operations away from `ops`, and makes the ranges of those that stay smaller, as long as both sides still
 * differ. They are as few as `*nr` says then, and `difference` is the last one seen. 1; 0: they did not differ this
 * time, and nothing has changed; or -errno.
 */
int shrink(struct lockstep *lockstep, struct model_op *ops, size_t *nr, struct difference *difference);

#endif
