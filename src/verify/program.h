/* SPDX-License-Identifier: MIT */
/* Programs: sequences of operations, made at random from a seed, or fixed ones with a name. */
#ifndef VERIFY_PROGRAM_H
#define VERIFY_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"

enum {
	PROGRAM_MAX = 512, /* operations of a random one */
};

struct program_opts {
	uint64_t can; /* which operations may be in it, a bit each */
	bool advises; /* every mapping is told at once whether it wants huge pages */
	/* How often each kind is wanted, NR_MODEL_OPS of them; NULL: as it suits a comparison with a kernel. */
	const unsigned *weights;
};

/*
 * Fills `ops`, which has room for PROGRAM_MAX, and returns how many they are. The same seed and options give the same
 * program, on every machine.
 */
size_t program_make(struct model_op *ops, uint64_t seed, const struct program_opts *opts);

struct program_case {
	const char *name;
	const char *sentence; /* what it shows */
	const struct model_op *ops;
	size_t nr;
};

/* Ended by a NULL name. */
extern const struct program_case program_cases[];

/* NULL: there is none of this name. */
const struct program_case *program_find(const char *name);

/* Which kinds of operations are in it, a bit each. */
uint64_t program_kinds(const struct model_op *ops, size_t nr);

#define PROGRAM_TEXT_SIZE 128

/* "0: write page 17 = 0x5" into `buf`, which is returned. */
const char *program_op_text(char buf[PROGRAM_TEXT_SIZE], const struct model_op *op);

#endif
