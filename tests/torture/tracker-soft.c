/* SPDX-License-Identifier: MIT */
/* This file is another's tracker: it reads and clears soft-dirty, as checkpointers do, beside whoever else tracks. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "mirror.h"
#include "tracker.h"

enum {
	BATCH = 512,
};

struct soft {
	const struct rig *rig;
	struct proc proc;
	struct vmas vmas;
	struct tide_run *runs; /* of this epoch */
	size_t nr_runs;
	size_t next;
	bool in_epoch;
	struct tide_epoch epoch;
	struct tide_epoch now;
};

static bool clear(pid_t pid)
{
	char path[40];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, "4", 1) == 1;
	close(fd);
	return good;
}

bool tracker_soft_works(void)
{
	volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t clean = 0;
	uint64_t written = 0;
	struct proc proc;

	proc_open(&proc, getpid());
	*page = 1;
	if (clear(getpid())) {
		proc_pagemap(&proc, (uint64_t)(uintptr_t)page, 1, &clean);
		*page = 2;
		proc_pagemap(&proc, (uint64_t)(uintptr_t)page, 1, &written);
	}
	proc_close(&proc);
	munmap((void *)page, PAGE);
	return (clean & PAGEMAP_SOFT_DIRTY) == 0 && (written & PAGEMAP_SOFT_DIRTY) != 0;
}

/* None is exact: the kernel also marks pages that it moves, or brings back from swap. */
static void add(struct soft *soft, uint64_t page)
{
	struct tide_run *last = soft->nr_runs > 0 ? &soft->runs[soft->nr_runs - 1] : NULL;

	soft->now.written_bytes += PAGE;
	soft->now.over_bytes += PAGE;
	if (last != NULL && last->end == page) {
		last->end += PAGE;
		return;
	}
	soft->runs = realloc(soft->runs, (soft->nr_runs + 1) * sizeof(*soft->runs));
	if (soft->runs == NULL)
		exit(2);
	soft->runs[soft->nr_runs++] = (struct tide_run){ .start = page, .end = page + PAGE, .certainty = TIDE_OVER };
}

/* The mutator must stand still between the reading and the clearing, or what it writes there is lost. */
static void gather(struct soft *soft)
{
	uint64_t entries[BATCH];

	proc_vmas(&soft->proc, &soft->vmas);
	for (size_t i = 0; i < soft->vmas.nr; i++) {
		const struct vma *vma = &soft->vmas.vma[i];

		for (uint64_t at = vma->start; !vma->special && at < vma->end; at += BATCH * PAGE) {
			size_t nr = (size_t)((vma->end - at) / PAGE < BATCH ? (vma->end - at) / PAGE : BATCH);

			long got = pagemap_read(soft->proc.pagemap, at, entries, nr);

			for (long k = 0; k < got; k++)
				if ((entries[k] & PAGEMAP_SOFT_DIRTY) != 0)
					add(soft, at + (size_t)k * PAGE);
		}
	}
	clear(soft->rig->pid);
}

static void *soft_open(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	struct soft *soft = calloc(1, sizeof(*soft));

	if (soft == NULL)
		exit(2);
	soft->rig = rig;
	proc_open(&soft->proc, rig->pid);
	clear(rig->pid);
	return soft;
}

static long soft_collect(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err)
{
	struct soft *soft = tracker;
	size_t nr;

	if (!soft->in_epoch)
		gather(soft);
	soft->in_epoch = true;
	nr = soft->nr_runs - soft->next < max ? soft->nr_runs - soft->next : max;
	memcpy(runs, soft->runs + soft->next, nr * sizeof(*runs));
	soft->next += nr;
	if (nr > 0)
		return (long)nr;
	soft->now.number = soft->epoch.number + 1;
	soft->epoch = soft->now;
	soft->now = (struct tide_epoch){ 0 };
	soft->in_epoch = false;
	soft->nr_runs = soft->next = 0;
	return 0;
}

static void soft_epoch(void *tracker, struct tide_epoch *out)
{
	*out = ((struct soft *)tracker)->epoch;
}

static void soft_close(void *tracker)
{
	struct soft *soft = tracker;

	proc_close(&soft->proc);
	free(soft->runs);
	free(soft);
}

const struct tracker_ops tracker_soft = {
	.name = "soft-dirty",
	.held_only = true,
	.open = soft_open,
	.collect = soft_collect,
	.epoch = soft_epoch,
	.close = soft_close,
};
