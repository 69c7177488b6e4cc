/* SPDX-License-Identifier: MIT */
/*
 * The judge: a mirror of the mutator's memory that is made only from what a tracker reported. While the mutator is held
 * still and the tracker has said all, memory and mirror must be the same; a difference is a lost write.
 */
#ifndef TESTS_TORTURE_ORACLE_H
#define TESTS_TORTURE_ORACLE_H

#include "mirror.h"
#include "rig.h"
#include "tracker.h"

struct score {
	uint64_t nr_cases;
	uint64_t nr_ops;
	uint64_t nr_refused;
	uint64_t nr_epochs;
	uint64_t nr_collects;
	uint64_t reported; /* pages */
	uint64_t over;     /* of them */
	uint64_t pinned;   /* of them */
	uint64_t invented; /* of them: in memory that is never written */
	uint64_t compared; /* pages */
	uint64_t lost;     /* of them */
	uint64_t broken;   /* promises of the interface that were not kept */
};

struct oracle {
	const struct rig *rig;
	const struct tracker_ops *ops;
	void *tracker;
	const struct tide_range *ranges; /* NULL: everything is watched */
	size_t nr_ranges;
	bool silent; /* lost writes are expected: count them only */
	struct proc proc;
	struct vmas *vmas; /* when the epoch under way began */
	struct mirror mirror;
	struct score score;
	/* The epoch under way: */
	uint64_t end; /* of its last run */
	struct tide_epoch sum;
	uint64_t nr_epochs;
	uint64_t generation; /* of the layout that the mirror follows */
};

/* Opens the tracker, then copies everything once. 0 or negative with `err`. */
int oracle_init(struct oracle *oracle, const struct rig *rig, const struct tracker_ops *ops,
                const struct tracker_opts *opts, struct tide_error *err);
void oracle_fini(struct oracle *oracle);

/* One call of collect, and copies what it returned. Returns whether the epoch goes on. */
bool oracle_collect(struct oracle *oracle, size_t max);

/* The mutator is held still: ends the epoch, makes one more, compares. Returns the number of lost pages. */
uint64_t oracle_judge(struct oracle *oracle, size_t max);

/* compare.c */
uint64_t oracle_compare(struct oracle *oracle);
bool oracle_watches(const struct oracle *oracle, uint64_t address);

#endif
