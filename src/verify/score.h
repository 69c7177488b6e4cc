/* SPDX-License-Identifier: MIT */
/* How much of what samples call hot is hot, and how much of what is hot they call so: the last intervals' sums. */
#ifndef VERIFY_SCORE_H
#define VERIFY_SCORE_H

#include "verify/prediction.h"

/* One interval, in bytes. */
struct score_interval {
	double hot;
	double found;
	double both;
};

struct score {
	struct score_interval last[PREDICTION_LAST]; /* a ring */
	uint64_t nr;                                 /* intervals so far */
	struct workload_hots hots;
};

/* What a sample is held against. */
struct score_truth {
	const struct workload *workload;
	const struct tide_layout *layout;
	uint64_t at_ns;
	uint64_t sampling_ns;
};

void score_fini(struct score *score);

/* Counts a sample: `uses` says whether it is about accesses or about writes (enum workload_use). 0 or -ENOMEM. */
int score_take(struct score *score, const struct score_truth *truth, const struct tide_sample *sample, unsigned uses);

/* Were precision and recall of the last interval 0.9 at least? */
bool score_is_good(const struct score *score);

/* Over the last PREDICTION_LAST intervals. */
struct prediction_accuracy score_accuracy(const struct score *score);

#endif
