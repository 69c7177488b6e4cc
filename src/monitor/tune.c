/* SPDX-License-Identifier: MIT */
/*
 * This file tunes the sampling interval to how much is accessed (Documentation/mm/damon/design.rst, "Monitoring
 * Intervals Auto-tuning").
 *
 * An interval is to a sample what the exposure is to a photograph: too short, and everything is black; too long, and
 * everything is white. A region of X bytes with Y accesses stands for X * Y access events; every so many samples the
 * events that were seen are compared with those that could have been, and the interval is changed in proportion to the
 * distance between their ratio and the goal. That cannot overshoot for long: the share of pages that are accessed
 * within a time grows with that time, but never faster than it.
 *
 * What does overshoot is chance, for a ratio out of few checks varies by a third. So a ratio near the goal is as good
 * as the goal, and a step that undoes the one before is taken as a sign of chance: the next ones are half as bold, down
 * to an eighth, until two in a row point the same way and far.
 *
 * An interval is at most halved at a time: to be too long for a while costs detail, to be too short costs the target.
 */
#include "monitor/tune.h"

#define NEAR     0.2 /* of the goal */
#define FAR      0.5
#define MAX_GAIN 1.0
#define MIN_GAIN 0.125
#define MAX_STEP 2.0 /* as a factor, up or down */

void tune_init(struct tune *tune, const struct tide_monitor_opts *opts)
{
	*tune = (struct tune){
		.is_on = (opts->flags & TIDE_MONITOR_AUTO_TUNE) != 0,
		.goal = opts->goal_bp / 1e4,
		.nr_aggregations = opts->tune_aggregations,
		.min_us = opts->min_sampling_us,
		.max_us = opts->max_sampling_us,
		.sampling_us = opts->sampling_us,
		.gain = MAX_GAIN,
	};
}

/*
 * A check that could not be answered is no access, and none could have been seen: it counts on neither side. To count
 * it as possible would stretch the intervals over memory that no interval makes visible.
 */
static void count(struct tune *tune, const struct tide_sample *sample)
{
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];
		double bytes = (double)(region->end - region->start);

		tune->seen += bytes * region->nr_accesses;
		tune->possible += bytes * (sample->nr_checks - region->nr_unobservable);
	}
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

static bool is_beyond(double distance, double limit)
{
	return distance > limit || distance < -limit;
}

/* By what the interval is to be multiplied; `distance` from the goal: 1 nothing was seen, 0 reached, below: too much.
 */
static double choose_factor(struct tune *tune, double distance)
{
	bool turned = distance * tune->last_distance < 0;
	bool far = is_beyond(distance, FAR) && is_beyond(tune->last_distance, FAR);

	if (!is_beyond(distance, NEAR))
		return 1;
	if (turned)
		tune->gain = clamp(tune->gain / 2, MIN_GAIN, MAX_GAIN);
	else if (far)
		tune->gain = clamp(tune->gain * 2, MIN_GAIN, MAX_GAIN);
	tune->last_distance = distance;
	return clamp(1 + tune->gain * distance, 1 / MAX_STEP, MAX_STEP);
}

static uint64_t within(const struct tune *tune, double us)
{
	if (us <= (double)tune->min_us)
		return tune->min_us;
	return us >= (double)tune->max_us ? tune->max_us : (uint64_t)(us + 0.5);
}

bool tune_take(struct tune *tune, const struct tide_sample *sample)
{
	uint64_t before_us = tune->sampling_us;

	if (!tune->is_on)
		return false;
	count(tune, sample);
	if (++tune->nr_seen < tune->nr_aggregations)
		return false;
	/* Nothing could be seen at all: that is no reason to look for longer, nor for less long. */
	if (tune->possible > 0) {
		double distance = 1 - tune->seen / tune->possible / tune->goal;

		tune->sampling_us = within(tune, (double)before_us * choose_factor(tune, distance));
	}
	tune->nr_seen = 0;
	tune->seen = tune->possible = 0;
	return tune->sampling_us != before_us;
}
