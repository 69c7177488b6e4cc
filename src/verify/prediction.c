/* SPDX-License-Identifier: MIT */
/* This file runs a monitor over a workload: the clock jumps from one deadline to the next. */
#include "verify/prediction.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "sensor/model.h"
#include "sensor/state.h"
#include "session/session.h"
#include "verify/score.h"

struct prediction {
	const struct workload *workload;
	struct tide_monitor *monitor;
	uint64_t now_ns;
	uint64_t duration_ns;
	uint64_t first_sample_ns; /* when the first sample ended, and the last one */
	uint64_t seen_ns;
	bool has_writes;
	VEC(struct tide_mapping) mappings;
	struct tide_layout layout;
	struct score accesses;
	struct score writes;
	uint64_t nr_samples;
	uint64_t good_sample;
	uint64_t good_ns;
	uint64_t mapped_bytes;
	size_t nr_regions;
	size_t max_nr_regions;
	double sum_of_regions;
	double watched_bytes;
	double unobservable_bytes;
};

static int check_opts(const struct prediction_opts *opts, const struct tide_monitor *monitor, struct tide_error *err)
{
	if (opts->monitor.flags & TIDE_MONITOR_EXACT)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "exact mode sees every page: there is nothing to predict");
	if (opts->duration_us < tide_monitor_options(monitor)->aggregation_us)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "a duration of %g ms is shorter than one aggregation interval of %g ms and would give "
		                 "no result: make it longer, or the interval shorter",
		                 (double)opts->duration_us / 1e3,
		                 (double)tide_monitor_options(monitor)->aggregation_us / 1e3);
	return 0;
}

static int add_target(struct prediction *prediction, const struct prediction_opts *opts, struct tide_error *err)
{
	void *state = sensor_model_new(prediction->workload, &prediction->now_ns);
	void *writes = opts->writes ? sensor_model_new(prediction->workload, &prediction->now_ns) : NULL;

	if (state == NULL || (opts->writes && writes == NULL)) {
		sensor_end_state(&sensor_model, state);
		sensor_end_state(&sensor_model_writes, writes);
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for a sensor");
	}
	return tide_monitor_add_with_writes(prediction->monitor, &sensor_model, state,
	                                    opts->writes ? &sensor_model_writes : NULL, writes, opts->ranges,
	                                    opts->nr_ranges, err);
}

int prediction_open(struct prediction **out, const struct workload *workload, const struct prediction_opts *opts,
                    struct tide_error *err)
{
	/* A session's own bounds, so that a live one does what was predicted. */
	struct tide_session_opts session = { .monitor = opts->monitor, .duration_us = opts->duration_us };
	struct prediction *prediction = calloc(1, sizeof(*prediction));
	int result;

	if (prediction == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for a prediction");
	prediction->workload = workload;
	prediction->duration_ns = opts->duration_us * 1000;
	prediction->has_writes = opts->writes;
	session_bound_tuning(&session);
	result = tide_monitor_open(&prediction->monitor, &session.monitor, err);
	if (result == 0)
		result = check_opts(opts, prediction->monitor, err);
	if (result == 0)
		result = add_target(prediction, opts, err);
	if (result < 0) {
		prediction_close(prediction);
		return result;
	}
	*out = prediction;
	return 0;
}

void prediction_close(struct prediction *prediction)
{
	if (prediction == NULL)
		return;
	tide_monitor_close(prediction->monitor);
	score_fini(&prediction->accesses);
	score_fini(&prediction->writes);
	vec_free(&prediction->mappings);
	free(prediction);
}

/* What the next update interval would see, too: a record's mappings are as fresh as its sample. */
static int refresh_layout(struct prediction *prediction)
{
	uint64_t generation = 1 + workload_generation(prediction->workload, prediction->now_ns);

	if (generation == prediction->layout.generation)
		return 0;
	prediction->mappings.nr = 0;
	prediction->mapped_bytes = 0;
	for (size_t i = 0; i < prediction->workload->mappings.nr; i++) {
		const struct workload_mapping *mapping = &prediction->workload->mappings.items[i];
		struct tide_mapping mapped = { .start = mapping->start,
			                       .end = mapping->end,
			                       .flags = TIDE_MAPPING_READ | TIDE_MAPPING_WRITE,
			                       .name = mapping->name };

		if (!workload_is_mapped(mapping, prediction->now_ns))
			continue;
		if (vec_push(&prediction->mappings, mapped) < 0)
			return -ENOMEM;
		prediction->mapped_bytes += mapped.end - mapped.start;
	}
	prediction->layout = (struct tide_layout){ .generation = generation,
		                                   .nr_mappings = prediction->mappings.nr,
		                                   .mappings = prediction->mappings.items };
	return 0;
}

static void note_regions(struct prediction *prediction, const struct tide_sample *sample)
{
	prediction->nr_samples++;
	prediction->seen_ns = sample->end_ns;
	if (prediction->first_sample_ns == 0)
		prediction->first_sample_ns = sample->end_ns;
	prediction->nr_regions = sample->nr_regions;
	prediction->sum_of_regions += (double)sample->nr_regions;
	if (sample->nr_regions > prediction->max_nr_regions)
		prediction->max_nr_regions = sample->nr_regions;
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		prediction->watched_bytes += (double)(region->end - region->start);
		prediction->unobservable_bytes += (double)tide_region_unobservable_bytes(region, sample->nr_checks);
	}
}

/* The truth is that of the middle of the interval: what moves, moves at its ends as a rule. */
static int take(struct prediction *prediction, const struct tide_sample *sample, uint64_t sampling_us)
{
	const struct score_truth truth = {
		.workload = prediction->workload,
		.layout = &prediction->layout,
		.at_ns = sample->start_ns + (sample->end_ns - sample->start_ns) / 2,
		.sampling_ns = sampling_us * 1000,
	};
	int result = refresh_layout(prediction);

	if (result == 0)
		result = score_take(&prediction->accesses, &truth, sample, WORKLOAD_USES);
	if (result == 0 && prediction->has_writes)
		result = score_take(&prediction->writes, &truth, sample, WORKLOAD_WRITES);
	if (result < 0)
		return result;
	note_regions(prediction, sample);
	if (prediction->good_sample == 0 && score_is_good(&prediction->accesses)) {
		prediction->good_sample = prediction->nr_samples;
		prediction->good_ns = sample->end_ns;
	}
	return 0;
}

/* The end of the sample that is nearest to the duration's is the end, as with a session. */
static bool is_over(const struct prediction *prediction)
{
	struct tide_intervals intervals;

	tide_monitor_intervals(prediction->monitor, &intervals);
	return prediction->nr_samples > 0 &&
	       prediction->seen_ns + intervals.aggregation_us * 500 > prediction->duration_ns;
}

int prediction_next(struct prediction *prediction, const struct tide_sample **out, struct tide_error *err)
{
	*out = NULL;
	if (is_over(prediction))
		return 0;
	while (*out == NULL) {
		struct tide_intervals intervals;
		uint64_t next_ns;
		int result;

		tide_monitor_intervals(prediction->monitor, &intervals);
		result = tide_monitor_step(prediction->monitor, prediction->now_ns, &next_ns, out, err);
		if (result < 0)
			return result;
		if (*out != NULL && take(prediction, *out, intervals.sampling_us) < 0)
			return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for the truth");
		prediction->now_ns = next_ns;
	}
	return 1;
}

const struct tide_layout *prediction_layout(const struct prediction *prediction)
{
	return &prediction->layout;
}

const struct tide_monitor *prediction_monitor(const struct prediction *prediction)
{
	return prediction->monitor;
}

static uint64_t work_ns(const struct tide_sensor_cost *cost)
{
	return cost->nr_read * PREDICTION_READ_NS + cost->nr_scanned * PREDICTION_SCAN_NS +
	       cost->nr_cleared * PREDICTION_CLEAR_NS;
}

void prediction_cost(const struct prediction *prediction, struct tide_session_cost *out)
{
	*out = (struct tide_session_cost){ .wall_ns = prediction->seen_ns,
		                           .first_sample_ns = prediction->first_sample_ns };
	tide_monitor_cost(prediction->monitor, &out->sensor);
	out->cpu_ns = work_ns(&out->sensor);
}

void prediction_verdict(const struct prediction *prediction, struct prediction_verdict *out)
{
	struct tide_session_cost cost;

	prediction_cost(prediction, &cost);
	*out = (struct prediction_verdict){
		.nr_samples = prediction->nr_samples,
		.duration_ns = cost.wall_ns,
		.accesses = score_accuracy(&prediction->accesses),
		.writes = score_accuracy(&prediction->writes),
		.good_sample = prediction->good_sample,
		.good_ns = prediction->good_ns,
		.mapped_bytes = prediction->mapped_bytes,
		.nr_regions = prediction->nr_regions,
		.max_nr_regions = prediction->max_nr_regions,
		.cost = cost.sensor,
	};
	if (prediction->nr_samples > 0)
		out->mean_nr_regions = prediction->sum_of_regions / (double)prediction->nr_samples;
	if (prediction->watched_bytes > 0)
		out->unobservable = prediction->unobservable_bytes / prediction->watched_bytes;
	if (cost.wall_ns > 0)
		out->cpu_share = (double)cost.cpu_ns / (double)cost.wall_ns;
	tide_monitor_intervals(prediction->monitor, &out->intervals);
}
