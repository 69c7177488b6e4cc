/* SPDX-License-Identifier: MIT */
/* Which operations can be performed on this kernel, with these privileges, and what of a page can be seen. */
#ifndef VERIFY_POWERS_H
#define VERIFY_POWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct powers {
	const char *why_not[NR_MODEL_OPS]; /* NULL: it can be performed */
	uint32_t sees;                     /* of SEEN_* */
	struct model_opts model;           /* of one that is like this kernel */
	bool huge_anyway;                  /* huge pages also where a mapping has not asked for them */
};

/* Asks by trying each of them, in memory of our own; what is the whole machine's is for guests of the tests. */
void powers_ask(struct powers *powers);

/* All that can be, a bit each. */
uint64_t powers_kinds(const struct powers *powers);

static inline bool powers_can(const struct powers *powers, enum model_op_kind kind)
{
	return powers->why_not[kind] == NULL;
}

#endif
