/* SPDX-License-Identifier: MIT */
/*
 * Several consumers of one watch. The tracker has one epoch for all of them; what it finds when one of them collects is
 * kept for the others until they do.
 */
#ifndef WATCH_CONSUMER_H
#define WATCH_CONSUMER_H

#include <stdbool.h>

#include <tidemark/watch.h>

#include "base/vec.h"
#include "watch/runs.h"

struct tide_consumer {
	struct tide_watch *watch; /* NULL: not in use */
	struct runs pending;      /* found since its last epoch */
	bool has_hole;            /* there was no memory for some of it: all is doubtful */
	bool in_epoch;
	struct runs ready; /* to be returned, from ready_at on */
	size_t ready_at;
	struct tide_epoch now, last;
};

/* The watch's own consumer, and the others. All zero: there are no others. */
struct consumers {
	struct tide_consumer owner;
	bool owner_is_half_way; /* alone, through the tracker's own epoch */
	VEC(struct tide_consumer *) others;
};

/* Must the watch's own consumer collect as one of several? */
bool consumers_are_several(const struct consumers *consumers);

/* As tide_watch_collect(), for one of several. */
long consumer_collect(struct tide_consumer *consumer, struct tide_run *runs, size_t max, struct tide_error *err);

void consumers_fini(struct consumers *consumers);

#endif
