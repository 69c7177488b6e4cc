/* SPDX-License-Identifier: MIT */
/*
 * This file asks one target's sensor and keeps its answers.
 *
 * To forget a page's accesses costs more than all the rest: it interrupts the processors that run the target, to flush
 * the page from their TLBs. And most checks tell what was known before. So a sparing monitor
 * - checks a steady region, one that was accessed in most checks of two aggregation intervals or in none, in every
 * fifth sampling interval only; its counts are scaled up, and one that changes is noticed in the same aggregation
 * interval;
 * - splits it in every fourth aggregation interval only: splitting doubles what is to be checked;
 * - allows the sensor, in a region that was not accessed in the last aggregation interval, to forget the accesses of
 * the pages behind the sampled one too: most are as old as the memory's population, and are forgotten once for all.
 */
#include "monitor/watched.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "monitor/opts.h"
#include "monitor/three.h"
#include "sensor/state.h"

#define STEADY_EVERY 5u           /* sampling intervals */
#define AHEAD_BYTES  (256u << 10) /* at most, with one sample */

/* The ranges to monitor, as the sensor reports the mappings now: at most three. */
static int find_ranges(struct watched *target, struct tide_range out[3], struct tide_error *err)
{
	const struct tide_range *mapped;
	size_t nr;
	int result = target->ops->update(target->state, &mapped, &nr, err);

	return result < 0 ? result : (int)three_regions(mapped, nr, out);
}

/* What exact mode watches: gaps included, as with regions. */
static int set_frames(struct watched *target, const struct tide_range *ranges, size_t nr)
{
	if (vec_reserve(&target->exact.frames, nr) < 0)
		return -ENOMEM;
	memcpy(target->exact.frames.items, ranges, nr * sizeof(ranges[0]));
	target->exact.frames.nr = nr;
	return 0;
}

int watched_init(struct watched *target, const struct tide_range *ranges, size_t nr,
                 const struct tide_monitor_opts *opts, struct tide_error *err)
{
	struct tide_range found[3];
	int result = monitor_ranges_check(ranges, nr, err);

	target->has_own_ranges = nr > 0;
	exact_init(&target->exact, opts);
	if (result == 0 && opts->flags & TIDE_MONITOR_EXACT && (target->ops->plan == NULL || target->ops->scan == NULL))
		result = error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                   "the sensor %s cannot look at every page: exact mode needs another one",
		                   target->ops->name);
	if (result == 0 && opts->flags & TIDE_MONITOR_EXACT && target->writes != NULL)
		result = error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                   "exact mode tells accesses only: writes are sampled beside sampled accesses");
	/* A sensor may have to follow the mappings, whatever is watched of them. */
	if (result == 0)
		result = watched_update_writes(target, err);
	if (result == 0)
		result = find_ranges(target, found, err);
	if (result < 0)
		return result;
	if (nr == 0) {
		ranges = found;
		nr = (size_t)result;
	}
	if (nr == 0)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH,
		                 "the target has no memory mapped: it may just be exiting");
	result = set_frames(target, ranges, nr);
	if (result == 0)
		result = regions_init(&target->regions, ranges, nr, opts->min_nr_regions);
	return result < 0 ? error_system(err, result, "splitting the target's memory into regions") : 0;
}

static void batch_fini(struct batch *batch)
{
	vec_free(&batch->checks);
	vec_free(&batch->writes);
	vec_free(&batch->region_of);
}

/* Descriptors and programs are given back when the target goes, not when the last one of many has gone. */
static void end_sensors(struct watched *target)
{
	watched_end_writes(target);
	sensor_end_state(target->ops, target->state);
	target->state = NULL;
}

void watched_fini(struct watched *target)
{
	vec_free(&target->regions.list);
	batch_fini(&target->batch);
	batch_fini(&target->spare);
	guide_fini(&target->guide);
	exact_fini(&target->exact);
	end_sensors(target);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add_cost(const struct tide_sensor_cost *cost, struct tide_sensor_cost *sum)
{
	sum->nr_read += cost->nr_read;
	sum->nr_scanned += cost->nr_scanned;
	sum->nr_cleared += cost->nr_cleared;
	sum->nr_calls += cost->nr_calls;
	sum->longest_hold_ns = greater(sum->longest_hold_ns, cost->longest_hold_ns);
	sum->nr_stalls += cost->nr_stalls;
	sum->longest_stall_ns = greater(sum->longest_stall_ns, cost->longest_stall_ns);
	sum->stall_ns += cost->stall_ns;
	sum->stopped_ns += cost->stopped_ns;
	sum->blind_ns += cost->blind_ns;
	sum->ways |= cost->ways;
}

void watched_add_cost(const struct watched *target, struct tide_sensor_cost *sum)
{
	const struct tide_sensor_ops *const ops[] = { target->ops, target->writes };
	const void *const states[] = { target->state, target->writes_state };

	add_cost(&target->cost, sum);
	for (size_t i = 0; i < 2; i++) {
		struct tide_sensor_cost cost = { 0 };

		if (states[i] == NULL || ops[i]->cost == NULL)
			continue;
		ops[i]->cost(states[i], &cost);
		add_cost(&cost, sum);
	}
}

void watched_end(struct watched *target)
{
	struct tide_sensor_cost cost = { 0 };

	watched_add_cost(target, &cost);
	target->cost = cost;
	end_sensors(target);
	target->is_gone = true;
	target->regions.list.nr = 0;
	target->batch.checks.nr = 0;
	target->batch.writes.nr = 0;
	target->batch.region_of.nr = 0;
}

static bool is_due(const struct region *region, size_t i, const struct sampling *sampling)
{
	return !sampling->sparing || !region->is_steady || (sampling->pass + i) % STEADY_EVERY == 0;
}

static struct tide_check sample_region(const struct region *region, const struct sampling *sampling, struct rng *rng)
{
	uint64_t nr_pages = (region->end - region->start) / MIN_REGION;
	struct tide_check check = { .addr = region->start + rng_below(rng, nr_pages) * MIN_REGION };
	uint64_t rest = region->end - check.addr - MIN_REGION;

	if (sampling->sparing && region->age > 0 && region->last_nr_accesses == 0 && region->nr_accesses == 0)
		check.ahead_bytes = rest < AHEAD_BYTES ? rest : AHEAD_BYTES;
	return check;
}

static int draw(struct batch *batch, const struct regions *from, const struct sampling *sampling, struct rng *rng,
                struct tide_error *err)
{
	const struct region *regions = from->list.items;
	size_t nr = from->list.nr;

	batch->checks.nr = 0;
	batch->writes.nr = 0;
	batch->region_of.nr = 0;
	if (vec_reserve(&batch->checks, nr) < 0 || vec_reserve(&batch->region_of, nr) < 0)
		return error_system(err, -ENOMEM, "sampling %zu regions", nr);
	for (size_t i = 0; i < nr; i++) {
		if (!is_due(&regions[i], i, sampling))
			continue;
		batch->checks.items[batch->region_of.nr] = sample_region(&regions[i], sampling, rng);
		batch->region_of.items[batch->region_of.nr++] = (uint32_t)i;
	}
	return 0;
}

/* Of two results the first that is an error; its sentence stays. */
static int first_error(int one, int other, const struct tide_error *others, struct tide_error *err)
{
	if (one < 0)
		return one;
	if (other < 0 && err != NULL)
		*err = *others;
	return other < 0 ? other : one;
}

int watched_prepare(struct watched *target, const struct sampling *sampling, struct rng *rng, struct tide_error *err)
{
	struct batch *batch = &target->batch;
	struct tide_error other = { 0 };
	int result = draw(batch, &target->regions, sampling, rng, err);

	if (result == 0 && batch->region_of.nr > 0)
		result = target->ops->prepare_access_checks(target->state, batch->checks.items, batch->region_of.nr,
		                                            err);
	if (result >= 0)
		batch->checks.nr = batch->region_of.nr;
	return first_error(result, watched_prepare_writes(target, batch, &other), &other, err);
}

/* Samples of one (huge) page have one answer. */
static void share_answers(struct tide_check *checks, size_t nr)
{
	for (size_t i = 1; i < nr; i++) {
		const struct tide_check *before = &checks[i - 1];

		if (checks[i].addr < before->page_start || checks[i].addr >= before->page_end)
			continue;
		checks[i].page_start = before->page_start;
		checks[i].page_end = before->page_end;
		checks[i].answer = before->answer;
		checks[i].reason = before->reason;
	}
}

static void count(struct region *region, const struct tide_check *check, uint64_t reasons[TIDE_NR_REASONS])
{
	region->nr_checks++;
	region->nr_accesses += check->answer == TIDE_ANSWER_ACCESSED;
	if (check->answer != TIDE_ANSWER_UNOBSERVABLE)
		return;
	region->nr_unobservable++;
	reasons[check->reason < TIDE_NR_REASONS ? check->reason : TIDE_REASON_UNREAD]++;
}

/* Counts a batch, of which the first `nr` checks were answered: all of them or none. */
static void settle(struct watched *target, size_t nr, uint64_t reasons[TIDE_NR_REASONS])
{
	static const struct tide_check missed = { .answer = TIDE_ANSWER_UNOBSERVABLE, .reason = TIDE_REASON_UNREAD };
	struct batch *batch = &target->batch;

	share_answers(batch->checks.items, nr);
	share_answers(batch->writes.items, batch->writes.nr);
	for (size_t i = 0; i < batch->region_of.nr; i++) {
		struct region *region = &target->regions.list.items[batch->region_of.items[i]];
		const struct tide_check *check = nr > 0 ? &batch->checks.items[i] : &missed;

		count(region, check, reasons);
		if (watched_tells_writes(target))
			watched_count_write(target, region, i, check);
	}
	batch->checks.nr = 0;
	batch->writes.nr = 0;
	batch->region_of.nr = 0;
}

int watched_check(struct watched *target, uint64_t reasons[TIDE_NR_REASONS], struct tide_error *err)
{
	struct tide_check *checks = target->batch.checks.items;
	size_t nr = target->batch.checks.nr;
	struct tide_error other = { 0 };
	int result = nr > 0 ? target->ops->check_accesses(target->state, checks, nr, err) : 0;
	int writes = watched_check_writes(target, &other);

	settle(target, result < 0 ? 0 : nr, reasons);
	return first_error(result, writes, &other, err);
}

int watched_turn(struct watched *target, const struct sampling *sampling, struct rng *rng,
                 uint64_t reasons[TIDE_NR_REASONS], struct tide_error *err)
{
	struct batch fresh = target->spare;
	struct tide_check *old = target->batch.checks.items;
	size_t nr_old = target->batch.checks.nr;
	struct tide_error other = { 0 };
	int writes;
	int result = draw(&fresh, &target->regions, sampling, rng, err);

	for (size_t i = 0; i < nr_old; i++) {
		old[i].answer = TIDE_ANSWER_UNOBSERVABLE;
		old[i].reason = TIDE_REASON_UNREAD;
	}
	if (result == 0 && nr_old + fresh.region_of.nr > 0)
		result = target->ops->turn(target->state, old, nr_old, fresh.checks.items, fresh.region_of.nr, err);
	writes = watched_check_writes(target, &other);
	settle(target, nr_old, reasons);
	if (result >= 0)
		fresh.checks.nr = fresh.region_of.nr;
	if (writes >= 0)
		writes = watched_prepare_writes(target, &fresh, &other);
	target->spare = target->batch;
	target->batch = fresh;
	return first_error(result, writes, &other, err);
}

void watched_reset(struct watched *target, uint32_t nr_checks)
{
	regions_reset(&target->regions, nr_checks);
	if (target->ops->reset_aggregated != NULL && !target->is_gone)
		target->ops->reset_aggregated(target->state);
}

static int check_valid(struct watched *target, struct tide_error *err)
{
	int valid = target->ops->target_valid != NULL ? target->ops->target_valid(target->state, err) : 1;

	return valid > 0 ? 0 : valid < 0 ? valid : -ESRCH;
}

int watched_pass(struct watched *target, uint64_t now_ns, size_t max, struct tide_error *err)
{
	struct tide_range ranges[3];
	int nr = check_valid(target, err);
	int result;

	if (nr == 0)
		nr = find_ranges(target, ranges, err);
	if (nr < 0)
		return nr;
	if (!target->has_own_ranges && set_frames(target, ranges, (size_t)nr) < 0)
		return error_system(err, -ENOMEM, "watching %d ranges", nr);
	result = exact_pass(&target->exact, target->ops, target->state, now_ns, err);
	if (result <= 0)
		target->regions.list.nr = 0; /* nothing is known of an interval */
	if (result > 0 && (exact_sum(&target->exact) < 0 || exact_regions(&target->exact, &target->regions, max) < 0))
		return error_system(err, -ENOMEM, "reporting every page");
	return result;
}

int watched_update(struct watched *target, struct tide_error *err)
{
	struct tide_range ranges[3];
	int nr = check_valid(target, err);
	int result = nr < 0 ? nr : watched_update_writes(target, err);

	if (result < 0)
		return result;
	nr = find_ranges(target, ranges, err);
	if (nr < 0 || target->has_own_ranges)
		return nr < 0 ? nr : 0;
	if (regions_update(&target->regions, ranges, (size_t)nr) < 0)
		return error_system(err, -ENOMEM, "updating regions");
	return 0;
}
