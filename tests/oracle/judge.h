/* SPDX-License-Identifier: MIT */
/* Holds what a report says against the truth, set by set, and the scores against limits. Reads no file. */
#ifndef ORACLE_JUDGE_H
#define ORACLE_JUDGE_H

#include "input.h"

/* One set judged. What is unobservable and in the set counts as missed. */
struct judgement {
	enum set set;
	struct score score;
	/*
	 * judge_apart() only. Of SET_READS_ONLY: its bytes, and those of them that were called write-hot. Of
	 * SET_WRITES: the bytes of SET_WRITES_ONLY, and those of them that were not called write-hot.
	 */
	double apart;
	double mistaken;
};

enum limit {
	MIN_PRECISION,
	MIN_RECALL,
	MIN_UNOBSERVABLE,
	MAX_UNOBSERVABLE,
	MAX_WRONG_COLD,
	NR_LIMITS,
};

struct limits {
	bool given[NR_LIMITS];
	double values[NR_LIMITS];
};

struct set_words {
	const char *name;
	const char *is;     /* what a byte in it is */
	const char *missed; /* what a limit on wrong cold is about; NULL: no report is judged by the set */
};

const struct set_words *set_words(enum set set);

/* Judges one of the sets that a report tells. Shares of the checks that are within `margin` of a half are left out.
 * 0 or -ENOMEM. */
int judge(struct judgement *judgement, enum set set, const struct truth *truth, struct report *report, double margin);

/* Are reads and writes told apart: judges SET_READS_ONLY and SET_WRITES of one report. 0 or -ENOMEM. */
int judge_apart(struct judgement judgements[2], const struct truth *truth, struct report *report, double margin);

/* Does the judgement keep the limits? A sentence on stderr for each that it does not. */
bool judge_limits(const struct judgement *judgement, const struct limits *limits);

#endif
