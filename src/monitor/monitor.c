/* SPDX-License-Identifier: MIT */
/* A monitor from its opening to its end: options, targets, and what they have cost. clockwork.c is what makes it go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "monitor/monitor.h"

int tide_monitor_idle(const struct tide_monitor *monitor, uint32_t target, tide_idle_run_fn *fn, void *arg)
{
	if (target >= monitor->targets.nr || monitor->targets.items[target].is_gone)
		return 0;
	return exact_each_run(&monitor->targets.items[target].exact, fn, arg);
}

uint64_t tide_region_unobservable_bytes(const struct tide_region *region, uint32_t nr_checks)
{
	if (nr_checks == 0)
		return 0;
	return (uint64_t)((double)(region->end - region->start) * region->nr_unobservable / nr_checks);
}

int tide_monitor_open(struct tide_monitor **out, const struct tide_monitor_opts *opts, struct tide_error *err)
{
	struct tide_monitor *monitor;
	struct tide_monitor_opts complete;
	int result = monitor_opts_complete(&complete, opts, err);

	if (result < 0)
		return result;
	monitor = calloc(1, sizeof(*monitor));
	if (monitor == NULL)
		return error_system(err, -ENOMEM, "opening a monitor");
	monitor->opts = complete;
	monitor->checks_per_aggregation = (uint32_t)(complete.aggregation_us / complete.sampling_us);
	tune_init(&monitor->tune, &complete);
	monitor->aggregations_per_update = (uint32_t)(complete.update_us / complete.aggregation_us);
	rng_init(&monitor->rng, complete.seed);
	*out = monitor;
	return 0;
}

const struct tide_monitor_opts *tide_monitor_options(const struct tide_monitor *monitor)
{
	return &monitor->opts;
}

void tide_monitor_close(struct tide_monitor *monitor)
{
	if (monitor == NULL)
		return;
	for (size_t i = 0; i < monitor->targets.nr; i++)
		watched_fini(&monitor->targets.items[i]);
	vec_free(&monitor->targets);
	vec_free(&monitor->out);
	vec_free(&monitor->idle);
	free(monitor);
}

int tide_monitor_add_with_writes(struct tide_monitor *monitor, const struct tide_sensor_ops *ops, void *state,
                                 const struct tide_sensor_ops *writes, void *writes_state,
                                 const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err)
{
	struct watched target = { .ops = ops, .state = state, .writes = writes, .writes_state = writes_state };
	int result = watched_init(&target, ranges, nr_ranges, &monitor->opts, err);

	if (result == 0 && vec_push(&monitor->targets, target) < 0)
		result = error_system(err, -ENOMEM, "adding a target");
	if (result < 0) {
		watched_fini(&target);
		return result;
	}
	return (int)monitor->targets.nr - 1;
}

int tide_monitor_add_target(struct tide_monitor *monitor, const struct tide_sensor_ops *ops, void *state,
                            const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err)
{
	return tide_monitor_add_with_writes(monitor, ops, state, NULL, NULL, ranges, nr_ranges, err);
}

void tide_monitor_end_target(struct tide_monitor *monitor, size_t index)
{
	struct watched *target = &monitor->targets.items[index];

	if (target->is_gone)
		return;
	watched_end(target);
	error_set(&monitor->gone, TIDE_CAUSE_GONE, -ESRCH, "the last target is watched no more");
}

void tide_monitor_cost(const struct tide_monitor *monitor, struct tide_sensor_cost *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < monitor->targets.nr; i++)
		watched_add_cost(&monitor->targets.items[i], out);
}
