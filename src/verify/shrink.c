/* SPDX-License-Identifier: MIT */
/*
 * This file shrinks programs: ddmin (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input), then
 * each operation's range.
 */
#include "verify/shrink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	GONE_TRIALS = 30, /* each may take as long as an operation that hangs is waited for */
};

struct shrinker {
	struct lockstep *lockstep; /* its outcomes are the best's */
	struct lockstep trials;    /* counts for itself */
	struct model_op *ops;      /* the best so far */
	size_t nr;
	struct model_op *trial;
	struct difference *difference; /* of the best */
	int nr_gone;
};

/* What was tried last is the best. What comes after the difference is not needed. */
static void keep(struct shrinker *shrinker, const struct model_op *ops, const struct difference *difference)
{
	struct lockstep *lockstep = shrinker->lockstep;

	shrinker->nr = difference->step + 1;
	memmove(shrinker->ops, ops, shrinker->nr * sizeof(ops[0]));
	*shrinker->difference = *difference;
	memcpy(lockstep->outcomes.items, shrinker->trials.outcomes.items,
	       shrinker->nr * sizeof(lockstep->outcomes.items[0]));
	lockstep->outcomes.nr = shrinker->nr;
}

/* Does the trial differ as well? Then it is the best. 1, 0 or -errno. */
static int try_out(struct shrinker *shrinker, size_t nr)
{
	struct difference difference;
	int result;

	if (shrinker->difference->what == DIFFERENCE_GONE && shrinker->nr_gone++ == GONE_TRIALS)
		return -ETIME;
	result = lockstep_run(&shrinker->trials, shrinker->trial, nr, &difference);
	if (result != 1 || (difference.what == DIFFERENCE_BROKEN) != (shrinker->difference->what == DIFFERENCE_BROKEN))
		return result < 0 ? result : 0;
	keep(shrinker, shrinker->trial, &difference);
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
	struct difference difference;
	int result = lockstep_run(&shrinker->trials, shrinker->ops, shrinker->nr, &difference);

	if (result != 1)
		return result;
	keep(shrinker, shrinker->ops, &difference);
	result = fewer(shrinker);
	for (size_t i = 0; result == 0 && i < shrinker->nr; i++)
		result = has_range(&shrinker->ops[i]) ? narrower(shrinker, i) : 0;
	/* Whatever ended it, the best so far differs. */
	return 1;
}

int shrink(struct lockstep *lockstep, struct model_op *ops, size_t *nr, struct difference *difference)
{
	struct shrinker shrinker = { .lockstep = lockstep, .ops = ops, .nr = *nr, .difference = difference };
	int result;

	shrinker.trial = malloc(*nr * sizeof(*ops));
	if (shrinker.trial == NULL)
		return -ENOMEM;
	lockstep_init(&shrinker.trials, lockstep->side, &lockstep->opts);
	shrinker.trials.go_on = lockstep->go_on;
	shrinker.trials.arg = lockstep->arg;
	result = work(&shrinker);
	*nr = shrinker.nr;
	lockstep_fini(&shrinker.trials);
	free(shrinker.trial);
	return result;
}
