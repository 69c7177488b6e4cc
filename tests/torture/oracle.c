/* SPDX-License-Identifier: MIT */
/* This file drives a tracker, believes it, and holds it to what its header promises. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_RUNS = 4096,
	MAX_ERRORS = 100,
	MAX_TOLD = 8, /* broken promises of a case */
};

static void broken(struct oracle *oracle, const char *promise, uint64_t one, uint64_t other)
{
	if (oracle->score.broken++ < MAX_TOLD)
		fprintf(stderr, "promise not kept: %s (0x%lx, 0x%lx)\n", promise, one, other);
}

int oracle_init(struct oracle *oracle, const struct rig *rig, const struct tracker_ops *ops,
                const struct tracker_opts *opts, struct tide_error *err)
{
	struct vmas *vmas = malloc(sizeof(*vmas));

	*oracle = (struct oracle){
		.rig = rig,
		.ops = ops,
		.ranges = opts->ranges,
		.nr_ranges = opts->nr_ranges,
		.vmas = vmas,
	};
	if (vmas == NULL)
		exit(2);
	oracle->tracker = ops->open(rig, opts, err);
	if (oracle->tracker == NULL)
		return err->code;
	proc_open(&oracle->proc, rig->pid);
	proc_vmas(&oracle->proc, vmas);
	for (size_t i = 0; i < vmas->nr; i++)
		if (!vmas->vma[i].special)
			mirror_take(&oracle->mirror, &oracle->proc, vmas, vmas->vma[i].start, vmas->vma[i].end,
			            &(struct mirror_copy){ 0 });
	return 0;
}

void oracle_fini(struct oracle *oracle)
{
	free(oracle->vmas);
	if (oracle->tracker == NULL)
		return;
	oracle->ops->close(oracle->tracker);
	proc_close(&oracle->proc);
	mirror_free(&oracle->mirror);
}

static uint64_t overlap(const struct tide_run *run, uint64_t start, uint64_t end)
{
	uint64_t from = run->start > start ? run->start : start;
	uint64_t to = run->end < end ? run->end : end;

	return to > from ? (to - from) / PAGE : 0;
}

static void check_run(struct oracle *oracle, const struct tide_run *run)
{
	if (run->start >= run->end || ((run->start | run->end) & (PAGE - 1)) != 0)
		broken(oracle, "a run is whole pages", run->start, run->end);
	if (run->start < oracle->end)
		broken(oracle, "runs ascend and do not overlap", oracle->end, run->start);
	if (run->certainty > TIDE_PINNED || run->why >= TIDE_NR_WHYS || (run->certainty == TIDE_EXACT && run->why != 0))
		broken(oracle, "a run has a certainty, and a reason if it is not exact", run->certainty, run->why);
	if (!oracle_watches(oracle, run->start) || !oracle_watches(oracle, run->end - PAGE))
		broken(oracle, "a run lies in the ranges that were asked for", run->start, run->end);
	oracle->end = run->end;
}

static void take(struct oracle *oracle, const struct tide_run *run)
{
	struct score *score = &oracle->score;
	uint64_t nr = (run->end - run->start) / PAGE;

	uint64_t invented = overlap(run, oracle->rig->hello.quiet_start, oracle->rig->hello.quiet_end);

	check_run(oracle, run);
	if (invented > 0 && run->certainty == TIDE_EXACT)
		broken(oracle, "an exact run was written", run->start, run->end);
	score->reported += nr;
	score->over += run->certainty == TIDE_OVER ? nr : 0;
	score->pinned += run->certainty == TIDE_PINNED ? nr : 0;
	score->invented += invented;
	oracle->sum.written_bytes += run->end - run->start;
	oracle->sum.over_bytes += run->certainty == TIDE_OVER ? run->end - run->start : 0;
	oracle->sum.pinned_bytes += run->certainty == TIDE_PINNED ? run->end - run->start : 0;
	mirror_take(&oracle->mirror, &oracle->proc, oracle->vmas, run->start, run->end,
	            &(struct mirror_copy){ oracle->nr_epochs + 1, run->certainty, run->why, run->start, false });
}

static bool is_mapped(const void *layout, uint64_t address)
{
	return tide_layout_find(layout, address) != NULL;
}

/* What was not mapped at a collect is gone; what is mapped there later begins with zeros, and is reported when written.
 */
static void follow_layout(struct oracle *oracle)
{
	const struct tide_layout *layout = oracle->ops->layout != NULL ? oracle->ops->layout(oracle->tracker) : NULL;

	if (layout == NULL || layout->generation == oracle->generation)
		return;
	oracle->generation = layout->generation;
	mirror_keep(&oracle->mirror, is_mapped, layout);
}

static bool is_there(const void *arg, uint64_t address)
{
	const struct oracle *oracle = arg;
	uint64_t entry;

	if (vmas_share(oracle->vmas, address))
		return true;
	proc_pagemap(&oracle->proc, address, 1, &entry);
	return proc_there(entry);
}

static void end_epoch(struct oracle *oracle)
{
	struct tide_epoch epoch;

	oracle->ops->epoch(oracle->tracker, &epoch);
	oracle->score.nr_epochs++;
	if (epoch.number != ++oracle->nr_epochs)
		broken(oracle, "epochs are counted from 1", oracle->nr_epochs, epoch.number);
	if (epoch.written_bytes != oracle->sum.written_bytes)
		broken(oracle, "written_bytes is all runs", oracle->sum.written_bytes, epoch.written_bytes);
	if (epoch.over_bytes != oracle->sum.over_bytes)
		broken(oracle, "over_bytes is its part", oracle->sum.over_bytes, epoch.over_bytes);
	if (epoch.pinned_bytes != oracle->sum.pinned_bytes)
		broken(oracle, "pinned_bytes is its part", oracle->sum.pinned_bytes, epoch.pinned_bytes);
	follow_layout(oracle);
	proc_vmas(&oracle->proc, oracle->vmas);
	/* As tide_watch_open() asks of those who begin with a copy of everything; shared pages are others' to keep. */
	if (oracle->nr_epochs == 1)
		mirror_keep(&oracle->mirror, is_there, oracle);
	oracle->sum = (struct tide_epoch){ 0 };
	oracle->end = 0;
}

bool oracle_collect(struct oracle *oracle, size_t max)
{
	static struct tide_run runs[MAX_RUNS];
	struct tide_error err = { 0 };
	long nr = oracle->ops->collect(oracle->tracker, runs, max, &err);

	oracle->score.nr_collects++;
	if (nr < 0) {
		fprintf(stderr, "collect: %s\n", err.text);
		if (err.cause == TIDE_CAUSE_GONE)
			rig_autopsy(oracle->rig);
		if (++oracle->score.broken > MAX_ERRORS)
			exit(1);
		return true;
	}
	if (nr > (long)max)
		broken(oracle, "at most max runs", (uint64_t)nr, max);
	for (long i = 0; i < nr; i++)
		take(oracle, &runs[i]);
	if (nr == 0)
		end_epoch(oracle);
	return nr > 0;
}

uint64_t oracle_judge(struct oracle *oracle, size_t max)
{
	for (unsigned i = 0; i < 2; i++)
		while (oracle_collect(oracle, max))
			;
	return oracle_compare(oracle);
}
