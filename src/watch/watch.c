/* SPDX-License-Identifier: MIT */
/* This file opens and closes watches, and runs their epochs. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/maps.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/tracker.h"

enum {
	DEFAULT_TABLE_BYTES = 64 << 20,
	MIN_RUNS = 8,
	MIN_LISTED = 64,
	MAX_LISTED = 1 << 28,
	RAW_RUNS = 16384, /* collected before they are looked at for pins, about */
};

#define MAX_STALL_NS  3600000000000u
#define REGIONS_BYTES (WATCH_NR_REGIONS * sizeof(struct pagescan_region))

int watch_failed(struct tide_watch *watch, int code, const char *what, struct tide_error *err)
{
	if (tide_target_valid(watch->target, err) == 0)
		return -ESRCH;
	return error_system(err, code, "cannot %s the memory of process %d (%s)", what, tide_target_pid(watch->target),
	                    tide_target_name(watch->target));
}

static int take_ranges(struct tide_watch *watch, const struct tide_watch_opts *opts, struct tide_error *err)
{
	for (size_t i = 0; i < opts->nr_ranges; i++) {
		const struct tide_range *range = &opts->ranges[i];
		uint64_t start = range->start & ~(WATCH_BLOCK - 1);
		uint64_t end = (range->end + WATCH_BLOCK - 1) & ~(WATCH_BLOCK - 1);

		if (range->start >= range->end || (range->start | range->end) % WATCH_PAGE != 0)
			return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
			                 "%llx-%llx is no range of whole pages: bounds are multiples of 4096",
			                 (unsigned long long)range->start, (unsigned long long)range->end);
		if (intervals_add(&watch->wanted, range->start, range->end) < 0 ||
		    intervals_add(&watch->asked, start, end < range->end ? WATCH_END : end) < 0)
			return error_system(err, -ENOMEM, "cannot note the ranges");
	}
	return 0;
}

/* Programs built before the last members were there have a smaller structure: what it lacks is zero. */
static int take_size(struct tide_watch_opts *out, const struct tide_watch_opts *opts, struct tide_error *err)
{
	if (opts->size != sizeof(*out) && opts->size != offsetof(struct tide_watch_opts, backend) &&
	    opts->size != offsetof(struct tide_watch_opts, granularity_bytes))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "struct tide_watch_opts has the wrong size: set .size = sizeof(struct "
		                 "tide_watch_opts)");
	*out = (struct tide_watch_opts){ 0 };
	memcpy(out, opts, opts->size);
	return 0;
}

static int take_opts(struct tide_watch *watch, const struct tide_watch_opts *opts, struct tide_error *err)
{
	if (opts->arm_holes && opts->nr_ranges == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "holes are armed in given ranges only: name some");
	watch->arm_holes = opts->arm_holes != 0;
	if (opts->max_table_bytes != 0)
		watch->max_table_bytes = opts->max_table_bytes;
	return take_ranges(watch, opts, err);
}

static int make_regions(struct tide_watch *watch, struct tide_error *err)
{
	void *memory;
	int result = sys_mmap(&memory, REGIONS_BYTES, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (result < 0)
		return error_system(err, result, "cannot allocate memory for scans");
	watch->regions = memory;
	/* Where locking is not permitted, a fault that fails is still noticed: its range is `over`. */
	sys_mlock(memory, REGIONS_BYTES);
	return 0;
}

/* The best first; those behind NR_CHOSEN are used by those who ask for them. */
static const struct watch_backend *const backends[] = { &watch_uffd_async, &watch_soft_dirty, &watch_uffd_log,
	                                                &watch_mprotect };

enum {
	NR_BACKENDS = sizeof(backends) / sizeof(backends[0]),
	NR_CHOSEN = 2,
};

static int choose_named(struct tide_watch *watch, const char *name, struct tide_error *err)
{
	struct tide_error why = { 0 };
	int usable;

	for (size_t i = 0; watch->backend == NULL && i < NR_BACKENDS; i++)
		if (strcmp(backends[i]->name, name) == 0)
			watch->backend = backends[i];
	if (watch->backend == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no backend '%.40s': %s, %s, %s and %s are",
		                 name, backends[0]->name, backends[1]->name, backends[2]->name, backends[3]->name);
	usable = watch->backend->probe(&why);
	if (usable > 0)
		return 0;
	if (err != NULL)
		*err = why;
	return why.code;
}

/* The first that works. What could not be asked is no answer: the next one is not better for it. */
static int choose_best(struct tide_watch *watch, struct tide_error *err)
{
	struct tide_error why[NR_CHOSEN] = { 0 };

	for (size_t i = 0; i < NR_CHOSEN; i++) {
		int usable = backends[i]->probe(&why[i]);

		watch->backend = backends[i];
		if (usable > 0)
			return 0;
		if (usable < 0) {
			if (err != NULL)
				*err = why[i];
			return usable;
		}
	}
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, why[0].code, "%.110s; %.110s", why[0].text, why[1].text);
}

static int check_list_opts(struct tide_watch *watch, const struct tide_watch_opts *opts, struct tide_error *err)
{
	uint64_t granularity = opts->granularity_bytes;

	if (!watch->backend->has_list &&
	    (granularity | opts->max_stall_ns | opts->throttle_bytes_per_s | opts->max_listed) != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "with %s no writer waits: granularity, longest stall and throttle are uffd_log's",
		                 watch->backend->name);
	if (granularity != 0 &&
	    (granularity < WATCH_PAGE || granularity > WATCH_BLOCK || (granularity & (granularity - 1)) != 0))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "a granularity of %llu bytes cannot be: powers of two from 4 KiB to 2 MiB can",
		                 (unsigned long long)granularity);
	if (opts->max_stall_ns > MAX_STALL_NS)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "a writer may be kept waiting for an hour at most");
	if (opts->max_listed != 0 && (opts->max_listed < MIN_LISTED || opts->max_listed > MAX_LISTED))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "a list of %llu pieces cannot be: %d to %d can",
		                 (unsigned long long)opts->max_listed, MIN_LISTED, MAX_LISTED);
	watch->granularity = granularity != 0 ? granularity : WATCH_PAGE;
	return 0;
}

static int open_backend(struct tide_watch *watch, const struct tide_watch_opts *opts, struct tide_error *err)
{
	int result = opts->backend != NULL ? choose_named(watch, opts->backend, err) : choose_best(watch, err);

	if (result < 0)
		return result;
	if (opts->reused != NULL && !watch->backend->knows_reused)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "%s does not report reused mappings for being reused: only soft_dirty, asked for by "
		                 "its name, can leave them out",
		                 watch->backend->name);
	result = check_list_opts(watch, opts, err);
	if (result < 0)
		return result;
	watch->state = calloc(1, watch->backend->state_size);
	if (watch->state == NULL)
		return error_system(err, -ENOMEM, "cannot watch process %d", tide_target_pid(watch->target));
	result = watch->backend->open(watch->state, watch->target, opts, &watch->now.stopped_ns, err);
	if (result < 0) {
		free(watch->state);
		watch->state = NULL;
	}
	return result;
}

/* The first pass reports everything that is there, and everything is armed by it: from here on it counts. */
static int take_baseline(struct tide_watch *watch, struct tide_error *err)
{
	struct tide_run ignored[256];
	long nr;

	watch->baseline = true;
	do
		nr = watch_collect(watch, ignored, 256, err);
	while (nr > 0);
	watch->baseline = false;
	watch->last = (struct tide_epoch){ 0 };
	watch->now.number = 0;
	return (int)nr;
}

static int open_pagemap(struct tide_watch *watch, struct tide_error *err)
{
	int result = pagescan_probe();

	if (result < 0)
		return error_system(err, result, "cannot ask for PAGEMAP_SCAN");
	watch->has_scan = result > 0;
	watch->pagemap = target_open_file(watch->target, "pagemap", O_RDONLY, err);
	return watch->pagemap < 0 ? watch->pagemap : 0;
}

/* Two trackers of one process spoil each other's state, where the kernel does not keep the second off itself. */
static int check_holder(struct tide_target *target, struct tide_error *err)
{
	pid_t holder = client_find_holder(target);

	if (holder <= 0)
		return 0; /* nobody, or it cannot be told: the kernel will */
	return error_set(
	        err, TIDE_CAUSE_BUSY, -EBUSY,
	        "process %d (%s) is watched by process %d, and can have one tracker only: be served by that one, or "
	        "end it",
	        tide_target_pid(target), tide_target_name(target), (int)holder);
}

/* 1: somebody watches for us. 0: nobody, or negative. */
static int open_shared(struct tide_watch *watch, const struct tide_watch_opts *opts, struct tide_error *err)
{
	pid_t holder;

	if (opts->nr_ranges == 0 && opts->backend == NULL && opts->reused == NULL)
		return client_open(&watch->client, watch->target, err);
	holder = client_find_holder(watch->target);
	if (holder <= 0)
		return 0;
	return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
	                 "process %d (%s) is watched by process %d, which shares what it finds as it finds it: ask for "
	                 "no ranges, "
	                 "backend or reused mappings of your own, or end it",
	                 tide_target_pid(watch->target), tide_target_name(watch->target), (int)holder);
}

int tide_watch_open(struct tide_watch **out, struct tide_target *target, const struct tide_watch_opts *opts,
                    struct tide_error *err)
{
	static const struct tide_watch_opts defaults = { .size = sizeof(defaults) };
	struct tide_watch *watch = calloc(1, sizeof(*watch));
	struct tide_watch_opts asked = { 0 };
	int result;

	if (watch == NULL)
		return error_system(err, -ENOMEM, "cannot watch process %d", tide_target_pid(target));
	watch->target = target;
	watch->pagemap = watch->mem = -1;
	watch->max_table_bytes = DEFAULT_TABLE_BYTES;
	watch->nr_max_mappings = maps_limit();
	result = take_size(&asked, opts != NULL ? opts : &defaults, err);
	if (result == 0)
		result = take_opts(watch, &asked, err);
	if (result == 0)
		result = asked.shared ? open_shared(watch, &asked, err) : check_holder(target, err);
	if (result > 0) {
		*out = watch;
		return 0;
	}
	if (result == 0)
		result = make_regions(watch, err);
	if (result == 0)
		result = open_pagemap(watch, err);
	if (result == 0)
		result = pinned_open(&watch->pinned, asked.pins, target, err);
	if (result == 0)
		result = open_backend(watch, &asked, err);
	if (result == 0)
		result = take_baseline(watch, err);
	if (result < 0) {
		tide_watch_close(watch);
		return result;
	}
	*out = watch;
	return 0;
}

static void free_sets(struct tide_watch *watch)
{
	struct step_lists *lists = &watch->lists;
	struct intervals *const sets[] = {
		&watch->wanted, &watch->asked,    &watch->mapped, &watch->tracked, &watch->armed, &watch->refused,
		&watch->fresh,  &watch->doubtful, &watch->owed,   &watch->copies,  &watch->huge,  &watch->split,
	};
	struct runs *const runs[] = {
		&watch->raw,  &watch->ready, &lists->found, &lists->doubts,
		&lists->owed, &lists->known, &lists->both,  &lists->sure,
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		intervals_fini(sets[i]);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		vec_free(&runs[i]->v);
}

void tide_watch_close(struct tide_watch *watch)
{
	if (watch == NULL)
		return;
	server_close(watch->server);
	client_close(watch->client);
	if (watch->state != NULL) {
		watch_release(watch);
		watch->backend->close(watch->state);
		free(watch->state);
	}
	pinned_close(&watch->pinned);
	consumers_fini(&watch->consumers);
	free_sets(watch);
	sys_munmap(watch->regions, REGIONS_BYTES);
	sys_close(watch->pagemap);
	sys_close(watch->mem);
	free(watch);
}

int watch_check_alive(struct tide_watch *watch, struct tide_error *err)
{
	int result = tide_target_valid(watch->target, err);

	return result > 0 ? 0 : result < 0 ? result : -ESRCH;
}

bool watch_is_listed(const struct tide_watch *watch, uint64_t at)
{
	return watch->backend->is_listed != NULL && watch->backend->is_listed(watch->state, at);
}

int watch_find_replaced(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *out)
{
	struct interval part;
	int result = 0;

	if (watch->backend->find_replaced == NULL)
		return 0;
	/* What is known not to be mapped, or to be new, is not asked for. */
	for (uint64_t at = start; result == 0 && intervals_next(&watch->tracked, at, end, &part); at = part.end)
		result = watch->backend->find_replaced(watch->state, part.start, part.end, out);
	return result;
}

int watch_refresh(struct tide_watch *watch, struct tide_error *err)
{
	const struct tide_layout *layout;
	int result = watch_check_alive(watch, err);

	if (result == 0)
		result = tide_target_refresh(watch->target, &layout, err);
	return result == 0 ? watch_relayout(watch, err) : result;
}

int watch_begin(struct tide_watch *watch, struct tide_error *err)
{
	int result;

	if (watch->backend->begin == NULL)
		return watch_refresh(watch, err);
	result = watch_check_alive(watch, err);
	if (result == 0)
		result = watch->backend->begin(watch->state, &watch->now.stopped_ns, &watch->now.blind, err);
	if (result < 0)
		return result;
	/* The mappings are those of when it stood still. */
	return watch_relayout(watch, err);
}

static int begin_epoch(struct tide_watch *watch, struct tide_error *err)
{
	int result = watch_begin(watch, err);

	if (result < 0)
		return result;
	watch->at = watch->raw_from = 0;
	watch->in_epoch = true;
	return 0;
}

static void end_epoch(struct tide_watch *watch)
{
	struct tide_epoch *now = &watch->now;

	now->number++;
	now->blind |= watch->pinned.blind;
	now->armed_bytes = intervals_size(&watch->armed);
	now->huge_lost_bytes = intervals_size(&watch->split);
	if (watch->backend->measure != NULL)
		watch->backend->measure(watch->state, now);
	watch->last = *now;
	*now = (struct tide_epoch){
		.number = now->number,
		.nr_mappings = now->nr_mappings,
		.table_bytes = now->table_bytes,
		.stopped_ns = now->stopped_ns,
	};
	intervals_clear(&watch->fresh);
	pinned_end_epoch(&watch->pinned);
	watch->in_epoch = false;
}

/* Collects until there is something to return, or the address space has ended. */
static int fill(struct tide_watch *watch, struct tide_error *err)
{
	watch->ready.v.nr = watch->ready_at = 0;
	while (watch->ready.v.nr == 0 && watch->raw_from < WATCH_END) {
		int result = 0;

		while (result == 0 && watch->at < WATCH_END && watch->raw.v.nr < RAW_RUNS &&
		       watch->raw_bytes < WATCH_MAX_BYTES)
			result = watch_step(watch, err);
		if (result == 0)
			result = pinned_settle(watch, watch->raw_from, watch->at, &watch->raw, &watch->ready, err);
		if (result < 0) { /* what was collected is kept, and settled by the next call */
			watch->ready.v.nr = 0;
			return result;
		}
		watch->raw.v.nr = 0;
		watch->raw_bytes = 0;
		watch->raw_from = watch->at;
	}
	return 0;
}

long epoch_hand_out(struct tide_epoch *epoch, const struct runs *ready, size_t *at, struct tide_run *runs, size_t max)
{
	size_t nr = ready->v.nr - *at < max ? ready->v.nr - *at : max;

	if (nr > 0)
		memcpy(runs, &ready->v.items[*at], nr * sizeof(runs[0]));
	*at += nr;
	for (size_t i = 0; i < nr; i++) {
		uint64_t bytes = runs[i].end - runs[i].start;

		epoch->written_bytes += bytes;
		epoch->over_bytes += runs[i].certainty == TIDE_OVER ? bytes : 0;
		epoch->pinned_bytes += runs[i].certainty == TIDE_PINNED ? bytes : 0;
	}
	return (long)nr;
}

int watch_check_room(size_t max, struct tide_error *err)
{
	if (max >= MIN_RUNS)
		return 0;
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "room for at least %d runs is needed", MIN_RUNS);
}

long watch_collect(struct tide_watch *watch, struct tide_run *runs, size_t max, struct tide_error *err)
{
	uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	long nr = 0;

	if (!watch->in_epoch)
		nr = begin_epoch(watch, err);
	if (nr == 0 && watch->ready_at == watch->ready.v.nr)
		nr = fill(watch, err);
	if (nr == 0)
		nr = epoch_hand_out(&watch->now, &watch->ready, &watch->ready_at, runs, max);
	if (nr == 0)
		nr = watch_check_alive(watch, err);
	watch->now.cost_ns += sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (nr == 0)
		end_epoch(watch);
	return nr;
}

long tide_watch_collect(struct tide_watch *watch, struct tide_run *runs, size_t max, struct tide_error *err)
{
	struct tide_consumer *owner = &watch->consumers.owner;
	long nr = watch_check_room(max, err);

	if (nr < 0)
		return nr;
	if (watch->client != NULL)
		return client_collect(watch->client, runs, max, err);
	/* Alone, but the tracker is in an epoch that somebody else began, and failed to end. */
	if (consumers_are_several(&watch->consumers) || (watch->in_epoch && !watch->consumers.owner_is_half_way))
		return consumer_collect(owner, runs, max, err);
	nr = watch_collect(watch, runs, max, err);
	watch->consumers.owner_is_half_way = nr != 0;
	if (nr == 0) {
		owner->last = watch->last;
		owner->last.number = ++owner->now.number;
	}
	return nr;
}

const char *tide_watch_backend(const struct tide_watch *watch)
{
	return watch->client != NULL ? client_backend(watch->client) : watch->backend->name;
}

void tide_watch_epoch(const struct tide_watch *watch, struct tide_epoch *out)
{
	*out = watch->consumers.owner.last;
	if (watch->client != NULL)
		client_epoch(watch->client, out);
}

pid_t tide_watch_holder(const struct tide_watch *watch)
{
	return watch->client != NULL ? client_holder(watch->client) : 0;
}

const struct tide_layout *tide_watch_layout(const struct tide_watch *watch)
{
	return tide_target_layout(watch->target);
}
