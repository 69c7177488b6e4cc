/* SPDX-License-Identifier: MIT */
/* This file holds samples against what a workload says is hot. */
#include "verify/score.h"

#include <stdlib.h>

void score_fini(struct score *score)
{
	vec_free(&score->hots.list);
}

static uint64_t common(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
	uint64_t from = start > other_start ? start : other_start;
	uint64_t to = end < other_end ? end : other_end;

	return from < to ? to - from : 0;
}

/* Hot as reports call it. */
static bool is_hot(const struct tide_sample *sample, const struct tide_region *region, unsigned uses)
{
	uint32_t nr = uses == WORKLOAD_WRITES ? region->nr_writes : region->nr_accesses;

	return 2 * (uint64_t)nr >= sample->nr_checks;
}

static void add_region(struct score_interval *interval, const struct score_truth *truth,
                       const struct workload_hots *hots, const struct tide_region *region)
{
	for (size_t i = 0; i < truth->layout->nr_mappings; i++) {
		const struct tide_mapping *mapping = &truth->layout->mappings[i];

		interval->found += (double)common(region->start, region->end, mapping->start, mapping->end);
	}
	for (size_t i = 0; i < hots->list.nr; i++) {
		const struct workload_hot *hot = &hots->list.items[i];

		interval->both += hot->share * (double)common(region->start, region->end, hot->start, hot->end);
	}
}

int score_take(struct score *score, const struct score_truth *truth, const struct tide_sample *sample, unsigned uses)
{
	struct score_interval *interval = &score->last[score->nr % PREDICTION_LAST];
	int result = workload_hot(truth->workload, truth->at_ns, truth->sampling_ns, uses, &score->hots);

	if (result < 0)
		return result;
	score->nr++;
	*interval = (struct score_interval){ 0 };
	for (size_t i = 0; i < score->hots.list.nr; i++) {
		const struct workload_hot *hot = &score->hots.list.items[i];

		interval->hot += hot->share * (double)(hot->end - hot->start);
	}
	for (size_t i = 0; i < sample->nr_regions; i++)
		if (is_hot(sample, &sample->regions[i], uses))
			add_region(interval, truth, &score->hots, &sample->regions[i]);
	return 0;
}

static bool is_good(const struct score_interval *interval)
{
	return interval->both > 0 && interval->both >= 0.9 * interval->hot && interval->both >= 0.9 * interval->found;
}

bool score_is_good(const struct score *score)
{
	return score->nr > 0 && is_good(&score->last[(score->nr - 1) % PREDICTION_LAST]);
}

struct prediction_accuracy score_accuracy(const struct score *score)
{
	size_t nr = score->nr < PREDICTION_LAST ? (size_t)score->nr : PREDICTION_LAST;
	struct score_interval sum = { 0 };

	for (size_t i = 0; i < nr; i++) {
		sum.hot += score->last[i].hot;
		sum.found += score->last[i].found;
		sum.both += score->last[i].both;
	}
	return (struct prediction_accuracy){
		.hot = nr > 0 ? sum.hot / (double)nr : 0,
		.found = nr > 0 ? sum.found / (double)nr : 0,
		.precision = sum.found > 0 ? sum.both / sum.found : -1,
		.recall = sum.hot > 0 ? sum.both / sum.hot : -1,
	};
}
