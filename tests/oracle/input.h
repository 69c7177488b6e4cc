/* SPDX-License-Identifier: MIT */
/* What compare reads: the truth log of a workload, `tidemark report regions --json`, and the record's times. */
#ifndef ORACLE_INPUT_H
#define ORACLE_INPUT_H

#include <stdio.h>

#include "base/vec.h"
#include "score.h"

/* The ways of touching that the truth knows apart. */
enum touch {
	TOUCH_ANY,
	TOUCH_READ,
	TOUCH_WRITE, /* what is both read and written is in each of the three */
	NR_TOUCHES,
};

/* The sets of bytes that a report is judged by. Hot: touched so in at least half of the checks. */
enum set {
	SET_ACCESSES,                /* hot by any touch */
	SET_WRITES,                  /* write-hot: hot by writes alone */
	SET_READS_ONLY,              /* hot, and not write-hot */
	NR_CLAIMS,                   /* the sets above are those that a report tells */
	SET_WRITES_ONLY = NR_CLAIMS, /* write-hot, and not hot by reads alone: a report cannot tell it from both */
	NR_SETS,
};

struct truth {
	char pattern[64];
	struct span area;
	double covered_s; /* time of the window that the log tells about */
	double sweeps;    /* made in it */
	double busy_s;    /* time spent touching in it */
	double late_s;    /* time in it that the workload wanted to run and could not */
	double max_gap_s; /* longest time in which a hot page may have gone untouched */
	VEC(struct heat) heats[NR_TOUCHES];
};

struct report {
	double nr_checks;
	double sampling_s;        /* 0: the report does not say */
	uint64_t started_unix_us; /* 0: the report does not say */
	uint64_t from_us;         /* the part of the record that it is about, since the start */
	uint64_t to_us;
	VEC(struct verdict) verdicts[NR_CLAIMS]; /* by set: is a region in it? */
};

/* How a record's checks were really made: on a busy machine they come late, and each looks at a longer time. */
struct checks {
	double nr_samples;
	double interval_s; /* mean */
};

/* Reads the slices that overlap the window [from_us, to_us) of wall-clock time. 0, or -errno with a sentence on stderr.
 */
int truth_read(struct truth *truth, const char *path, uint64_t from_us, uint64_t to_us, double sampling_s);
void truth_fini(struct truth *truth);

/* The wall-clock time of the log's last moment; 0 when it has none. */
uint64_t truth_last_us(const char *path);

/* Of the samples of the record `path` that end in (from_us, to_us] of its time. 0, or -errno with a sentence on stderr.
 */
int checks_read(struct checks *checks, const char *path, uint64_t from_us, uint64_t to_us);

/*
 * A region is hot when its nr_accesses is at least half of nr_checks, write-hot when its nr_writes is. 0, or -errno
 * with a sentence on stderr.
 */
int report_read(struct report *report, FILE *file, const char *name);
void report_fini(struct report *report);

#endif
