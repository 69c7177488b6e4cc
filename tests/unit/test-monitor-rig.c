/* SPDX-License-Identifier: MIT */
/* This file drives monitors on scripted sensors by a scripted clock, and judges every sample they give. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "scripted-sensor.h"

#define START_NS 1000000007u

void scripted_open(struct scripted_run *run, const struct tide_monitor_opts *opts)
{
	*run = (struct scripted_run){ .now_ns = START_NS, .next_ns = START_NS, .max_nr_regions = 1000 };
	if (opts != NULL && opts->max_nr_regions != 0)
		run->max_nr_regions = opts->max_nr_regions;
	assert_int_equal(tide_monitor_open(&run->monitor, opts, &run->err), 0);
}

void scripted_close(struct scripted_run *run)
{
	tide_monitor_close(run->monitor);
	run->monitor = NULL;
}

/* What holds for every sample of every monitor. */
static void judge(const struct tide_sample *sample, uint32_t max_nr_regions)
{
	assert_true(sample->end_ns > sample->start_ns);
	assert_true(sample->nr_checks >= 1);
	assert_true(sample->nr_regions <= max_nr_regions);
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];
		const struct tide_region *before = i > 0 ? region - 1 : NULL;

		assert_true(region->start < region->end);
		assert_int_equal(region->start % 4096, 0);
		assert_int_equal(region->end % 4096, 0);
		assert_true(region->target < sample->nr_targets);
		assert_true(region->nr_accesses + region->nr_unobservable <= sample->nr_checks);
		assert_true(region->nr_writes + region->nr_writes_unobservable <= sample->nr_checks);
		if (before == NULL || before->target < region->target)
			continue;
		assert_int_equal(before->target, region->target);
		assert_true(before->end <= region->start);
	}
}

int scripted_step(struct scripted_run *run, uint64_t late_ns)
{
	struct tide_error untouched = { .code = 7, .text = "untouched" };
	int result;

	run->now_ns = run->next_ns + late_ns;
	run->err = untouched;
	result = tide_monitor_step(run->monitor, run->now_ns, &run->next_ns, &run->sample, &run->err);
	assert_true(run->next_ns > run->now_ns);
	if (result >= 0) {
		assert_int_equal(result, run->sample != NULL);
		assert_memory_equal(&run->err, &untouched, sizeof(untouched));
	} else {
		assert_int_equal(run->err.code, result);
		assert_true(run->err.text[0] != 0);
	}
	if (run->sample != NULL)
		judge(run->sample, run->max_nr_regions);
	return result;
}

const struct tide_sample *scripted_sample(struct scripted_run *run)
{
	int result;

	do {
		result = scripted_step(run, 0);
		assert_true(result >= 0);
	} while (result == 0);
	return run->sample;
}

const struct tide_sample *scripted_samples(struct scripted_run *run, unsigned nr)
{
	while (nr-- > 0)
		scripted_sample(run);
	return run->sample;
}

uint64_t scripted_bytes(const struct tide_sample *sample)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < sample->nr_regions; i++)
		bytes += sample->regions[i].end - sample->regions[i].start;
	return bytes;
}

const struct tide_region *scripted_region_at(const struct tide_sample *sample, uint64_t addr)
{
	for (size_t i = 0; i < sample->nr_regions; i++)
		if (sample->regions[i].start <= addr && addr < sample->regions[i].end)
			return &sample->regions[i];
	return NULL;
}

struct scripted_accuracy scripted_accuracy(const struct scripted *world, const struct tide_sample *sample)
{
	uint64_t true_bytes = 0;
	uint64_t said_bytes = 0;
	uint64_t both_bytes = 0;

	for (size_t k = 0; k < world->hot.nr; k++)
		true_bytes += world->hot.items[k].end - world->hot.items[k].start;
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		if (region->nr_accesses * 2 < sample->nr_checks)
			continue;
		said_bytes += region->end - region->start;
		for (size_t k = 0; k < world->hot.nr; k++) {
			const struct tide_range *hot = &world->hot.items[k];
			uint64_t start = hot->start > region->start ? hot->start : region->start;
			uint64_t end = hot->end < region->end ? hot->end : region->end;

			both_bytes += end > start ? end - start : 0;
		}
	}
	return (struct scripted_accuracy){
		.precision = said_bytes > 0 ? (double)both_bytes / (double)said_bytes : 0,
		.recall = true_bytes > 0 ? (double)both_bytes / (double)true_bytes : 1,
	};
}
