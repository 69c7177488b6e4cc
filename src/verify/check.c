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

static bool goes_on(void *arg, const struct lockstep *lockstep)
{
	struct check *check = arg;

	check->stopped = check->opts.go_on != NULL && !check->opts.go_on(check->opts.arg, lockstep);
	return !check->stopped;
}

/* 0, 1 or negative. */
static int run_one(struct check *check)
{
	int result = lockstep_run(&check->lockstep, check->ops, check->nr, &check->difference);

	if (result != 1)
		return result;
	check->differs = true;
	memcpy(check->why, check->real.why, sizeof(check->why));
	result = shrink(&check->lockstep, check->ops, &check->nr, &check->difference);
	check->tried = result >= 0;
	check->again = result == 1;
	return 1;
}

static int run_many(struct check *check)
{
	const struct powers *powers = &check->real.powers;
	struct program_opts program = { .can = powers_kinds(powers), .advises = powers->huge_anyway };
	struct rng rng;
	int result = 0;

	rng_init(&rng, check->opts.seed);
	while (result == 0 && check->lockstep.nr_ops < check->opts.nr_steps) {
		uint64_t left = check->opts.nr_steps - check->lockstep.nr_ops;

		check->nr = program_make(check->ops, rng_next(&rng), &program);
		if (check->nr > left)
			check->nr = left;
		result = run_one(check);
	}
	return result;
}

int check_run(struct check *check, const struct check_opts *opts, struct tide_error *err)
{
	uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	int result;

	check->opts = *opts;
	check->stopped = check->differs = check->tried = check->again = false;
	check->lockstep.go_on = goes_on;
	check->lockstep.arg = check;
	if (opts->only != NULL) {
		check->nr = opts->only->nr;
		memcpy(check->ops, opts->only->ops, check->nr * sizeof(check->ops[0]));
		result = run_one(check);
	} else {
		result = run_many(check);
	}
	check->took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (check->stopped && result == -ECANCELED)
		result = 0;
	if (result < 0)
		return error_system(err, result, "%s",
		                    check->real.why[0] != 0 ? check->real.why : "comparing model and kernel");
	return result;
}

int check_print_program(FILE *out, const struct check *check, struct tide_error *err)
{
	int result = emit_program(out, &check->lockstep, check->ops, check->nr, &check->difference, check->kernel);

	return result < 0 ? error_system(err, result, "writing the program") : 0;
}
