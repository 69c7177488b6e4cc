/* SPDX-License-Identifier: MIT */
/* This file runs programs until there is a difference. */
#include "verify/check.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/rng.h"
#include "kernel/sys.h"
#include "verify/emit.h"
#include "verify/shrink.h"

int check_open(struct check *check, struct tide_error *err)
{
	struct utsname name;
	int result;

	memset(check, 0, sizeof(*check));
	result = real_open(&check->real, err);
	if (result < 0)
		return result;
	lockstep_init(&check->lockstep, &check->real.side, &check->real.powers.model);
	if (uname(&name) == 0)
		snprintf(check->kernel, sizeof(check->kernel), "%.60s %.60s", name.release, name.machine);
	return 0;
}

void check_close(struct check *check)
{
	lockstep_fini(&check->lockstep);
	real_close(&check->real);
}

enum model_op_kind check_lacking(const struct check *check, const struct model_op *ops, size_t nr)
{
	uint64_t kinds = program_kinds(ops, nr);

	for (int i = 0; i < NR_MODEL_OPS; i++)
		if ((kinds >> i & 1) != 0 && !powers_can(&check->real.powers, (enum model_op_kind)i))
			return (enum model_op_kind)i;
	return NR_MODEL_OPS;
}

static struct program_opts kinds_that_can(const struct powers *powers)
{
	struct program_opts opts = { .advises = powers->huge_anyway };

	for (int i = 0; i < NR_MODEL_OPS; i++)
		if (powers_can(powers, (enum model_op_kind)i))
			opts.can |= UINT64_C(1) << i;
	return opts;
}

/* The numbers tell of the programs that were compared, not of those that led to the shortest. */
static int shorten(struct check *check)
{
	struct lockstep counted = check->lockstep;
	struct difference first = check->difference;
	int result;

	result = shrink(&check->lockstep, check->ops, &check->nr, &check->difference);
	check->again = result == 1;
	/* Once more, for what its operations come to. */
	if (result >= 0)
		result = lockstep_run(&check->lockstep, check->ops, check->nr, &first);
	if (result == 1)
		check->difference = first;
	counted.rules.items = check->lockstep.rules.items;
	counted.rules.nr = check->lockstep.rules.nr;
	counted.rules.capacity = check->lockstep.rules.capacity;
	counted.outcomes.items = check->lockstep.outcomes.items;
	counted.outcomes.nr = check->lockstep.outcomes.nr;
	counted.outcomes.capacity = check->lockstep.outcomes.capacity;
	check->lockstep = counted;
	return result < 0 ? result : 0;
}

/* 0, 1 or negative. */
static int run_one(struct check *check)
{
	int result = lockstep_run(&check->lockstep, check->ops, check->nr, &check->difference);

	if (result != 1)
		return result;
	check->differs = true;
	memcpy(check->why, check->real.why, sizeof(check->why));
	result = shorten(check);
	return result < 0 ? result : 1;
}

static int run_many(struct check *check)
{
	struct program_opts program = kinds_that_can(&check->real.powers);
	struct rng rng;
	int result = 0;

	rng_init(&rng, check->opts.seed);
	while (result == 0 && check->lockstep.nr_ops < check->opts.nr_steps) {
		uint64_t left = check->opts.nr_steps - check->lockstep.nr_ops;

		check->nr = program_make(check->ops, rng_next(&rng), &program);
		if (check->nr > left)
			check->nr = left;
		result = run_one(check);
		if (check->opts.go_on != NULL && !check->opts.go_on(check->opts.arg, &check->lockstep))
			break;
	}
	return result;
}

int check_run(struct check *check, const struct check_opts *opts, struct tide_error *err)
{
	uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	int result;

	check->opts = *opts;
	if (opts->only != NULL) {
		check->nr = opts->only->nr;
		memcpy(check->ops, opts->only->ops, check->nr * sizeof(check->ops[0]));
		result = run_one(check);
	} else {
		result = run_many(check);
	}
	check->took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (result < 0)
		return error_system(err, result, "comparing model and kernel");
	return result;
}

int check_print_program(FILE *out, const struct check *check, struct tide_error *err)
{
	int result = emit_program(out, &check->lockstep, check->ops, check->nr, &check->difference, check->kernel);

	return result < 0 ? error_system(err, result, "writing the program") : 0;
}
