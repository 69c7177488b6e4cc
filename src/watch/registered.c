/* SPDX-License-Identifier: MIT */
/* This file keeps the list of ranges registered with io_uring. */
#include "watch/registered.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/fdinfo.h"
#include "kernel/sys.h"
#include "target/target.h"

/* A ring is busy for the moment of a call into it. */
#define TRIES 4

/* Reading takes at most one part in so many of the time, once there is much to read. */
#define MANY_DESCRIPTORS 256u
#define MAX_SHARE        16u

static int add(void *arg, uint64_t start, uint64_t end)
{
	struct registered *registered = arg;

	return vec_push(&registered->ranges, ((struct tide_range){ start, end }));
}

static int lower_first(const void *a, const void *b)
{
	const struct tide_range *x = a;
	const struct tide_range *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void merge(struct registered *registered)
{
	struct tide_range *ranges = registered->ranges.items;
	size_t nr = 0;

	if (registered->ranges.nr == 0)
		return;
	qsort(ranges, registered->ranges.nr, sizeof(ranges[0]), lower_first);
	for (size_t i = 1; i < registered->ranges.nr; i++) {
		if (ranges[i].start > ranges[nr].end)
			ranges[++nr] = ranges[i];
		else if (ranges[i].end > ranges[nr].end)
			ranges[nr].end = ranges[i].end;
	}
	registered->ranges.nr = nr + 1;
}

static int read_now(struct registered *registered, struct tide_target *target, struct tide_error *err)
{
	size_t nr_before = registered->ranges.nr;
	int result = 1;
	pid_t tid;

	for (int try = 0; try < TRIES && result == 1; try++) {
		registered->ranges.nr = nr_before;
		result = target_live_thread(target, &tid, err);
		if (result < 0)
			return result;
		result = fdinfo_each_buffer(target_procfs(target), tid, add, registered, &registered->nr_descriptors);
	}
	if (result == 0) {
		registered->ranges.nr -= nr_before;
		for (size_t i = 0; i < registered->ranges.nr; i++)
			registered->ranges.items[i] = registered->ranges.items[nr_before + i];
	}
	merge(registered);
	if (result < 0)
		return error_system(err, result, "reading which buffers process %d has registered",
		                    tide_target_pid(target));
	return 0;
}

int registered_read(struct registered *registered, struct tide_target *target, struct tide_error *err)
{
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	int result;

	if (registered->nr_descriptors > MANY_DESCRIPTORS &&
	    now_ns - registered->read_at_ns < MAX_SHARE * registered->cost_ns)
		return 0;
	result = read_now(registered, target, err);
	registered->read_at_ns = now_ns;
	registered->cost_ns = sys_clock_ns(CLOCK_MONOTONIC) - now_ns;
	return result;
}

void registered_fini(struct registered *registered)
{
	vec_free(&registered->ranges);
}
