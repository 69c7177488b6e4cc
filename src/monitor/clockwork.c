/* SPDX-License-Identifier: MIT */
/* This file is the engine's clockwork: what happens at the end of a sampling, an aggregation and an update interval. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "monitor/monitor.h"

#define MIN_CHECKS_TO_SPARE 16u
#define EXACT_CHECKS        100u /* what counts are out of in exact mode: percent */

static size_t count_regions(const struct tide_monitor *monitor)
{
	size_t nr = 0;

	for (size_t i = 0; i < monitor->targets.nr; i++)
		nr += monitor->targets.items[i].regions.list.nr;
	return nr;
}

static void merge_all(struct tide_monitor *monitor, const struct merge_rule *rule)
{
	for (size_t i = 0; i < monitor->targets.nr; i++)
		regions_merge(&monitor->targets.items[i].regions, rule);
}

/* Joins what is alike; while there are too many regions, what is less alike too, and in the end larger ones. */
static void merge(struct tide_monitor *monitor)
{
	struct merge_rule rule = { .max_difference = monitor->nr_checks / 10,
		                   .max_unobservable_difference = monitor->nr_checks / 4 };
	uint64_t bytes = 0;

	for (size_t i = 0; i < monitor->targets.nr; i++) {
		regions_scale(&monitor->targets.items[i].regions, monitor->nr_checks);
		regions_age(&monitor->targets.items[i].regions, rule.max_difference,
		            monitor->tune.sampling_us * monitor->nr_checks);
		bytes += regions_bytes(&monitor->targets.items[i].regions);
	}
	rule.max_bytes = bytes / monitor->opts.min_nr_regions;
	if (rule.max_bytes < MIN_REGION)
		rule.max_bytes = MIN_REGION;
	merge_all(monitor, &rule);
	while (count_regions(monitor) > monitor->opts.max_nr_regions && rule.max_difference < monitor->nr_checks) {
		rule.max_difference = rule.max_difference > 0 ? rule.max_difference * 2 : 1;
		rule.max_unobservable_difference = monitor->nr_checks;
		merge_all(monitor, &rule);
	}
	while (count_regions(monitor) > monitor->opts.max_nr_regions && rule.max_bytes < bytes) {
		rule.max_bytes *= 2;
		merge_all(monitor, &rule);
	}
}

static uint32_t age_of(const struct tide_monitor *monitor, const struct region *region)
{
	uint64_t unit_us = monitor->opts.sampling_us * monitor->checks_per_aggregation;
	uint64_t age = (region->age_us + unit_us / 2) / unit_us;

	if (monitor->opts.flags & TIDE_MONITOR_EXACT)
		return region->age;
	return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

static int emit(struct tide_monitor *monitor, uint64_t now_ns, struct tide_error *err)
{
	if (vec_reserve(&monitor->out, count_regions(monitor)) < 0)
		return error_system(err, -ENOMEM, "reporting %zu regions", count_regions(monitor));
	monitor->out.nr = 0;
	for (size_t i = 0; i < monitor->targets.nr; i++) {
		const struct regions *regions = &monitor->targets.items[i].regions;

		for (size_t k = 0; k < regions->list.nr; k++) {
			const struct region *region = &regions->list.items[k];

			monitor->out.items[monitor->out.nr++] = (struct tide_region){
				.start = region->start,
				.end = region->end,
				.nr_accesses = region->nr_accesses,
				.nr_writes = region->nr_writes,
				.nr_unobservable = region->nr_unobservable,
				.nr_writes_unobservable = region->nr_writes_unobservable,
				.age = age_of(monitor, region),
				.target = (uint32_t)i,
			};
		}
	}
	monitor->sample = (struct tide_sample){
		.start_ns = monitor->interval_start_ns,
		.end_ns = now_ns,
		.nr_checks = monitor->nr_checks,
		.nr_targets = (uint32_t)monitor->targets.nr,
		.nr_regions = monitor->out.nr,
		.regions = monitor->out.items,
	};
	memcpy(monitor->sample.reasons, monitor->reasons, sizeof(monitor->reasons));
	return 0;
}

/* With few checks in an interval none is to spare. */
static bool is_sparing(const struct tide_monitor *monitor)
{
	return !(monitor->opts.flags & TIDE_MONITOR_UNGUIDED) && monitor->checks_per_aggregation >= MIN_CHECKS_TO_SPARE;
}

/* The next interval tries other boundaries: each region in two, or three while there are few and nothing changes. */
static int split(struct tide_monitor *monitor, struct tide_error *err)
{
	size_t nr = count_regions(monitor);
	unsigned nr_pieces = nr == monitor->last_nr_regions && nr < monitor->opts.max_nr_regions / 3 ? 3 : 2;

	monitor->last_nr_regions = nr;
	if (nr > monitor->opts.max_nr_regions / 2)
		return 0;
	for (size_t i = 0; i < monitor->targets.nr; i++)
		if (regions_split(&monitor->targets.items[i].regions, nr_pieces, is_sparing(monitor), &monitor->rng) <
		    0)
			return error_system(err, -ENOMEM, "splitting %zu regions", nr);
	return 0;
}

/* Are this target's checks answered together with preparing the next? */
static bool is_turning(const struct tide_monitor *monitor, const struct watched *target)
{
	return monitor->is_inside && target->ops->turn != NULL;
}

static int prepare(struct tide_monitor *monitor, struct watched *target, struct tide_error *err)
{
	const struct sampling sampling = {
		.pass = monitor->nr_checks,
		.sparing = is_sparing(monitor),
	};

	if (is_turning(monitor, target))
		return watched_turn(target, &sampling, &monitor->rng, monitor->reasons, err);
	return watched_prepare(target, &sampling, &monitor->rng, err);
}

static int check(struct tide_monitor *monitor, struct watched *target, struct tide_error *err)
{
	return is_turning(monitor, target) ? 0 : watched_check(target, monitor->reasons, err);
}

static int guide(struct tide_monitor *monitor, struct watched *target, struct tide_error *err)
{
	size_t nr = count_regions(monitor);
	size_t room = nr < monitor->opts.max_nr_regions ? monitor->opts.max_nr_regions - nr : 0;

	/* Scouts would cost as much as all the checks, and one mapping holds no boundaries to find. */
	if (monitor->opts.flags & TIDE_MONITOR_UNGUIDED || target->ops->scan == NULL ||
	    target->ops->flags & TIDE_SENSOR_WHOLE)
		return 0;
	return guide_step(&target->guide, &target->regions, room, target->ops, target->state, &monitor->rng, err);
}

static int update(struct tide_monitor *monitor, struct watched *target, struct tide_error *err)
{
	return watched_update(target, err);
}

static void keep_failure(struct tide_monitor *monitor, int result, const struct tide_error *err)
{
	if (result >= 0 || monitor->failure.code != 0)
		return;
	monitor->failure = *err;
	monitor->failure.code = result;
}

/* Every valid target's turn of `what`. Neither one that goes away nor one whose sensor fails keeps others from theirs.
 */
static void for_each(struct tide_monitor *monitor,
                     int (*what)(struct tide_monitor *monitor, struct watched *target, struct tide_error *err))
{
	for (size_t i = 0; i < monitor->targets.nr; i++) {
		struct watched *target = &monitor->targets.items[i];
		struct tide_error err = { 0 };
		int result = target->is_gone ? 0 : what(monitor, target, &err);

		if (result < 0 && err.cause == TIDE_CAUSE_GONE) {
			watched_end(target);
			monitor->gone = err;
			monitor->gone.code = result;
		} else {
			keep_failure(monitor, result, &err);
		}
	}
}

static size_t count_left(const struct tide_monitor *monitor)
{
	size_t nr = 0;

	for (size_t i = 0; i < monitor->targets.nr; i++)
		nr += !monitor->targets.items[i].is_gone;
	return nr;
}

static bool any_left(const struct tide_monitor *monitor)
{
	return count_left(monitor) > 0;
}

static uint64_t aggregation_us(const struct tide_monitor *monitor)
{
	const struct tide_monitor_opts *opts = &monitor->opts;

	return (uint64_t)((unsigned __int128)opts->aggregation_us * monitor->tune.sampling_us / opts->sampling_us);
}

static void tune(struct tide_monitor *monitor)
{
	uint64_t nr;

	if (!tune_take(&monitor->tune, &monitor->sample))
		return;
	nr = monitor->opts.update_us / aggregation_us(monitor);
	monitor->aggregations_per_update = nr > 0 ? (uint32_t)nr : 1;
}

static void end_aggregation(struct tide_monitor *monitor, uint64_t now_ns, const struct tide_sample **out)
{
	struct tide_error err = { 0 };
	int result;

	merge(monitor);
	result = emit(monitor, now_ns, &err);
	keep_failure(monitor, result, &err);
	if (result == 0) {
		*out = &monitor->sample;
		tune(monitor);
	}
	for (size_t i = 0; i < monitor->targets.nr; i++)
		watched_reset(&monitor->targets.items[i], monitor->nr_checks);
	monitor->interval_start_ns = now_ns;
	monitor->nr_checks = 0;
	memset(monitor->reasons, 0, sizeof(monitor->reasons));
	keep_failure(monitor, split(monitor, &err), &err);
	for_each(monitor, guide);
	if (++monitor->nr_aggregations < monitor->aggregations_per_update)
		return;
	monitor->nr_aggregations = 0;
	for_each(monitor, update);
}

/* Exact mode: a target's pass. The first one only begins. */
static int pass(struct tide_monitor *monitor, struct watched *target, struct tide_error *err)
{
	size_t max = monitor->opts.max_nr_regions / count_left(monitor);
	struct tide_idle *idle = &monitor->idle.items[target - monitor->targets.items];
	int result = watched_pass(target, monitor->now_ns, max, err);

	if (result > 0) {
		*idle = target->exact.idle;
		for (unsigned i = 0; i < TIDE_NR_REASONS; i++)
			monitor->reasons[i] += target->exact.reasons[i];
		monitor->nr_passed++;
	}
	return result;
}

static int pass_all(struct tide_monitor *monitor, uint64_t now_ns, const struct tide_sample **out,
                    struct tide_error *err)
{
	int result = 0;

	if (vec_reserve(&monitor->idle, monitor->targets.nr) < 0)
		return error_system(err, -ENOMEM, "watching %zu targets", monitor->targets.nr);
	memset(monitor->idle.items, 0, monitor->targets.nr * sizeof(monitor->idle.items[0]));
	memset(monitor->reasons, 0, sizeof(monitor->reasons));
	monitor->now_ns = now_ns;
	monitor->nr_passed = 0;
	for_each(monitor, pass);
	monitor->nr_checks = EXACT_CHECKS;
	if (monitor->nr_passed > 0) {
		result = emit(monitor, now_ns, err);
		monitor->sample.idle = monitor->idle.items;
		if (result == 0)
			*out = &monitor->sample;
	}
	monitor->interval_start_ns = now_ns;
	return result;
}

static void step_exact(struct tide_monitor *monitor, uint64_t now_ns, const struct tide_sample **out)
{
	struct tide_error err = { 0 };

	monitor->failure.code = 0;
	keep_failure(monitor, pass_all(monitor, now_ns, out, &err), &err);
}

static bool is_exact(const struct tide_monitor *monitor)
{
	return monitor->opts.flags & TIDE_MONITOR_EXACT;
}

static void step(struct tide_monitor *monitor, uint64_t now_ns, const struct tide_sample **out)
{
	monitor->failure.code = 0;
	monitor->is_inside = monitor->next_ns != 0 && monitor->nr_checks + 1 < monitor->checks_per_aggregation;
	if (monitor->next_ns == 0) {
		monitor->interval_start_ns = now_ns;
	} else {
		for_each(monitor, check);
		monitor->nr_checks++;
	}
	if (monitor->nr_checks >= monitor->checks_per_aggregation && any_left(monitor))
		end_aggregation(monitor, now_ns, out);
	for_each(monitor, prepare);
}

/* What the step that was just made comes to. */
static int outcome(const struct tide_monitor *monitor, struct tide_error *err)
{
	const struct tide_error *error = any_left(monitor) ? &monitor->failure : &monitor->gone;

	if (monitor->targets.nr == 0)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "there is no target to watch");
	if (error->code != 0 && err != NULL)
		*err = *error;
	return error->code;
}

int tide_monitor_step(struct tide_monitor *monitor, uint64_t now_ns, uint64_t *next_ns, const struct tide_sample **out,
                      struct tide_error *err)
{
	int result = 0;

	*out = NULL;
	if (now_ns >= monitor->next_ns) {
		if (is_exact(monitor))
			step_exact(monitor, now_ns, out);
		else
			step(monitor, now_ns, out);
		result = outcome(monitor, err);
		/* Counted from now: a check needs its whole interval, however late it was prepared. */
		monitor->next_ns = now_ns + monitor->tune.sampling_us * 1000;
	}
	*next_ns = monitor->next_ns;
	return result < 0 ? result : *out != NULL;
}

void tide_monitor_intervals(const struct tide_monitor *monitor, struct tide_intervals *out)
{
	uint64_t each_us = aggregation_us(monitor);

	*out = (struct tide_intervals){ .sampling_us = monitor->tune.sampling_us,
		                        .aggregation_us = each_us,
		                        .update_us = monitor->opts.update_us };
	if (out->update_us < each_us)
		out->update_us = each_us;
}
