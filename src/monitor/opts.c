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
	if (opts->min_nr_regions < 3)
		return USAGE("at least 3 regions are needed, not %" PRIu32, opts->min_nr_regions);
	if (opts->max_nr_regions < opts->min_nr_regions)
		return USAGE("a maximum of %" PRIu32 " regions is below the minimum of %" PRIu32, opts->max_nr_regions,
		             opts->min_nr_regions);
	if (opts->way >= TIDE_NR_WAYS || opts->flags & ~(uint32_t)(TIDE_MONITOR_UNGUIDED | TIDE_MONITOR_EXACT))
		return USAGE("the options' flags ask for something that this version of libtidemark does not know");
	return 0;
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
	if (out->max_stall_us == 0)
		out->max_stall_us = defaults.max_stall_us;
	/* One look at everything in each interval: nothing is sampled. */
	if (out->flags & TIDE_MONITOR_EXACT && out->aggregation_us == 0)
		out->aggregation_us = EXACT_AGGREGATION_US;
	if (out->flags & TIDE_MONITOR_EXACT)
		out->sampling_us = out->aggregation_us;
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
