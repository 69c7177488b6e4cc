/* SPDX-License-Identifier: MIT */
/*
 * The kernel's DAMON through /sys/kernel/mm/damon (Documentation/admin-guide/mm/damon/usage.rst), used for one thing:
 * to test and clear the accessed bits of ranges of one process's memory, once, when told (operations "fvaddr", action
 * "stat", an operations-layer filter of type "young").
 *
 * These files are the whole machine's, and there is one set of them. So: they are claimed only while nobody uses
 * them, and given back as they were, with nr_kdamonds 0. Of several of ours a lock lets one in. A journal beside it
 * says that a claim is held; one that its holder did not live to give back is given back by the next claim. While DAMON
 * runs the kernel refuses to take it from us; while it is idle somebody else can, and then every call says -ENODEV.
 */
#ifndef KERNEL_DAMON_H
#define KERNEL_DAMON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* Virtual addresses, bytes, half-open, page-aligned. */
struct damon_range {
	uint64_t start;
	uint64_t end;
};

/* Why DAMON is not to be had. */
enum damon_user {
	DAMON_FREE = 0,
	DAMON_OURS,   /* another tidemark has claimed it */
	DAMON_OTHERS, /* somebody has set up kdamonds through sysfs */
	DAMON_MODULE, /* a kdamond runs that sysfs does not show: damon_stat, damon_reclaim or damon_lru_sort */
};

/* A claim. Zeroed descriptors mean nothing: damon_claim fills all of it in. */
struct damon {
	int lock;
	int dir;   /* .../kdamonds/0: stands for ours alone, also after another has taken its name */
	int state; /* the file `state` in it */
	VEC(struct damon_range) written; /* what regions/N say now */
};

/* What one application did. */
struct damon_applied {
	uint64_t tried_bytes; /* of address space; all that was asked for */
	uint64_t young_bytes; /* of it pages, counted by folios, that had been accessed and are old now */
};

/* Can this kernel's DAMON watch virtual addresses at all? Read from its symbols: 1, 0, or negative: it does not say. */
int damon_watches_processes(void);

/*
 * Claims DAMON; gives back first what a dead tidemark has left claimed. 0; -EBUSY with `user` set; -ENOENT: no DAMON,
 * or none with sysfs; -EACCES, -EPERM, -EROFS: not ours to write; other negatives. On failure nothing has changed.
 */
int damon_claim(struct damon *damon, enum damon_user *user);

/* Gives back. Only what damon_claim filled in. */
void damon_release(struct damon *damon);

/*
 * Points a fresh claim at a task, which may be any thread of its process. -EOPNOTSUPP: this DAMON has no such
 * operations or filters.
 */
int damon_aim(struct damon *damon, pid_t tid);

/*
 * Makes the young pages in `ranges` (ascending, disjoint, not adjacent to one another unless meant as two) old: each
 * range under one hold of the mmap lock in read mode. Returns when it is done and DAMON is at rest again. -EBUSY: DAMON
 * runs for a module; -ESRCH: the process ended meanwhile, or DAMON could not find it; -ENODEV: the claim was lost.
 */
int damon_apply(struct damon *damon, const struct damon_range *ranges, size_t nr, struct damon_applied *out);

/* Of damon_claim.c and damon.c, for each other. Files are below `dir`; numbers are decimal. */
int damon_write(int dir, const char *path, const char *text);
int damon_write_number(int dir, const char *path, uint64_t number);
int damon_read_number(int dir, const char *path, uint64_t *out);
int damon_command(int state, const char *command);

enum {
	DAMON_MARK_US = 3599917, /* the update interval that marks a kdamond as ours; it is never reached */
};

#endif
