/* SPDX-License-Identifier: MIT */
/* This file completes and checks what callers ask of a monitor. */
#include "monitor/opts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "monitor/regions.h"

static const struct tide_monitor_opts defaults = {
	.size = sizeof(struct tide_monitor_opts),
	.sampling_us = 5000,
	.aggregation_us = 100000,
	.update_us = 1000000,
	.min_nr_regions = 10,
	.max_nr_regions = 1000,
	.max_stall_us = 100000,
	.min_sampling_us = 5000,
	.max_sampling_us = 10000000,
	.goal_bp = 400,
	.tune_aggregations = 3,
};

#define EXACT_AGGREGATION_US 1000000u

#define USAGE(...) error_set(err, TIDE_CAUSE_USAGE, -EINVAL, __VA_ARGS__)

/* Callers built against a newer header may pass a longer structure, as long as they ask for nothing that we do not
 * know. */
static int copy_known(struct tide_monitor_opts *out, const struct tide_monitor_opts *opts, struct tide_error *err)
{
	const unsigned char *bytes = (const unsigned char *)opts;
	size_t known = opts->size < sizeof(*out) ? opts->size : sizeof(*out);

	if (opts->size == 0)
		return USAGE("the options' size member is 0: set it to sizeof(struct tide_monitor_opts)");
	for (size_t i = known; i < opts->size; i++)
		if (bytes[i] != 0)
			return USAGE("the options ask for something that this version of libtidemark does not know");
	memcpy(out, opts, known);
	return 0;
}

static int check_tuning(const struct tide_monitor_opts *opts, struct tide_error *err)
{
	if (!(opts->flags & TIDE_MONITOR_AUTO_TUNE)) {
		if (opts->goal_bp != 0 || opts->tune_aggregations != 0 || opts->min_sampling_us != 0 ||
		    opts->max_sampling_us != 0)
			return USAGE(
			        "a goal or bounds for intervals that are not to be tuned: ask for auto-tuning too");
		return 0;
	}
	if (opts->flags & TIDE_MONITOR_EXACT)
		return USAGE("exact mode looks at every page: there is no sampling interval to tune");
	if (opts->goal_bp > 9999)
		return USAGE("a goal of %g %% of all access events cannot be reached: ask for less than 100 %%",
		             opts->goal_bp / 100.0);
	if (opts->max_sampling_us < opts->min_sampling_us)
		return USAGE("a longest sampling interval of %" PRIu64 " us is below the shortest, %" PRIu64 " us",
		             opts->max_sampling_us, opts->min_sampling_us);
	if (opts->sampling_us < opts->min_sampling_us || opts->sampling_us > opts->max_sampling_us)
		return USAGE("a sampling interval of %" PRIu64 " us is outside the bounds of its tuning, %" PRIu64
		             " to %" PRIu64 " us",
		             opts->sampling_us, opts->min_sampling_us, opts->max_sampling_us);
	if (opts->max_sampling_us > INT64_MAX / 1000 / (opts->aggregation_us / opts->sampling_us + 1))
		return USAGE("a longest sampling interval of %" PRIu64 " us is too long", opts->max_sampling_us);
	return 0;
}

static int check(const struct tide_monitor_opts *opts, struct tide_error *err)
{
	if (opts->aggregation_us < opts->sampling_us)
		return USAGE("an aggregation interval of %" PRIu64
		             " us is shorter than the sampling interval of %" PRIu64 " us",
		             opts->aggregation_us, opts->sampling_us);
	if (opts->update_us < opts->aggregation_us)
		return USAGE("an update interval of %" PRIu64 " us is shorter than the aggregation interval of %" PRIu64
		             " us",
		             opts->update_us, opts->aggregation_us);
	if (opts->update_us > INT64_MAX / 1000)
		return USAGE("an update interval of %" PRIu64 " us is too long", opts->update_us);
	if (opts->aggregation_us / opts->sampling_us > UINT32_MAX / 2)
		return USAGE("an aggregation interval of that many sampling intervals is too long");
	if (opts->update_us / opts->aggregation_us > UINT32_MAX / 2)
		return USAGE("an update interval of that many aggregation intervals is too long");
	if (opts->flags & TIDE_MONITOR_EXACT && opts->sampling_us != opts->aggregation_us)
		return USAGE("exact mode looks at every page, once per aggregation interval: it has no sampling "
		             "interval of its own");
	if (opts->min_nr_regions < 3)
		return USAGE("at least 3 regions are needed, not %" PRIu32, opts->min_nr_regions);
	if (opts->max_nr_regions < opts->min_nr_regions)
		return USAGE("a maximum of %" PRIu32 " regions is below the minimum of %" PRIu32, opts->max_nr_regions,
		             opts->min_nr_regions);
	if (opts->way >= TIDE_NR_WAYS ||
	    opts->flags & ~(uint32_t)(TIDE_MONITOR_UNGUIDED | TIDE_MONITOR_EXACT | TIDE_MONITOR_AUTO_TUNE))
		return USAGE("the options' flags ask for something that this version of libtidemark does not know");
	return check_tuning(opts, err);
}

/* The bounds, a first interval between them, and as many checks to an aggregation interval as by default. */
static void complete_tuning(struct tide_monitor_opts *out)
{
	const uint64_t nr_checks = defaults.aggregation_us / defaults.sampling_us;

	if (out->min_sampling_us == 0)
		out->min_sampling_us = out->max_sampling_us != 0 && out->max_sampling_us < defaults.min_sampling_us
		                               ? out->max_sampling_us
		                               : defaults.min_sampling_us;
	if (out->max_sampling_us == 0)
		out->max_sampling_us = out->min_sampling_us > defaults.max_sampling_us ? out->min_sampling_us
		                                                                       : defaults.max_sampling_us;
	if (out->goal_bp == 0)
		out->goal_bp = defaults.goal_bp;
	if (out->tune_aggregations == 0)
		out->tune_aggregations = defaults.tune_aggregations;
	if (out->sampling_us == 0)
		out->sampling_us = out->min_sampling_us > defaults.sampling_us   ? out->min_sampling_us
		                   : out->max_sampling_us < defaults.sampling_us ? out->max_sampling_us
		                                                                 : defaults.sampling_us;
	if (out->aggregation_us == 0 && out->sampling_us < UINT64_MAX / nr_checks)
		out->aggregation_us = out->sampling_us * nr_checks;
}

int monitor_opts_complete(struct tide_monitor_opts *out, const struct tide_monitor_opts *opts, struct tide_error *err)
{
	memset(out, 0, sizeof(*out));
	if (opts != NULL) {
		int result = copy_known(out, opts, err);

		if (result < 0)
			return result;
	}
	out->size = sizeof(*out);
	if (out->flags & TIDE_MONITOR_AUTO_TUNE)
		complete_tuning(out);
	if (out->max_stall_us == 0)
		out->max_stall_us = defaults.max_stall_us;
	/* One look at everything in each interval: nothing is sampled. */
	if (out->flags & TIDE_MONITOR_EXACT) {
		if (out->aggregation_us == 0)
			out->aggregation_us = EXACT_AGGREGATION_US;
		if (out->sampling_us == 0)
			out->sampling_us = out->aggregation_us;
	}
	if (out->sampling_us == 0)
		out->sampling_us = defaults.sampling_us;
	if (out->aggregation_us == 0)
		out->aggregation_us =
		        out->sampling_us > defaults.aggregation_us ? out->sampling_us : defaults.aggregation_us;
	if (out->update_us == 0)
		out->update_us = out->aggregation_us > defaults.update_us ? out->aggregation_us : defaults.update_us;
	if (out->min_nr_regions == 0)
		out->min_nr_regions = defaults.min_nr_regions;
	if (out->max_nr_regions == 0)
		out->max_nr_regions =
		        out->min_nr_regions > defaults.max_nr_regions ? out->min_nr_regions : defaults.max_nr_regions;
	return check(out, err);
}

int monitor_ranges_check(const struct tide_range *ranges, size_t nr, struct tide_error *err)
{
	for (size_t i = 0; i < nr; i++) {
		if (ranges[i].start >= ranges[i].end)
			return USAGE("range 0x%" PRIx64 "-0x%" PRIx64 " is empty", ranges[i].start, ranges[i].end);
		if (ranges[i].start % MIN_REGION != 0 || ranges[i].end % MIN_REGION != 0)
			return USAGE("range 0x%" PRIx64 "-0x%" PRIx64
			             " does not begin and end at multiples of the page size, 0x1000",
			             ranges[i].start, ranges[i].end);
		if (i > 0 && ranges[i].start < ranges[i - 1].end)
			return USAGE("range 0x%" PRIx64 "-0x%" PRIx64 " overlaps, or is below, the one before it",
			             ranges[i].start, ranges[i].end);
	}
	return 0;
}
