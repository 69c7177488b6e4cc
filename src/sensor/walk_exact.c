/* SPDX-License-Identifier: MIT */
/*
 * This file is the walk sensor's part in exact mode: how a pass forgets what it saw.
 *
 * MADV_COLD (way "cold") clears only what is young, in small steps, and flushes the TLB: no access is missed, and the
 * cost grows with what is hot. But it cannot clear what several page tables map, or locked memory, and it moves the
 * pages towards reclaim. clear_refs (way "refs") clears all of that and moves nothing, but takes the whole process at
 * once with its mmap lock held in write mode, and clears also what was accessed since it was looked at: the pass is
 * blind for so long. And it leaves the TLB as it is: an access through an entry that is still there is not seen. The
 * kernel flushes the TLB when soft-dirty bits are cleared, also where it is built without them: there a second call
 * does that and nothing else. Where somebody may be using them, they are left alone, and so is the TLB.
 *
 * So a pass is cold, unless the last one left unseen what clear_refs would let be seen, or reclaim is at work, which
 * would take the pages that MADV_COLD offers. And then only if the stall is bounded as the caller wants, and does not
 * come back for more than a fiftieth of the time. Where it is not, or is longer than some milliseconds, DAMON takes its
 * place if it can be had (way_damon.h, walk_damon.c): no stall, but blind for longer.
 */
#include "sensor/walk.h"

#include <errno.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/vmstat.h"
#include "sensor/clear_refs.h"

#define MAX_VERIFIED   (UINT64_C(64) * WALKER_MAX_SAMPLES)
#define STALL_SHARE    50u      /* clear_refs may keep the target waiting for 1/50 of the time */
#define UNSEEN_SHARE   100u     /* ... where 1/100 of memory would be unseen without */
#define SHORT_STALL_NS 3000000u /* a clear_refs of less is the cheaper one for everybody, DAMON waits for as long */
#define FIRST_ENTRY_NS 25u      /* of clear_refs for an entry, until it was measured */

/* How long clear_refs would hold the target's mmap lock. */
static uint64_t stall_ns(const struct walk_exact *exact, const struct tide_pass *pass)
{
	return pass->nr_present * (exact->entry_ns > 0 ? exact->entry_ns : FIRST_ENTRY_NS);
}

static bool refs_allowed(uint64_t ns, const struct tide_pass *pass)
{
	return ns <= pass->max_stall_us * 1000 && ns <= pass->interval_us * 1000 / STALL_SHARE;
}

/* Did the kernel look for pages to reclaim since the last pass? */
static bool is_reclaiming(struct walk_exact *exact)
{
	uint64_t nr_scanned = 0;
	bool moved;

	if (vmstat_nr_scanned(&nr_scanned) < 0)
		return false;
	moved = exact->has_scans && nr_scanned != exact->nr_scanned;
	exact->nr_scanned = nr_scanned;
	exact->has_scans = true;
	return moved;
}

/* Does this way clear all at once, at the pass's end? */
static bool is_whole(enum tide_way way)
{
	return way == TIDE_WAY_REFS || way == TIDE_WAY_DAMON;
}

static enum tide_way choose(struct walk_state *walk, const struct tide_pass *pass)
{
	struct walk_exact *exact = &walk->exact;
	bool reclaiming = is_reclaiming(exact);
	uint64_t ns = stall_ns(exact, pass);

	/* A pass that clears all does not tell what another would have left: that stays as it was. */
	if (!is_whole(exact->last_way))
		exact->nr_unseen = exact->nr_clearable;
	exact->nr_clearable = 0;
	/* Before the first pass nobody knows how much there is. */
	if (pass->nr_present == 0 || (!reclaiming && exact->nr_unseen * UNSEEN_SHARE <= pass->nr_present))
		return TIDE_WAY_COLD;
	if (refs_allowed(ns, pass) && ns <= SHORT_STALL_NS)
		return TIDE_WAY_REFS;
	if (walk_damon_ready(walk, pass, NULL) == 0)
		return TIDE_WAY_DAMON;
	return refs_allowed(ns, pass) ? TIDE_WAY_REFS : TIDE_WAY_COLD;
}

/* The way that the user wants: is it to be had? */
static int check_wanted(struct walk_state *walk, const struct tide_pass *pass, struct tide_error *err)
{
	uint64_t ns = stall_ns(&walk->exact, pass);

	switch (pass->wanted) {
	case TIDE_WAY_AUTO:
	case TIDE_WAY_COLD:
		return 0;
	case TIDE_WAY_DAMON:
		return walk_damon_ready(walk, pass, err);
	case TIDE_WAY_REFS:
		if (ns <= pass->max_stall_us * 1000)
			return 0;
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "clear_refs would keep the process waiting for about %llu ms, and %llu ms are "
		                 "allowed: give it more with --max-stall, or take the way cold",
		                 (unsigned long long)(ns / 1000000), (unsigned long long)(pass->max_stall_us / 1000));
	default:
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "the sensor walk cannot forget by the way %s: it can by damon, refs and cold",
		                 tide_way_name(pass->wanted));
	}
}

int walk_plan(void *state, struct tide_pass *pass, struct tide_error *err)
{
	struct walk_state *walk = state;
	struct walk_exact *exact = &walk->exact;
	bool is_first = pass->nr_present == 0;
	int result = check_wanted(walk, pass, err);

	if (result < 0)
		return result;
	exact->damon.scanned.nr = 0;
	exact->damon.young.nr = 0;
	walk_known_turn(&exact->damon, exact->way, walker_facts(walk->walker));
	exact->last_way = exact->way;
	if (pass->wanted == TIDE_WAY_AUTO || (pass->wanted == TIDE_WAY_REFS && is_first))
		pass->way = choose(walk, pass);
	else
		pass->way = pass->wanted;
	pass->whole = is_whole(pass->way);
	exact->way = pass->way;
	exact->damon.by_name = pass->wanted == TIDE_WAY_DAMON;
	exact->damon.is_noting = pass->way == TIDE_WAY_DAMON;
	exact->nr_present = pass->nr_present;
	exact->began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	exact->cost.ways |= 1u << pass->way;
	return 0;
}

/* Pages that were forgotten, at whose folios nothing was left that speaks of an access, as of now. */
int walk_second_look(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct walk_state *walk = state;
	const struct walker_facts *facts = walker_facts(walk->walker);
	struct walker_sample *samples = walker_samples(walk->walker);

	for (size_t done = 0; done < nr;) {
		uint32_t n = (uint32_t)(nr - done < WALKER_MAX_SAMPLES ? nr - done : WALKER_MAX_SAMPLES);
		int result;

		for (uint32_t i = 0; i < n; i++)
			walker_ask(&samples[i], checks[done + i].addr, true);
		result = walker_sample(walk->walker, n, err);
		if (result < 0)
			return result;
		for (uint32_t i = 0; i < n; i++) {
			struct witness witness = { .shift = samples[i].shift };

			walk_known_expect(&walk->exact, samples[i].addr, facts, &witness);
			witness_second(&witness, &samples[i], facts, walker_has_notifiers(walk->walker),
			               &checks[done + i]);
			if (walk_known_looked(&walk->exact, &samples[i], facts, &checks[done + i]) < 0)
				return error_system(err, -ENOMEM, "noting what second looks saw");
		}
		done += n;
	}
	return 0;
}

static int report_stuck(struct walk_state *walk, const uint64_t *addrs, size_t nr, uint32_t shift, tide_stuck_fn *stuck,
                        void *arg)
{
	for (size_t i = 0; i < nr; i++) {
		const struct witness *witness = &walk->witnesses.items[i];
		int result;

		if (witness->before != WITNESS_STUCK)
			continue;
		if (witness->reason == TIDE_REASON_SHARED || witness->reason == TIDE_REASON_LOCKED ||
		    witness->reason == TIDE_REASON_PARTIAL || witness->reason == TIDE_REASON_OFF_LRU)
			walk->exact.nr_clearable++;
		result = stuck(arg, addrs[i], addrs[i] + (UINT64_C(1) << shift), witness->reason);
		if (result != 0)
			return result;
	}
	return 0;
}

/* At most WALKER_MAX_SAMPLES entries of one run, from `*addr` on. */
static int forget_chunk(struct walk_state *walk, const struct tide_young_run *run, uint64_t *addr, tide_stuck_fn *stuck,
                        void *arg, struct tide_error *err)
{
	uint64_t step = UINT64_C(1) << run->entry_shift;
	uint64_t *addrs = walk->exact.addrs.items;
	uint32_t n = 0;
	int result = walk_reserve(walk, WALKER_MAX_SAMPLES, err);

	for (; *addr < run->end && n < WALKER_MAX_SAMPLES; *addr += step) {
		addrs[n] = *addr;
		walker_ask(&walker_samples(walk->walker)[n++], *addr, true);
	}
	if (result == 0)
		result = walker_sample(walk->walker, n, err);
	if (result < 0)
		return result;
	for (uint32_t i = 0; i < n; i++)
		witness_first(&walk->witnesses.items[i], &walker_samples(walk->walker)[i], walker_facts(walk->walker));
	result = walk_clear(walk, n, MAX_VERIFIED, err);
	return result < 0 ? result : report_stuck(walk, addrs, n, run->entry_shift, stuck, arg);
}

int walk_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
                struct tide_error *err)
{
	struct walk_state *walk = state;

	if (vec_reserve(&walk->exact.addrs, WALKER_MAX_SAMPLES) < 0)
		return error_system(err, -ENOMEM, "forgetting the accesses of %zu runs of pages", nr);
	for (size_t i = 0; i < nr; i++) {
		for (uint64_t addr = runs[i].start; addr < runs[i].end;) {
			int result = forget_chunk(walk, &runs[i], &addr, stuck, arg, err);

			if (result != 0)
				return result;
		}
	}
	return 0;
}

static int forget_by_refs(struct walk_state *walk, struct tide_error *err)
{
	struct walk_exact *exact = &walk->exact;
	struct clear_refs_time took = { 0 };
	int result = clear_refs_all(walk->target, &took, err);

	if (result < 0)
		return result;
	clear_refs_account(&exact->cost, &took, exact->began_ns);
	/* The next one is judged by the work that this one was, not by how often the processor was taken away. */
	if (exact->nr_present > 0)
		exact->entry_ns = 1 + took.cpu_ns / exact->nr_present;
	return 0;
}

int walk_forget_all(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err)
{
	struct walk_state *walk = state;

	return walk->exact.way == TIDE_WAY_DAMON ? walk_damon_forget(walk, stuck, arg, err) : forget_by_refs(walk, err);
}
