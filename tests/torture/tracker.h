/* SPDX-License-Identifier: MIT */
/* What is put to the torture: tidemark's tracker, or one whose faults are known. */
#ifndef TESTS_TORTURE_TRACKER_H
#define TESTS_TORTURE_TRACKER_H

#include <tidemark/watch.h>

#include "rig.h"

struct tracker_opts {
	const char *pins; /* "walker", "fdinfo", "none"; "early": pins-early.h */
	const struct tide_range *ranges;
	size_t nr_ranges;
	uint32_t arm_holes;
};

/* As the calls of tidemark/watch.h that they stand for. */
struct tracker_ops {
	const char *name;
	bool own_uffd;     /* the mutator is to make a userfaultfd */
	bool takes_ranges; /* can watch parts */
	bool held_only;    /* an epoch may begin only while the mutator is held still */
	void *(*open)(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err);
	long (*collect)(void *tracker, struct tide_run *runs, size_t max, struct tide_error *err);
	void (*epoch)(void *tracker, struct tide_epoch *out);
	const struct tide_layout *(*layout)(void *tracker); /* NULL: does not say */
	void (*close)(void *tracker);
};

extern const struct tracker_ops tracker_watch;        /* tidemark's, with the best backend */
extern const struct tracker_ops tracker_watch_list;   /* with uffd_log */
extern const struct tracker_ops tracker_watch_switch; /* from that to uffd_async and back, every 100 ms */
extern const struct tracker_ops tracker_watch_soft;   /* with soft_dirty */
extern const struct tracker_ops tracker_all;          /* says of everything that it was written */
extern const struct tracker_ops tracker_naive;        /* arms once, sees neither new mappings nor devices */
extern const struct tracker_ops tracker_soft;         /* another's, by soft-dirty */

/* Whether this kernel has soft-dirty; without it, clearing succeeds and nothing is ever reported. */
bool tracker_soft_works(void);

#endif
