/* SPDX-License-Identifier: MIT */
/* This file forgets a target's accesses by way of the kernel's DAMON. */
#include "sensor/way_damon.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/vec.h"
#include "kernel/damon.h"
#include "kernel/sys.h"
#include "target/target.h"

struct way_damon {
	struct tide_target *target;
	struct damon damon;
	pid_t tid; /* that it is pointed at */
	VEC(struct damon_range) pieces;
	struct way_damon_cost cost;
};

static int say_busy(struct tide_error *err, enum damon_user user)
{
	switch (user) {
	case DAMON_OURS:
		return error_set(
		        err, TIDE_CAUSE_BUSY, -EBUSY,
		        "another tidemark uses the kernel's DAMON, and there is one for all: /run/tidemark/damon "
		        "says which");
	case DAMON_OTHERS:
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "somebody has set up the kernel's DAMON (/sys/kernel/mm/damon/admin/kdamonds is not "
		                 "empty): take another way, or wait until it is free");
	case DAMON_FREE:
	case DAMON_MODULE:
		break;
	}
	return error_set(
	        err, TIDE_CAUSE_BUSY, -EBUSY,
	        "a module of the kernel's DAMON is at work and lets none run beside it: if it is yours to stop, "
	        "echo N >/sys/module/damon_stat/parameters/enabled (or damon_reclaim, damon_lru_sort)");
}

static int say_claim(struct tide_error *err, int code, enum damon_user user)
{
	if (code == -EBUSY)
		return say_busy(err, user);
	if (code == -ENOENT)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, code,
		                 "this kernel has no DAMON with sysfs files (CONFIG_DAMON_SYSFS)");
	if (code == -EACCES || code == -EPERM || code == -EROFS)
		return error_set(err, TIDE_CAUSE_DENIED, code,
		                 "the kernel's DAMON is set up in /sys/kernel/mm/damon, and that is not ours to write: "
		                 "run as root, outside containers");
	return error_system(err, code, "claiming the kernel's DAMON");
}

/* Points DAMON at a thread that is alive: one that has ended has no memory. */
static int aim(struct way_damon *way, struct tide_error *err)
{
	pid_t tid;
	int result = target_live_thread(way->target, &tid, err);

	if (result < 0 || tid == way->tid)
		return result < 0 ? result : 0;
	result = damon_aim(&way->damon, tid);
	if (result == -EOPNOTSUPP)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, result,
		                 "this kernel's DAMON cannot test and clear accessed bits of a process (Linux 7.2 can, "
		                 "with CONFIG_DAMON_VADDR)");
	if (result < 0)
		return error_system(err, result, "setting up the kernel's DAMON");
	way->tid = tid;
	return 0;
}

int way_damon_open(struct way_damon **out, struct tide_target *target, struct tide_error *err)
{
	struct way_damon *way = calloc(1, sizeof(*way));
	enum damon_user user;
	int result;

	if (way == NULL)
		return error_system(err, -ENOMEM, "claiming the kernel's DAMON");
	way->target = target;
	result = damon_claim(&way->damon, &user);
	if (result < 0) {
		free(way);
		return say_claim(err, result, user);
	}
	result = aim(way, err);
	if (result < 0) {
		way_damon_close(way);
		return result;
	}
	*out = way;
	return 0;
}

void way_damon_close(struct way_damon *way)
{
	if (way == NULL)
		return;
	damon_release(&way->damon);
	vec_free(&way->pieces);
	free(way);
}

/* Adds [start, end), which lies within one stretch of WAY_DAMON_HOLD_BYTES; all that lies in it makes one piece. */
static int add_piece(struct way_damon *way, uint64_t start, uint64_t end)
{
	struct damon_range *last = way->pieces.items + way->pieces.nr - 1;

	if (way->pieces.nr > 0 && last->start / WAY_DAMON_HOLD_BYTES == start / WAY_DAMON_HOLD_BYTES) {
		last->end = end;
		return 0;
	}
	return vec_push(&way->pieces, ((struct damon_range){ start, end }));
}

static int cut(struct way_damon *way, const struct tide_range *ranges, size_t nr)
{
	int result = 0;

	way->pieces.nr = 0;
	for (size_t i = 0; i < nr; i++) {
		for (uint64_t start = ranges[i].start; result == 0 && start < ranges[i].end;) {
			uint64_t end = (start / WAY_DAMON_HOLD_BYTES + 1) * WAY_DAMON_HOLD_BYTES;

			if (end > ranges[i].end)
				end = ranges[i].end;
			result = add_piece(way, start, end);
			start = end;
		}
	}
	return result;
}

static int say_apply(struct way_damon *way, int code, struct tide_error *err)
{
	struct tide_error gone = { 0 };

	if (tide_target_valid(way->target, &gone) == 0) {
		if (err != NULL)
			*err = gone;
		return gone.code;
	}
	if (code == -EBUSY)
		return say_busy(err, DAMON_MODULE);
	if (code == -ENODEV)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY, "somebody else has taken the kernel's DAMON from us");
	return error_system(err, code, "clearing accessed bits by the kernel's DAMON");
}

int way_damon_clear(struct way_damon *way, const struct tide_range *ranges, size_t nr, struct tide_error *err)
{
	struct way_damon_cost *cost = &way->cost;
	struct damon_applied applied;
	uint64_t took_ns;
	uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	int result = cut(way, ranges, nr);

	if (result < 0)
		return error_system(err, result, "clearing accessed bits in %zu ranges", nr);
	result = aim(way, err);
	if (result < 0)
		return result;
	result = damon_apply(&way->damon, way->pieces.items, way->pieces.nr, &applied);
	took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (result < 0)
		return say_apply(way, result, err);
	cost->nr_clears++;
	cost->nr_holds += way->pieces.nr;
	cost->cleared_bytes += applied.young_bytes;
	cost->took_ns += took_ns;
	if (took_ns > cost->longest_ns)
		cost->longest_ns = took_ns;
	return 0;
}

const struct way_damon_cost *way_damon_cost(const struct way_damon *way)
{
	return &way->cost;
}
