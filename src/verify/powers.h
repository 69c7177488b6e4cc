/* SPDX-License-Identifier: MIT */
/* Which operations can be performed on this kernel, with these privileges, and what of a page can be seen. */
#ifndef VERIFY_POWERS_H
#define VERIFY_POWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"

struct powers {
	const char *why_not[NR_MODEL_OPS]; /* NULL: it can be performed */
	uint32_t sees;                     /* of SEEN_* */
	bool has_soft_dirty;
	bool has_huge;    /* huge pages where a mapping asks for them ... */
	bool huge_anyway; /* ... and where it has not said otherwise */
};

/* Asks by trying each of them, in memory of our own. */
void powers_ask(struct powers *powers);

static inline bool powers_can(const struct powers *powers, enum model_op_kind kind)
{
	return powers->why_not[kind] == NULL;
}

#endif
