/* SPDX-License-Identifier: MIT */
/*
 * This file is the refs sensor: accessed bits without root, of one's own processes, a whole mapping at a time.
 *
 * /proc/PID/clear_refs forgets the accesses to all memory of a process, /proc/PID/smaps tells of each mapping how much
 * was accessed since. Both are as dear for one page as for all, and clearing makes the process wait: each prepare is a
 * pass over the whole target, to be made once per aggregation interval (TIDE_SENSOR_WHOLE).
 */
#include "sensor/refs.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "sensor/clear_refs.h"

#define DEFAULT_MAX_STALL_US 100000u
/* A look is as good as new for so long: what happened since is forgotten by the clearing either way. */
#define FRESH_NS 50000000u
/* Of all pages of the machine, so many in a hundred may have lost their marks to reclaim before idle is doubted. */
#define DOUBT_PERCENT 1u

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct refs_state *refs = state;

	refs->target = target;
	refs->max_stall_us = DEFAULT_MAX_STALL_US;
	refs->can_scan = pagescan_probe() == 1;
	return clear_refs_permitted(target, err);
}

static void look_fini(struct refs_look *look)
{
	vec_free(&look->vmas);
}

static void cleanup(void *state)
{
	struct refs_state *refs = state;

	mapped_fini(&refs->mapped);
	look_fini(&refs->cleared);
	look_fini(&refs->now);
}

static int bound_stall(void *state, uint64_t max_stall_us, struct tide_error *err)
{
	struct refs_state *refs = state;
	int result;

	refs->max_stall_us = max_stall_us;
	result = refs_look(refs, err);
	return result < 0 ? result : refs_clear_allowed(refs, max_stall_us, err);
}

static int update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct refs_state *refs = state;

	return mapped_update(&refs->mapped, refs->target, out, nr, err);
}

static int prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct refs_state *refs = state;
	int result;

	if (refs->now.is_valid && sys_clock_ns(CLOCK_MONOTONIC) - refs->now.ended_ns > FRESH_NS)
		refs->now.is_valid = false;
	result = refs_clear(refs, err);
	for (size_t i = 0; result == 0 && i < nr; i++)
		checks[i].state[0] = refs->nr_clearings;
	return result;
}

/* Did reclaim look at so many pages since the clearing that accesses may have been forgotten? */
static bool is_reclaiming(const struct refs_state *refs)
{
	uint64_t nr = refs->now.nr_reclaimed - refs->cleared.nr_reclaimed;

	return nr > (uint64_t)sysconf(_SC_PHYS_PAGES) * DOUBT_PERCENT / 100;
}

/* What was present of a mapping when it was cleared; 0 when it was not there as it is now. */
static uint64_t rss_before(const struct refs_state *refs, const struct refs_vma *vma)
{
	const struct refs_vma *old = refs_find(&refs->cleared, vma->start);

	return old != NULL && old->start == vma->start && old->end == vma->end && old->inode == vma->inode
	               ? old->rss_bytes
	               : 0;
}

static int answer(struct refs_state *refs, struct refs_vma *vma, bool is_reclaiming, int *pagemap,
                  struct tide_check *check, struct tide_error *err)
{
	/* Another prepare came between: it has forgotten accesses of ours. */
	bool is_forgotten = check->state[0] != refs->nr_clearings;
	const struct refs_interval interval = {
		.rss_before_bytes = rss_before(refs, vma),
		.is_guest = refs->now.is_guest,
		.is_doubtful = is_reclaiming || is_forgotten,
	};
	int result = 0;

	refs_judge(vma, &interval, check);
	if (check->answer != TIDE_ANSWER_IDLE)
		return 0;
	result = refs_find_hidden(refs, vma, pagemap, err);
	if (result < 0 || vma->hidden == REFS_HIDDEN_NONE)
		return result;
	check->page_start = vma->start;
	check->page_end = vma->end;
	check->answer = TIDE_ANSWER_UNOBSERVABLE;
	check->reason = vma->hidden == REFS_HIDDEN_SOME ? TIDE_REASON_SPECIAL : TIDE_REASON_UNREAD;
	return 0;
}

/* Answers from the latest look. */
static int answer_all(struct refs_state *refs, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	bool reclaiming = is_reclaiming(refs);
	scope_sys_fd int pagemap = -1;
	int result = 0;

	for (size_t i = 0; result == 0 && i < nr; i++) {
		struct refs_vma *vma = refs_find(&refs->now, checks[i].addr);

		checks[i].page_start = checks[i].page_end = 0;
		checks[i].answer = TIDE_ANSWER_IDLE;
		checks[i].reason = TIDE_REASON_NONE;
		if (vma != NULL && vma->start <= checks[i].addr)
			result = answer(refs, vma, reclaiming, &pagemap, &checks[i], err);
	}
	return result;
}

static int check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct refs_state *refs = state;
	int result = refs_look(refs, err);

	return result < 0 ? result : answer_all(refs, checks, nr, err);
}

static int turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
                struct tide_error *err)
{
	int result = nr_old > 0 ? check(state, old, nr_old, err) : 0;

	return result == 0 && nr_fresh > 0 ? prepare(state, fresh, nr_fresh, err) : result;
}

static int target_valid(void *state, struct tide_error *err)
{
	struct refs_state *refs = state;

	return tide_target_valid(refs->target, err);
}

static void cost(const void *state, struct tide_sensor_cost *out)
{
	*out = ((const struct refs_state *)state)->cost;
}

const struct tide_sensor_ops sensor_refs = {
	.name = "refs",
	.summary = "clear_refs and smaps: without root, a whole mapping at a time",
	.state_size = sizeof(struct refs_state),
	.flags = TIDE_SENSOR_WHOLE,
	.ways = 1u << TIDE_WAY_REFS,
	.probe = refs_probe,
	.init = init,
	.bound_stall = bound_stall,
	.update = update,
	.prepare_access_checks = prepare,
	.check_accesses = check,
	.target_valid = target_valid,
	.cleanup = cleanup,
	.scan = refs_scan,
	.cost = cost,
	.turn = turn,
	.plan = refs_plan,
	.forget_all = refs_forget_all,
};
