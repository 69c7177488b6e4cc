/* SPDX-License-Identifier: MIT */
/* This file computes precision, recall and what belongs to them. */
#include "score.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A place where the mean share changes. */
struct step {
	uint64_t at;
	double change;
};

static int by_step(const void *a, const void *b)
{
	const struct step *left = a;
	const struct step *right = b;

	return (left->at > right->at) - (left->at < right->at);
}

static int by_start(const void *a, const void *b)
{
	const struct verdict *left = a;
	const struct verdict *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static double overlap(struct span a, struct span b)
{
	uint64_t start = larger(a.start, b.start);
	uint64_t end = smaller(a.end, b.end);

	return start < end ? (double)(end - start) : 0;
}

static double ratio(double part, double whole, double otherwise)
{
	return whole > 0 ? part / whole : otherwise;
}

double score_share(double probability, double sweeps_per_s, double sampling_s)
{
	double sweeps = sweeps_per_s * sampling_s;

	if (sweeps < 1)
		return probability * sweeps;
	return 1 - pow(1 - probability, sweeps);
}

static size_t make_steps(struct step *steps, const struct heat *heats, size_t nr_heats, double total_weight,
                         struct span area)
{
	size_t nr = 0;

	for (size_t i = 0; i < nr_heats; i++) {
		struct span part = { larger(heats[i].start, area.start), smaller(heats[i].end, area.end) };
		double share = heats[i].share * heats[i].weight / total_weight;

		if (part.start >= part.end)
			continue;
		steps[nr++] = (struct step){ part.start, share };
		steps[nr++] = (struct step){ part.end, -share };
	}
	qsort(steps, nr, sizeof(*steps), by_step);
	return nr;
}

int score_hot_spans(const struct heat *heats, size_t nr_heats, double total_weight, double at_least, struct span area,
                    struct span **spans, size_t *nr_spans)
{
	struct step *steps = malloc((2 * nr_heats + 1) * sizeof(*steps));
	struct span *out = malloc((2 * nr_heats + 1) * sizeof(*out));
	double share = 0;
	size_t nr_steps;
	size_t nr = 0;

	if (!steps || !out) {
		free(steps);
		free(out);
		return -ENOMEM;
	}
	nr_steps = total_weight > 0 ? make_steps(steps, heats, nr_heats, total_weight, area) : 0;
	for (size_t i = 0; i + 1 < nr_steps; i++) {
		share += steps[i].change;
		/* A sum of many small shares comes out a little short. */
		if (steps[i].at == steps[i + 1].at || share < at_least - 1e-9)
			continue;
		if (nr && out[nr - 1].end == steps[i].at)
			out[nr - 1].end = steps[i + 1].at;
		else
			out[nr++] = (struct span){ steps[i].at, steps[i + 1].at };
	}
	free(steps);
	*spans = out;
	*nr_spans = nr;
	return 0;
}

int score_without(const struct span *spans, size_t nr_spans, const struct span *holes, size_t nr_holes,
                  struct span **rest, size_t *nr_rest)
{
	/* Each hole can cut one span in two. */
	struct span *out = malloc((nr_spans + nr_holes + 1) * sizeof(*out));
	size_t first = 0;
	size_t nr = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < nr_spans; i++) {
		uint64_t at = spans[i].start;

		while (first < nr_holes && holes[first].end <= at)
			first++;
		for (size_t k = first; k < nr_holes && holes[k].start < spans[i].end; k++) {
			if (at < holes[k].start)
				out[nr++] = (struct span){ at, holes[k].start };
			at = holes[k].end;
		}
		if (at < spans[i].end)
			out[nr++] = (struct span){ at, spans[i].end };
	}
	*rest = out;
	*nr_rest = nr;
	return 0;
}

void score_compare(struct score *score, struct span area, const struct span *hot, size_t nr_hot,
                   struct verdict *verdicts, size_t nr_verdicts)
{
	size_t first = 0;

	*score = (struct score){ .area = (double)(area.end - area.start) };
	qsort(verdicts, nr_verdicts, sizeof(*verdicts), by_start);
	for (size_t i = 0; i < nr_hot; i++)
		score->hot += overlap(area, hot[i]);
	for (size_t i = 0; i < nr_verdicts; i++) {
		const struct verdict *verdict = &verdicts[i];
		struct span span = { larger(verdict->start, area.start), smaller(verdict->end, area.end) };
		double bytes = span.start < span.end ? (double)(span.end - span.start) : 0;
		double truly_hot = 0;

		while (first < nr_hot && hot[first].end <= span.start)
			first++;
		for (size_t k = first; k < nr_hot && hot[k].start < span.end; k++)
			truly_hot += overlap(span, hot[k]);
		score->unobservable += bytes * verdict->unobservable;
		score->hot_unobservable += truly_hot * verdict->unobservable;
		if (verdict->hot) {
			score->claimed += bytes * (1 - verdict->unobservable);
			score->found += truly_hot * (1 - verdict->unobservable);
		}
	}
}

void score_leave_undecided(struct score *score, const struct score *wide)
{
	score->undecided = wide->hot - score->hot;
	score->claimed -= wide->found - score->found;
}

double score_precision(const struct score *score)
{
	return ratio(score->found, score->claimed, 1);
}

double score_recall(const struct score *score)
{
	return ratio(score->found, score->hot, 1);
}

double score_f1(const struct score *score)
{
	double precision = score_precision(score);
	double recall = score_recall(score);

	return ratio(2 * precision * recall, precision + recall, 0);
}

double score_unobservable(const struct score *score)
{
	return ratio(score->unobservable, score->area, 0);
}

double score_wrong_cold(const struct score *score)
{
	return ratio(score->hot - score->found - score->hot_unobservable, score->hot, 0);
}
