/* SPDX-License-Identifier: MIT */
/*
 * This file shrinks programs: ddmin (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input), then
 * each operation's range.
 */
#include "verify/shrink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct shrinker {
	struct lockstep *lockstep;
	struct model_op *ops; /* the best so far */
	size_t nr;
	struct model_op *trial;
	struct difference *difference; /* of the best */
};

/* Does the trial differ as well? Then it is the best. 1, 0 or -errno. */
static int try_out(struct shrinker *shrinker, size_t nr)
{
	struct difference difference;
	int result = lockstep_run(shrinker->lockstep, shrinker->trial, nr, &difference);

	if (result != 1 || (difference.what == DIFFERENCE_BROKEN) != (shrinker->difference->what == DIFFERENCE_BROKEN))
		return result < 0 ? result : 0;
	/* What comes after the difference is not needed. */
	shrinker->nr = difference.step + 1;
	memcpy(shrinker->ops, shrinker->trial, shrinker->nr * sizeof(shrinker->ops[0]));
	*shrinker->difference = difference;
	return 1;
}

static int try_without(struct shrinker *shrinker, size_t from, size_t nr)
{
	size_t end = from + nr < shrinker->nr ? from + nr : shrinker->nr;

	memcpy(shrinker->trial, shrinker->ops, from * sizeof(shrinker->ops[0]));
	memcpy(shrinker->trial + from, shrinker->ops + end, (shrinker->nr - end) * sizeof(shrinker->ops[0]));
	return try_out(shrinker, shrinker->nr - (end - from));
}

/* Pieces of half of it, a quarter ..., until no single operation can be missed. */
static int fewer(struct shrinker *shrinker)
{
	size_t piece = (shrinker->nr + 1) / 2;
	bool shorter;
	int result;

	do {
		shorter = false;
		for (size_t from = 0; from < shrinker->nr;) {
			result = try_without(shrinker, from, piece);
			if (result < 0)
				return result;
			shorter |= result == 1;
			from += result == 1 ? 0 : piece;
		}
		if (piece > 1)
			piece = (piece + 1) / 2;
		else if (!shorter)
			break;
	} while (shrinker->nr > 1);
	return 0;
}

static int try_range(struct shrinker *shrinker, size_t i, uint32_t page, uint32_t nr)
{
	memcpy(shrinker->trial, shrinker->ops, shrinker->nr * sizeof(shrinker->ops[0]));
	shrinker->trial[i].to += shrinker->trial[i].kind == OP_MOVE ? page - shrinker->trial[i].page : 0;
	shrinker->trial[i].page = page;
	shrinker->trial[i].nr = nr;
	return try_out(shrinker, shrinker->nr);
}

/* Halves a range from the end, and then from its beginning, as long as that changes nothing. */
static int narrower(struct shrinker *shrinker, size_t i)
{
	int result = 1;

	while (result == 1 && i < shrinker->nr && shrinker->ops[i].nr > 1)
		result = try_range(shrinker, i, shrinker->ops[i].page, shrinker->ops[i].nr / 2);
	if (result == 0)
		result = 1;
	while (result == 1 && i < shrinker->nr && shrinker->ops[i].nr > 1) {
		uint32_t half = shrinker->ops[i].nr / 2;

		result = try_range(shrinker, i, shrinker->ops[i].page + half, shrinker->ops[i].nr - half);
	}
	return result < 0 ? result : 0;
}

static bool has_range(const struct model_op *op)
{
	return op->kind != OP_COLLAPSE && op->kind != OP_UNPIN && op->kind != OP_FORK && op->kind != OP_EXIT;
}

static int work(struct shrinker *shrinker)
{
	int result = lockstep_run(shrinker->lockstep, shrinker->ops, shrinker->nr, shrinker->difference);

	if (result != 1)
		return result;
	shrinker->nr = shrinker->difference->step + 1;
	result = fewer(shrinker);
	for (size_t i = 0; result == 0 && i < shrinker->nr; i++)
		result = has_range(&shrinker->ops[i]) ? narrower(shrinker, i) : 0;
	return result < 0 ? result : 1;
}

int shrink(struct lockstep *lockstep, struct model_op *ops, size_t *nr, struct difference *difference)
{
	struct shrinker shrinker = { .lockstep = lockstep, .ops = ops, .nr = *nr, .difference = difference };
	int result;

	shrinker.trial = malloc(*nr * sizeof(*ops));
	if (shrinker.trial == NULL)
		return -ENOMEM;
	result = work(&shrinker);
	*nr = shrinker.nr;
	free(shrinker.trial);
	return result;
}
