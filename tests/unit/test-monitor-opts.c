/* SPDX-License-Identifier: MIT */
/* This file tests how options and ranges are completed, checked and refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "monitor/opts.h"
#include "scripted-sensor.h"

/* Completes `opts`; returns them, or fails the test. */
static struct tide_monitor_opts complete(const struct tide_monitor_opts *opts)
{
	struct tide_monitor_opts out;

	assert_int_equal(monitor_opts_complete(&out, opts, NULL), 0);
	assert_int_equal(out.size, sizeof(out));
	return out;
}

static void nothing_asked_for_gives_the_defaults(void **unused)
{
	const struct tide_monitor_opts empty = { .size = sizeof(empty) };

	for (unsigned i = 0; i < 2; i++) {
		struct tide_monitor_opts out = complete(i == 0 ? NULL : &empty);

		assert_int_equal(out.sampling_us, 5000);
		assert_int_equal(out.aggregation_us, 100000);
		assert_int_equal(out.update_us, 1000000);
		assert_int_equal(out.min_nr_regions, 10);
		assert_int_equal(out.max_nr_regions, 1000);
		assert_int_equal(out.seed, 0);
		assert_int_equal(out.flags, 0);
	}
}

static void defaults_make_room_for_what_is_asked_for(void **unused)
{
	const struct tide_monitor_opts slow = { .size = sizeof(slow), .sampling_us = 3000000 };
	const struct tide_monitor_opts many = { .size = sizeof(many),
		                                .min_nr_regions = 5000,
		                                .aggregation_us = 2000000 };

	assert_int_equal(complete(&slow).aggregation_us, 3000000);
	assert_int_equal(complete(&slow).update_us, 3000000);
	assert_int_equal(complete(&many).max_nr_regions, 5000);
	assert_int_equal(complete(&many).update_us, 2000000);
}

static void tuning_has_defaults_that_fit_what_is_asked_for(void **unused)
{
	struct tide_monitor_opts opts = { .size = sizeof(opts), .flags = TIDE_MONITOR_AUTO_TUNE };
	struct tide_monitor_opts out = complete(&opts);

	assert_int_equal(out.goal_bp, 400);
	assert_int_equal(out.tune_aggregations, 3);
	assert_int_equal(out.min_sampling_us, 5000);
	assert_int_equal(out.max_sampling_us, 10000000);
	assert_int_equal(out.sampling_us, 5000);
	assert_int_equal(out.aggregation_us, 100000);
	opts.min_sampling_us = 20000;
	out = complete(&opts);
	assert_int_equal(out.sampling_us, 20000);
	assert_int_equal(out.aggregation_us, 400000);
	opts.min_sampling_us = 0;
	opts.max_sampling_us = 1000;
	out = complete(&opts);
	assert_int_equal(out.min_sampling_us, 1000);
	assert_int_equal(out.sampling_us, 1000);
	assert_int_equal(out.aggregation_us, 20000);
	opts.max_sampling_us = 0;
	opts.min_sampling_us = 20000000;
	assert_int_equal(complete(&opts).max_sampling_us, 20000000);
	/* Nothing of it where nothing is tuned. */
	opts = (struct tide_monitor_opts){ .size = sizeof(opts) };
	assert_int_equal(complete(&opts).goal_bp, 0);
	assert_int_equal(complete(&opts).max_sampling_us, 0);
}

static void a_shorter_structure_asks_for_less(void **unused)
{
	const struct tide_monitor_opts opts = { .size = offsetof(struct tide_monitor_opts, update_us),
		                                .sampling_us = 1000,
		                                .aggregation_us = 2000,
		                                .update_us = 1,
		                                .min_nr_regions = 1,
		                                .flags = 0xff };
	struct tide_monitor_opts out = complete(&opts);

	assert_int_equal(out.sampling_us, 1000);
	assert_int_equal(out.aggregation_us, 2000);
	assert_int_equal(out.update_us, 1000000);
	assert_int_equal(out.min_nr_regions, 10);
	assert_int_equal(out.flags, 0);
}

static void a_longer_structure_must_ask_for_nothing_unknown(void **unused)
{
	struct {
		struct tide_monitor_opts opts;
		unsigned char more[9];
	} newer = { .opts = { .size = sizeof(newer.opts) + sizeof(newer.more), .sampling_us = 2000 } };
	struct tide_error err = { 0 };
	struct tide_monitor_opts out;

	assert_int_equal(complete(&newer.opts).sampling_us, 2000);
	newer.more[8] = 1;
	assert_int_equal(monitor_opts_complete(&out, &newer.opts, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(err.text, "does not know"));
}

/* Refused, with a sentence that holds `text`; by the public call, which leaves its output alone. */
static void refused(struct tide_monitor_opts opts, const char *text)
{
	struct tide_monitor *const untouched = (struct tide_monitor *)&opts;
	struct tide_monitor *monitor = untouched;
	struct tide_error err = { 0 };

	assert_int_equal(tide_monitor_open(&monitor, &opts, &err), -EINVAL);
	assert_ptr_equal(monitor, untouched);
	assert_int_equal(err.code, -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(err.text, text));
	assert_null(strchr(err.text, '\n'));
	assert_true(err.text[strlen(err.text) - 1] != '.');
	assert_int_equal(tide_monitor_open(&monitor, &opts, NULL), -EINVAL);
}

#define REFUSED(text, ...)                                                                                             \
	refused((struct tide_monitor_opts){ .size = sizeof(struct tide_monitor_opts), __VA_ARGS__ }, text)

static void contradictions_are_refused_by_name(void **unused)
{
	refused((struct tide_monitor_opts){ .size = 0 }, "size member is 0");
	REFUSED("2000 us is shorter than the sampling interval of 3000 us", .sampling_us = 3000,
	        .aggregation_us = 2000);
	REFUSED("50000 us is shorter than the aggregation interval of 100000 us", .update_us = 50000);
	REFUSED("at least 3 regions are needed, not 2", .min_nr_regions = 2);
	REFUSED("maximum of 19 regions is below the minimum of 20", .min_nr_regions = 20, .max_nr_regions = 19);
	REFUSED("maximum of 9 regions is below the minimum of 10", .max_nr_regions = 9);
	REFUSED("flags", .flags = 8);
	REFUSED("exact mode looks at every page", .flags = TIDE_MONITOR_EXACT | TIDE_MONITOR_AUTO_TUNE);
	REFUSED("flags", .way = TIDE_NR_WAYS);
	REFUSED("flags", .flags = 0x80000001u);
	REFUSED("no sampling interval", .flags = TIDE_MONITOR_EXACT, .sampling_us = 5000);
}

static void intervals_that_would_overflow_are_refused(void **unused)
{
	REFUSED("too long", .update_us = INT64_MAX / 1000 + 1);
	REFUSED("that are not to be tuned", .goal_bp = 400);
	REFUSED("that are not to be tuned", .max_sampling_us = 400000);
	REFUSED("100 %", .flags = TIDE_MONITOR_AUTO_TUNE, .goal_bp = 10000);
	REFUSED("9000 us is below the shortest, 10000 us", .flags = TIDE_MONITOR_AUTO_TUNE, .min_sampling_us = 10000,
	        .max_sampling_us = 9000);
	REFUSED("1000 us is outside the bounds of its tuning, 5000 to 10000000 us", .flags = TIDE_MONITOR_AUTO_TUNE,
	        .sampling_us = 1000);
	REFUSED("20000 us is outside", .flags = TIDE_MONITOR_AUTO_TUNE, .sampling_us = 20000, .max_sampling_us = 10000);
	REFUSED("too long", .flags = TIDE_MONITOR_AUTO_TUNE, .max_sampling_us = INT64_MAX / 10000);
	REFUSED("too long", .sampling_us = UINT64_MAX, .aggregation_us = UINT64_MAX, .update_us = UINT64_MAX);
	REFUSED("sampling intervals", .sampling_us = 1, .aggregation_us = 1ull << 32);
	REFUSED("aggregation intervals", .sampling_us = 1, .aggregation_us = 1, .update_us = 1ull << 32);
}

static void the_bounds_themselves_are_allowed(void **unused)
{
	const struct tide_monitor_opts least = { .size = sizeof(least),
		                                 .sampling_us = 1,
		                                 .aggregation_us = 1,
		                                 .update_us = 1,
		                                 .min_nr_regions = 3,
		                                 .max_nr_regions = 3 };
	const struct tide_monitor_opts most = { .size = sizeof(most),
		                                .sampling_us = INT64_MAX / 1000,
		                                .min_nr_regions = UINT32_MAX,
		                                .flags = TIDE_MONITOR_UNGUIDED,
		                                .seed = UINT64_MAX };

	complete(&least);
	assert_int_equal(complete(&most).update_us, INT64_MAX / 1000);
	assert_int_equal(complete(&most).seed, UINT64_MAX);
}

/* Refused when the target is added; the sensor's state is cleaned up at once. */
static void refused_ranges(const struct tide_range *ranges, size_t nr, const char *text)
{
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_open(&run, NULL);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, ranges, nr), -EINVAL);
	assert_int_equal(run.err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(run.err.text, text));
	assert_int_equal(world.calls[SCRIPTED_CLEANUP], 1);
	assert_int_equal(world.calls[SCRIPTED_UPDATE], 0);
	scripted_close(&run);
	scripted_fini(&world);
}

static void ranges_must_be_ascending_disjoint_aligned_and_not_empty(void **unused)
{
	const struct tide_range empty[] = { { 0x1000, 0x2000 }, { 0x3000, 0x3000 } };
	const struct tide_range turned[] = { { 0x5000, 0x4000 } };
	const struct tide_range odd_start[] = { { 0x1001, 0x3000 } };
	const struct tide_range odd_end[] = { { 0x1000, 0x2fff } };
	const struct tide_range overlap[] = { { 0x1000, 0x3000 }, { 0x2000, 0x4000 } };
	const struct tide_range falling[] = { { 0x3000, 0x4000 }, { 0x1000, 0x2000 } };

	refused_ranges(empty, 2, "range 0x3000-0x3000 is empty");
	refused_ranges(turned, 1, "range 0x5000-0x4000 is empty");
	refused_ranges(odd_start, 1, "range 0x1001-0x3000 does not begin and end at multiples of the page size");
	refused_ranges(odd_end, 1, "0x1000-0x2fff does not begin and end");
	refused_ranges(overlap, 2, "range 0x2000-0x4000 overlaps");
	refused_ranges(falling, 2, "range 0x1000-0x2000 overlaps, or is below");
}

static void close_accepts_null(void **unused)
{
	tide_monitor_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_for_gives_the_defaults),
		cmocka_unit_test(defaults_make_room_for_what_is_asked_for),
		cmocka_unit_test(tuning_has_defaults_that_fit_what_is_asked_for),
		cmocka_unit_test(a_shorter_structure_asks_for_less),
		cmocka_unit_test(a_longer_structure_must_ask_for_nothing_unknown),
		cmocka_unit_test(contradictions_are_refused_by_name),
		cmocka_unit_test(intervals_that_would_overflow_are_refused),
		cmocka_unit_test(the_bounds_themselves_are_allowed),
		cmocka_unit_test(ranges_must_be_ascending_disjoint_aligned_and_not_empty),
		cmocka_unit_test(close_accepts_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
