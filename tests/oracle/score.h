/* SPDX-License-Identifier: MIT */
/* The arithmetic of accuracy: what was hot against what was called hot, in bytes. Makes no system call, reads no file.
 */
#ifndef ORACLE_SCORE_H
#define ORACLE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For `weight` (seconds) a check of [start, end) had the probability `share` to find its page accessed. */
struct heat {
	uint64_t start;
	uint64_t end;
	double share;
	double weight;
};

struct span {
	uint64_t start;
	uint64_t end;
};

/* What a report says of [start, end): hot or not, and the part of it (0 to 1) it makes no claim about. */
struct verdict {
	uint64_t start;
	uint64_t end;
	bool hot;
	double unobservable;
};

struct score {
	double area;             /* bytes looked at */
	double hot;              /* truly hot */
	double claimed;          /* called hot */
	double found;            /* truly hot and called hot */
	double undecided;        /* neither truly hot nor truly cold: not judged */
	double unobservable;     /* without a claim */
	double hot_unobservable; /* truly hot, without a claim: counts as missed */
};

/*
 * The probability that a page is found accessed after `sampling_s`, when it is touched with `probability` in each of
 * `sweeps_per_s` sweeps. With fewer sweeps than checks it is the share of the checks that follow a touch.
 */
double score_share(double probability, double sweeps_per_s, double sampling_s);

/*
 * The parts of `area` whose mean share over `total_weight` is at least `share`: a half is tidemark's own word for hot.
 * Pieces that overlap at the same time add up. Sorted, disjoint, to be freed with free(3) by the caller. 0 or -ENOMEM.
 */
int score_hot_spans(const struct heat *heats, size_t nr_heats, double total_weight, double share, struct span area,
                    struct span **spans, size_t *nr_spans);

/* The parts of sorted, disjoint `spans` that none of the sorted, disjoint `holes` covers; as score_hot_spans(). */
int score_without(const struct span *spans, size_t nr_spans, const struct span *holes, size_t nr_holes,
                  struct span **rest, size_t *nr_rest);

/* Compares sorted, disjoint spans with disjoint verdicts (sorted here) inside the area. What no verdict covers is
 * called cold. */
void score_compare(struct score *score, struct span area, const struct span *hot, size_t nr_hot,
                   struct verdict *verdicts, size_t nr_verdicts);

/*
 * Makes of `score`, whose hot spans are the surely hot, and of `wide`, whose hot spans are all that may have been hot,
 * a score of what is certain: what lies between the two is undecided, and a claim about it neither right nor wrong.
 */
void score_leave_undecided(struct score *score, const struct score *wide);

/* found / claimed; 1 when nothing was claimed: no claim was wrong. */
double score_precision(const struct score *score);

/* found / hot; 1 when nothing was hot. */
double score_recall(const struct score *score);

/* Harmonic mean of both; 0 when both are 0. */
double score_f1(const struct score *score);

/* Share of the area without a claim. */
double score_unobservable(const struct score *score);

/* Share of what was hot that was claimed to be cold: neither found nor admitted as unobservable. */
double score_wrong_cold(const struct score *score);

#endif
