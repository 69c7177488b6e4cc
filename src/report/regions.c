/* SPDX-License-Identifier: MIT */
/*
 * This file reports regions: those of the last sample, each with what was counted in it over the last seconds. Regions
 * change from sample to sample, so the means are weighted by the bytes that an earlier region has in common with a
 * final one, and by how long it lasted.
 */
#include "report/regions.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/format.h"
#include "report/json.h"

#define DEFAULT_US UINT64_C(10000000)

static int take_last(void *arg, const struct record_sample *sample)
{
	struct regions *regions = arg;

	regions->at_us = sample->end_us;
	regions->nr_checks = sample->nr_checks;
	regions->items.nr = 0;
	for (size_t i = 0; i < sample->nr_regions; i++) {
		struct region_mean mean = { .last = sample->regions[i] };

		if (vec_push(&regions->items, mean) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool before(const struct tide_region *a, const struct tide_region *b)
{
	return a->target < b->target || (a->target == b->target && a->end <= b->start);
}

static void add_overlap(struct region_mean *mean, const struct tide_region *then, const struct record_sample *sample)
{
	uint64_t start = mean->last.start > then->start ? mean->last.start : then->start;
	uint64_t end = mean->last.end < then->end ? mean->last.end : then->end;
	double weight = (double)(end - start) * (double)(sample->end_us - sample->start_us + 1);
	double checks = (double)sample->nr_checks;

	mean->weight += weight;
	mean->accesses += weight * (double)then->nr_accesses / checks;
	mean->writes += weight * (double)then->nr_writes / checks;
	mean->unobservable += weight * (double)then->nr_unobservable / checks;
	mean->untold += weight * (double)then->nr_writes_unobservable / checks;
}

/* Both lists are ordered and without overlaps: one pass over the two. */
static int add_sample(void *arg, const struct record_sample *sample)
{
	struct regions *regions = arg;
	size_t i = 0;
	size_t j = 0;

	while (i < regions->items.nr && j < sample->nr_regions) {
		struct region_mean *mean = &regions->items.items[i];
		const struct tide_region *then = &sample->regions[j];

		if (before(&mean->last, then)) {
			i++;
		} else if (before(then, &mean->last)) {
			j++;
		} else {
			add_overlap(mean, then, sample);
			if (then->end < mean->last.end)
				j++;
			else
				i++;
		}
	}
	return 0;
}

static double at_most_one(double share)
{
	return share < 1 ? share : 1;
}

/* From sums to means, and what the layout says of each. */
static void complete(struct regions *regions, struct record_reader *reader)
{
	for (size_t i = 0; i < regions->items.nr; i++) {
		struct region_mean *mean = &regions->items.items[i];
		const struct tide_region *last = &mean->last;
		double checks = (double)regions->nr_checks;
		double seen;

		if (mean->weight > 0) {
			mean->accesses = at_most_one(mean->accesses / mean->weight);
			mean->writes = at_most_one(mean->writes / mean->weight);
			mean->unobservable = at_most_one(mean->unobservable / mean->weight);
			mean->untold = at_most_one(mean->untold / mean->weight);
		}
		mean->mapping = record_mapping_name(reader, last->target, last->start, last->end, regions->at_us);
		mean->mapped_bytes = record_mapped_bytes(reader, last->target, last->start, last->end, regions->at_us);
		/* What was seen to be written was accessed, whatever could be seen of that. */
		seen = mean->writes > mean->accesses ? mean->writes : mean->accesses;
		mean->heat = heat_of(seen * checks, mean->unobservable * checks, checks);
		if (mean->mapped_bytes == 0 && mean->heat <= HEAT_COLD)
			mean->heat = HEAT_UNMAPPED;
		mean->unobservable_bytes = (uint64_t)((double)(last->end - last->start) * mean->unobservable);
		mean->age_us = (uint64_t)last->age * record_info(reader)->aggregation_us;
	}
}

/* One region; NULL when memory is out. */
static json_t *make_region(const struct regions *regions, const struct region_mean *mean, int64_t pid, bool has_writes)
{
	const struct tide_region *last = &mean->last;
	double checks = (double)regions->nr_checks;
	json_t *object =
	        json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "target", (int)last->target, "pid",
	                  (json_int_t)pid, "start", json_address(last->start), "end", json_address(last->end),
	                  "nr_accesses", json_share(mean->accesses * checks), "nr_writes",
	                  json_share(mean->writes * checks), "age_us", json_number(mean->age_us), "mapping",
	                  json_text(mean->mapping), "unobservable_bytes", json_number(mean->unobservable_bytes),
	                  "mapped_bytes", json_number(mean->mapped_bytes), "state", heat_name(mean->heat));
	uint64_t untold = (uint64_t)((double)(last->end - last->start) * mean->untold);

	if (object == NULL || !has_writes ||
	    json_object_set_new(object, "unobservable_writes_bytes", json_number(untold)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int write_json(const struct regions *regions, struct record_reader *reader, FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(reader);
	const struct record_target *targets;
	json_t *header = json_header("regions", info, regions->window.from_us, regions->window.to_us);
	int result;

	record_targets(reader, &targets);
	if (header != NULL && json_object_set_new(header, "nr_checks", json_number(regions->nr_checks)) < 0) {
		json_decref(header);
		header = NULL;
	}
	result = json_line(out, header, err);
	for (size_t i = 0; i < regions->items.nr && result == 0; i++) {
		const struct region_mean *mean = &regions->items.items[i];

		result = json_line(
		        out, make_region(regions, mean, targets[mean->last.target].pid, info->writes != NULL), err);
	}
	return result;
}

int report_regions(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	struct regions regions = { 0 };
	int result = report_window(&regions.window, reader, opts, DEFAULT_US, err);

	if (result < 0)
		return result;
	result = record_for_each(reader, regions.window.to_us - 1, regions.window.to_us, take_last, &regions, err);
	if (result == 0)
		result = record_for_each(reader, regions.window.from_us, regions.window.to_us, add_sample, &regions,
		                         err);
	if (result == -ENOMEM)
		error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result == 0) {
		complete(&regions, reader);
		if (opts->json)
			result = write_json(&regions, reader, out, err);
		else
			regions_write_text(&regions, reader, opts, out);
	}
	vec_free(&regions.items);
	return result < 0 ? result : report_end(reader, out, err);
}
