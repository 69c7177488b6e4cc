/* SPDX-License-Identifier: MIT */
/* This file holds two trackers to test the oracle with: one that cannot lose a write, one that must. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "proc.h"
#include "tracker.h"

struct simple {
	struct proc proc;
	int uffd;
	struct vmas vmas; /* all: of this epoch; naive: armed at the beginning */
	size_t next;      /* mapping */
	uint64_t at;      /* naive: next address in it, 0 its start */
	struct tide_epoch epoch;
	struct tide_epoch now;
};

static struct simple *simple_new(const struct rig *rig)
{
	struct simple *simple = calloc(1, sizeof(*simple));

	if (simple == NULL)
		exit(2);
	proc_open(&simple->proc, rig->pid);
	simple->uffd = -1;
	return simple;
}

static void add(struct simple *simple, struct tide_run *run, uint64_t start, uint64_t end, uint32_t certainty)
{
	*run = (struct tide_run){ .start = start, .end = end, .certainty = certainty };
	simple->now.written_bytes += end - start;
	simple->now.over_bytes += certainty == TIDE_OVER ? end - start : 0;
}

static long finish(struct simple *simple)
{
	simple->now.number = simple->epoch.number + 1;
	simple->epoch = simple->now;
	simple->now = (struct tide_epoch){ 0 };
	simple->next = 0;
	return 0;
}

static void *all_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	return simple_new(rig);
}

static long all_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	struct simple *simple = tracker;
	size_t nr = 0;

	if (simple->next == 0)
		proc_vmas(&simple->proc, &simple->vmas);
	for (; nr < max && simple->next < simple->vmas.nr; simple->next++) {
		const struct vma *vma = &simple->vmas.vma[simple->next];

		if (strcmp(vma->name, "[vsyscall]") != 0)
			add(simple, &runs[nr++], vma->start, vma->end, TIDE_OVER);
	}
	return nr > 0 ? (long)nr : finish(simple);
}

/* Registers and protects what is mapped now, and nothing ever after. */
static void *naive_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	struct simple *simple = simple_new(rig);
	struct vmas *vmas = &simple->vmas;
	int pidfd = sys_pidfd_open(rig->pid);
	size_t nr = 0;

	simple->uffd = sys_pidfd_getfd(pidfd, rig->hello.uffd);
	sys_close(pidfd);
	if (uffd_api(simple->uffd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED) != 0)
		exit(2);
	proc_vmas(&simple->proc, vmas);
	for (size_t i = 0; i < vmas->nr; i++) {
		struct vma *vma = &vmas->vma[i];

		if (vma->special || uffd_register(simple->uffd, vma->start, vma->end) != 0)
			continue;
		uffd_protect(simple->uffd, vma->start, vma->end);
		vmas->vma[nr++] = *vma;
	}
	vmas->nr = nr;
	return simple;
}

static long naive_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	struct simple *simple = tracker;
	struct pagescan_region regions[64];
	long nr = 0;

	for (; nr == 0 && simple->next < simple->vmas.nr; simple->next += simple->at == 0) {
		const struct vma *vma = &simple->vmas.vma[simple->next];
		struct pagescan scan = {
			.start = simple->at > 0 ? simple->at : vma->start,
			.end = vma->end,
			.flags = PAGESCAN_REARM,
			.all_of = PAGESCAN_WRITTEN,
			.returned = PAGESCAN_WRITTEN,
		};

		nr = pagescan(simple->proc.pagemap, &scan, regions, max < 64 ? max : 64);
		simple->at = nr < 0 || scan.next >= scan.end ? 0 : scan.next;
		nr = nr < 0 ? 0 : nr;
	}
	for (long i = 0; i < nr; i++)
		add(simple, &runs[i], regions[i].start, regions[i].end, TIDE_EXACT);
	return nr > 0 ? nr : finish(simple);
}

static void simple_epoch(void *tracker, struct tide_epoch *out)
{
	*out = ((struct simple *)tracker)->epoch;
}

static void simple_close(void *tracker)
{
	struct simple *simple = tracker;

	proc_close(&simple->proc);
	sys_close(simple->uffd);
	free(simple);
}

const struct tracker_ops tracker_all = {
	.name = "all",
	.open = all_open,
	.collect = all_collect,
	.epoch = simple_epoch,
	.close = simple_close,
};

const struct tracker_ops tracker_naive = {
	.name = "naive",
	.own_uffd = true,
	.open = naive_open,
	.collect = naive_collect,
	.epoch = simple_epoch,
	.close = simple_close,
};
