/* SPDX-License-Identifier: MIT */
/* The side that a model is compared with: real processes of this kernel, or another model. */
#ifndef VERIFY_SIDE_H
#define VERIFY_SIDE_H

#include <stdint.h>

#include "model/op.h"

struct side;

/*
 * All calls: 0 or -errno. Of begin(), and of EAGAIN, EMFILE, ENFILE and ENOMEM of run(), that ends the comparison; else
 * the side itself failed, which is a difference.
 */
struct side_ops {
	/* A new world: process 0 alone, with nothing mapped in its arena. The world before it is gone. */
	int (*begin)(struct side *side);
	/* Performs `op`, of a process that is there. */
	int (*run)(struct side *side, const struct model_op *op, struct model_result *result);
	/* What is told of all pages of a process that is there. `seen` has MODEL_PAGES elements. */
	int (*look)(struct side *side, unsigned process, struct model_seen *seen);
};

struct side {
	const struct side_ops *ops;
	uint32_t sees; /* what it can tell of a page, of SEEN_* */
};

#endif
