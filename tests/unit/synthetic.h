/* SPDX-License-Identifier: MIT */
/* Samples of processes that do not exist: the same ones for the same numbers, on every machine. */
#ifndef TESTS_SYNTHETIC_H
#define TESTS_SYNTHETIC_H

#include "record/writer.h"

struct synthetic_opts {
	uint32_t nr_targets; /* 0: 1 */
	uint32_t nr_regions; /* of each target; 0: 100 */
	uint32_t nr_pieces;  /* mappings that the big one is in, a page apart; 0: 1 */
	uint64_t seed;
	bool no_layout;    /* as if mappings were not known */
	bool unobservable; /* a part that nobody can see */
	bool holes;        /* every seventh region is left out */
	bool writes;       /* regions are written, too */
	bool exact;        /* as exact mode: nr_checks 100, an interval of 1 s, and ages */
	bool growing;      /* the heap's end moves every tenth sample */
};

struct synthetic;

/* Aborts when memory is out: a test has no better idea. */
struct synthetic *synthetic_new(const struct synthetic_opts *opts);
void synthetic_free(struct synthetic *synthetic);

/* The next sample, 100 ms after the one before; valid until the next call. Checks: 20. */
const struct tide_sample *synthetic_next(struct synthetic *synthetic);

/* What goes with it into record_put. */
const struct record_source *synthetic_sources(const struct synthetic *synthetic);

/* What a record of it says of itself. */
extern const struct record_info synthetic_info;
extern const struct record_info synthetic_exact_info;
extern const struct record_info synthetic_writes_info;
const struct record_info *synthetic_info_of(const struct synthetic_opts *opts);

/* Puts `nr` samples into the writer. 0 or the negative errno of record_put. */
int synthetic_put(struct record_writer *writer, struct synthetic *synthetic, size_t nr, struct tide_error *err);

#endif
