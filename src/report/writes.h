/* SPDX-License-Identifier: MIT */
/*
 * What a write tracker saw, epoch by epoch, as people and programs read it: each epoch with the mappings that were
 * written in it, and a summary at the end. Sizes are of whole pages.
 */
#ifndef REPORT_WRITES_H
#define REPORT_WRITES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <tidemark/watch.h>

#include "base/vec.h"

struct writes_opts {
	bool json;            /* one object per line, the first {"schema":"tidemark/1",...} */
	bool runs;            /* each run, before its epoch */
	bool verified;        /* each epoch was verified: writes_epoch() gets counts */
	int width;            /* columns; 0: 80 */
	size_t top;           /* mappings below an epoch, and in the summary; 0: 3 and 10 */
	const char *pins;     /* how pinned pages are found: "walker", "fdinfo", "none" */
	const char *backend;  /* how writes are tracked; NULL: not said */
	const char *version;  /* of the program */
	uint64_t interval_us; /* asked for */
};

struct writes_sum {
	uint64_t written_bytes;
	uint64_t over_bytes;
	uint64_t pinned_bytes;
};

struct writes_mapping {
	uint64_t start;
	uint64_t end;
	char *name; /* never NULL */
	struct writes_sum sum;
};

/* Ascending by start; at one address may have been mappings of several names. */
typedef VEC(struct writes_mapping) writes_mapping_vec;

/* An epoch's verification. */
struct writes_verified {
	uint64_t nr_pages;
	uint64_t nr_lost;
	uint64_t unreadable_bytes;
};

struct writes {
	struct writes_opts opts;
	FILE *out;
	pid_t pid;
	const char *name;
	/* Of the epoch that goes on. */
	writes_mapping_vec mappings;
	uint64_t whys[TIDE_NR_WHYS]; /* bytes */
	/* Of all. */
	writes_mapping_vec all_mappings;
	uint64_t all_whys[TIDE_NR_WHYS];
	struct writes_sum all;
	struct writes_verified verified; /* nr_pages is a sum */
	struct tide_epoch last;
	uint64_t nr_epochs;
	uint64_t nr_stops;  /* epochs for which the process stood still */
	uint64_t at_us;     /* since the beginning, as of the last epoch's end */
	uint64_t length_us; /* of the last epoch */
	uint64_t max_rate;  /* bytes a second */
	uint64_t cost_ns;   /* sum */
	uint64_t max_cost_ns;
	uint32_t blind; /* anything that any epoch could not see */
};

/* Begins the report of `target`, which outlives it. 0 or negative. */
TIDE_MUST_USE int writes_begin(struct writes *writes, const struct writes_opts *opts, const struct tide_target *target,
                               FILE *out, struct tide_error *err);

/* A run of the epoch that is being collected, with the mappings of then. 0 or negative. */
TIDE_MUST_USE int writes_run(struct writes *writes, const struct tide_layout *layout, const struct tide_run *run,
                             struct tide_error *err);

/* Pages whose writes were lost, addresses ascending; before their epoch's end. 0 or negative. */
TIDE_MUST_USE int writes_lost(struct writes *writes, const struct tide_layout *layout, const uint64_t *pages, size_t nr,
                              struct tide_error *err);

/* The epoch has ended, `at_us` after the beginning. `verified` is NULL without opts.verified. 0 or negative. */
TIDE_MUST_USE int writes_epoch(struct writes *writes, const struct tide_epoch *epoch, uint64_t at_us,
                               const struct writes_verified *verified, struct tide_error *err);

/* The summary; `ended` says in a word or two why: "count", "interrupted", "gone", "error". 0 or negative. */
TIDE_MUST_USE int writes_end(struct writes *writes, const char *ended, struct tide_error *err);

void writes_fini(struct writes *writes);

/* writes.c, for the two below. Most written first; an index into `mappings` each, the caller's to free; NULL: no
 * memory, or none. */
size_t *writes_by_size(const writes_mapping_vec *mappings);
uint64_t writes_rate(uint64_t bytes, uint64_t us); /* a second */
uint64_t writes_exact(const struct writes_sum *sum);

/* writes-text.c, writes-json.c: what is printed when. */
int writes_text_begin(const struct writes *writes);
int writes_text_run(const struct writes *writes, const struct tide_run *run, const char *mapping);
int writes_text_lost(const struct writes *writes, uint64_t start, uint64_t end, const char *mapping);
int writes_text_epoch(const struct writes *writes, const struct writes_verified *verified, bool blind_is_new);
int writes_text_end(const struct writes *writes, const char *ended);
int writes_json_begin(const struct writes *writes);
int writes_json_run(const struct writes *writes, const struct tide_run *run, const char *mapping);
int writes_json_lost(const struct writes *writes, uint64_t start, uint64_t end, const char *mapping);
int writes_json_epoch(const struct writes *writes, const struct writes_verified *verified, bool blind_is_new);
int writes_json_end(const struct writes *writes, const char *ended);

#endif
