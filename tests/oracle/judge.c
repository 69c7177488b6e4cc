/* SPDX-License-Identifier: MIT */
/* This file judges a report's sets of hot bytes by the truth's. */
#include "judge.h"

#include <stdlib.h>

#define TOUCH_NONE NR_TOUCHES

/* What the truth means by a set: hot by the one touch, and not by the other. */
static const struct {
	enum touch by;
	enum touch not_by;
	struct set_words words;
} sets[NR_SETS] = {
	[SET_ACCESSES] = { TOUCH_ANY, TOUCH_NONE, { "accesses", "hot", "hot called cold" } },
	[SET_WRITES] = { TOUCH_WRITE, TOUCH_NONE, { "writes", "write-hot", "write-hot called otherwise" } },
	[SET_READS_ONLY] = { TOUCH_ANY, TOUCH_WRITE, { "reads-only", "read-only hot", "read-only called otherwise" } },
	[SET_WRITES_ONLY] = { TOUCH_WRITE, TOUCH_READ, { "writes-only", "write-only hot", NULL } },
};

struct spans {
	struct span *items;
	size_t nr;
};

const struct set_words *set_words(enum set set)
{
	return &sets[set].words;
}

static int hot_by(const struct truth *truth, enum touch touch, double share, struct spans *spans)
{
	if (touch == TOUCH_NONE)
		return 0;
	return score_hot_spans(truth->heats[touch].items, truth->heats[touch].nr, truth->covered_s, share, truth->area,
	                       &spans->items, &spans->nr);
}

/*
 * Holds the report's word on `claim` against the truth's `set`. With a positive margin only what is surely in the set
 * counts as in it, with a negative one all that may be.
 */
static int hold(struct score *score, enum set set, enum set claim, const struct truth *truth, struct report *report,
                double margin)
{
	struct spans by = { 0 };
	struct spans not_by = { 0 };
	struct spans in = { 0 };
	int rc = hot_by(truth, sets[set].by, 0.5 + margin, &by);

	if (rc == 0)
		rc = hot_by(truth, sets[set].not_by, 0.5 - margin, &not_by);
	if (rc == 0)
		rc = score_without(by.items, by.nr, not_by.items, not_by.nr, &in.items, &in.nr);
	if (rc == 0)
		score_compare(score, truth->area, in.items, in.nr, report->verdicts[claim].items,
		              report->verdicts[claim].nr);
	free(by.items);
	free(not_by.items);
	free(in.items);
	return rc;
}

int judge(struct judgement *judgement, enum set set, const struct truth *truth, struct report *report, double margin)
{
	struct score wide;
	int rc;

	*judgement = (struct judgement){ .set = set };
	rc = hold(&judgement->score, set, set, truth, report, margin);
	if (rc == 0)
		rc = hold(&wide, set, set, truth, report, -margin);
	if (rc == 0)
		score_leave_undecided(&judgement->score, &wide);
	return rc;
}

int judge_apart(struct judgement judgements[2], const struct truth *truth, struct report *report, double margin)
{
	struct judgement *reads = &judgements[0];
	struct judgement *writes = &judgements[1];
	struct score read_only;
	struct score write_only;
	int rc = judge(reads, SET_READS_ONLY, truth, report, margin);

	if (rc == 0)
		rc = judge(writes, SET_WRITES, truth, report, margin);
	if (rc == 0)
		rc = hold(&read_only, SET_READS_ONLY, SET_WRITES, truth, report, margin);
	if (rc == 0)
		rc = hold(&write_only, SET_WRITES_ONLY, SET_WRITES, truth, report, margin);
	if (rc < 0)
		return rc;
	reads->apart = read_only.hot;
	reads->mistaken = read_only.found;
	writes->apart = write_only.hot;
	writes->mistaken = write_only.hot - write_only.found;
	return 0;
}

static bool check(const struct judgement *judgement, const char *name, const struct limits *limits, enum limit limit,
                  double value)
{
	bool is_least = limit == MIN_PRECISION || limit == MIN_RECALL || limit == MIN_UNOBSERVABLE;
	double bound = limits->values[limit];

	if (!limits->given[limit] || (is_least ? value >= bound : value <= bound))
		return true;
	fprintf(stderr, "not met: of %s, %s is %.4f, the limit %.4f\n", set_words(judgement->set)->name, name, value,
	        bound);
	return false;
}

bool judge_limits(const struct judgement *judgement, const struct limits *limits)
{
	const struct score *score = &judgement->score;
	bool ok = true;

	ok &= check(judgement, "precision", limits, MIN_PRECISION, score_precision(score));
	ok &= check(judgement, "recall", limits, MIN_RECALL, score_recall(score));
	ok &= check(judgement, "unobservable", limits, MAX_UNOBSERVABLE, score_unobservable(score));
	ok &= check(judgement, "unobservable", limits, MIN_UNOBSERVABLE, score_unobservable(score));
	ok &= check(judgement, set_words(judgement->set)->missed, limits, MAX_WRONG_COLD, score_wrong_cold(score));
	return ok;
}
