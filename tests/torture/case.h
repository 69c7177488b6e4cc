/* SPDX-License-Identifier: MIT */
/* One case: a mutator from its first write to its end, everything drawn from one seed. */
#ifndef TESTS_TORTURE_CASE_H
#define TESTS_TORTURE_CASE_H

#include "oracle.h"

struct case_opts {
	const char *mutator; /* the program */
	const char *family;
	const struct tracker_ops *tracker;
	const struct tracker_ops *beside; /* another one, at the same time; collects at stops only. NULL: none */
	const char *pins;                 /* NULL: what the family needs, by the seed */
	bool ranges;                      /* always parts only; else by the seed, now and then */
	bool silent;                      /* lost writes are expected */
	uint64_t seed;
	void (*opened)(void); /* called once the tracker is open; NULL: nothing */
};

/*
 * Adds to `score`; `*flags` gets those of the family's operations. 0; negative with `err` when the tracker cannot be
 * opened.
 */
int case_run(const struct case_opts *opts, struct score *score, unsigned *flags, struct tide_error *err);

#endif
