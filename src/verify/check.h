/* SPDX-License-Identifier: MIT */
/*
 * Does this kernel do what the model says? Programs in lockstep until so many operations have run, or one differs; that
 * one is shrunk. And what is told of it all.
 */
#ifndef VERIFY_CHECK_H
#define VERIFY_CHECK_H

#include <stdio.h>

#include <tidemark/error.h>

#include "verify/lockstep.h"
#include "verify/program.h"
#include "verify/real.h"

struct check_opts {
	uint64_t nr_steps; /* operations */
	uint64_t seed;
	const struct program_case *only; /* this program alone; NULL: random ones */
	/* Asked before each operation, also of those that shrink a program; false: no further. NULL: never asked. */
	bool (*go_on)(void *arg, const struct lockstep *lockstep);
	void *arg;
};

struct check {
	struct real real;
	struct lockstep lockstep;
	struct check_opts opts;
	char kernel[128];
	uint64_t took_ns;
	bool stopped; /* by opts.go_on, before the end */
	bool differs;
	bool tried; /* the program that differs was run once more */
	bool again; /* and differed again, and was shrunk */
	struct difference difference;
	struct model_op ops[PROGRAM_MAX]; /* of the program that differs */
	size_t nr;
	char why[160]; /* it differs as a process was killed or hangs: what happened */
};

/* Starts the kernel's side. 0 or negative: UNSUPPORTED, DENIED what it needs is not here. */
int check_open(struct check *check, struct tide_error *err);

/* 0 they agree, 1 they do not, negative: it could not be told. */
int check_run(struct check *check, const struct check_opts *opts, struct tide_error *err);

/* One of the kinds in `ops` that cannot be performed here; NR_MODEL_OPS: all can. */
enum model_op_kind check_lacking(const struct check *check, const struct model_op *ops, size_t nr);

/* What came of it: 0 or negative. */
int check_print_text(FILE *out, const struct check *check, struct tide_error *err);
int check_print_json(FILE *out, const struct check *check, struct tide_error *err);

/* The program that differs, as C. */
int check_print_program(FILE *out, const struct check *check, struct tide_error *err);

void check_close(struct check *check);

#endif
