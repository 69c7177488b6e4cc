/* SPDX-License-Identifier: MIT */
/* This file is tidemark's tracker as the torture sees it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "pins-early.h"
#include "tracker.h"

enum {
	TRIES = 1000, /* while somebody else traces the mutator */
	SWITCH_NS = 100000000,
};

#define EVERYTHING ((uint64_t)1 << 56)

struct ours {
	struct tide_target *target;
	struct tide_watch *watch;
	uint64_t switched_ns; /* when, at last */
	bool is_list;
};

static const struct tide_pins_ops *pins_of(const char *name)
{
	if (strcmp(name, "walker") == 0)
		return tide_pins_walker();
	if (strcmp(name, "early") == 0)
		return pins_early();
	return strcmp(name, "fdinfo") == 0 ? tide_pins_fdinfo() : NULL;
}

static void watch_close(void *tracker)
{
	struct ours *ours = tracker;

	tide_watch_close(ours->watch);
	tide_target_close(ours->target);
	free(ours);
}

static void *open_with(const char *backend, const struct rig *rig, const struct tracker_opts *opts,
                       struct tide_error *err)
{
	struct tide_watch_opts ask = {
		.size = sizeof(ask),
		.ranges = opts->ranges,
		.nr_ranges = opts->nr_ranges,
		.pins = pins_of(opts->pins),
		.arm_holes = opts->arm_holes,
		.backend = backend,
	};
	struct ours *ours = calloc(1, sizeof(*ours));
	int result;

	if (ours == NULL)
		exit(2);
	result = tide_target_open(&ours->target, rig->pid, err);
	for (unsigned i = 0; result == 0 && i < TRIES; i++) {
		result = tide_watch_open(&ours->watch, ours->target, &ask, err);
		if (result == 0)
			return ours;
		if (err->cause != TIDE_CAUSE_BUSY && err->cause != TIDE_CAUSE_DENIED)
			break;
		result = 0;
	}
	watch_close(ours);
	return NULL;
}

static void *watch_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	return open_with("uffd_async", rig, opts, err);
}

static void *list_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	return open_with("uffd_log", rig, opts, err);
}

static void *soft_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	return open_with("soft_dirty", rig, opts, err);
}

static long watch_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	return tide_watch_collect(((struct ours *)tracker)->watch, runs, max, err);
}

/* From list to async, and back. While somebody else traces the mutator, later. */
static long switch_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	struct ours *ours = tracker;
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);

	if (now_ns - ours->switched_ns >= SWITCH_NS) {
		int result =
		        tide_watch_switch(ours->watch, 0, EVERYTHING, ours->is_list ? "uffd_async" : "uffd_log", err);

		if (result < 0 && err->cause != TIDE_CAUSE_BUSY && err->cause != TIDE_CAUSE_DENIED)
			return result;
		ours->is_list ^= result == 0;
		ours->switched_ns = now_ns;
	}
	return watch_collect(tracker, runs, max, err);
}

/* Each epoch stops the mutator, which has to wait while somebody else traces it. */
static long soft_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	long nr = watch_collect(tracker, runs, max, err);

	for (unsigned i = 0; nr < 0 && err->cause == TIDE_CAUSE_BUSY && i < TRIES; i++) {
		usleep(1000);
		nr = watch_collect(tracker, runs, max, err);
	}
	return nr;
}

static void watch_epoch(void *tracker, struct tide_epoch *out)
{
	tide_watch_epoch(((struct ours *)tracker)->watch, out);
}

static const struct tide_layout *watch_layout(void *tracker)
{
	return tide_watch_layout(((struct ours *)tracker)->watch);
}

const struct tracker_ops tracker_watch = {
	.name = "watch",
	.takes_ranges = true,
	.open = watch_open,
	.collect = watch_collect,
	.epoch = watch_epoch,
	.layout = watch_layout,
	.close = watch_close,
};

const struct tracker_ops tracker_watch_list = {
	.name = "list",
	.takes_ranges = true,
	.open = list_open,
	.collect = watch_collect,
	.epoch = watch_epoch,
	.layout = watch_layout,
	.close = watch_close,
};

const struct tracker_ops tracker_watch_switch = {
	.name = "switch",
	.takes_ranges = true,
	.open = list_open,
	.collect = switch_collect,
	.epoch = watch_epoch,
	.layout = watch_layout,
	.close = watch_close,
};

const struct tracker_ops tracker_watch_soft = {
	.name = "soft",
	.takes_ranges = true,
	.open = soft_open,
	.collect = soft_collect,
	.epoch = watch_epoch,
	.layout = watch_layout,
	.close = watch_close,
};
