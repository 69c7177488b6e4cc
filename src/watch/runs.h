/* SPDX-License-Identifier: MIT */
/* Lists of runs: ascending, not overlapping. */
#ifndef WATCH_RUNS_H
#define WATCH_RUNS_H

#include <tidemark/watch.h>

#include "base/vec.h"

struct runs {
	VEC(struct tide_run) v;
};

/* Appends [start, end) above what is there; neighbours of one kind become one run. 0 or -ENOMEM. */
int runs_push(struct runs *runs, uint64_t start, uint64_t end, enum tide_certainty certainty, enum tide_why why);

/* Appends to `out` the runs of `in` with [page runs of] `over` laid upon them; both ascending, `in` may have gaps. */
int runs_overlay(struct runs *out, const struct runs *in, const struct runs *over);

/*
 * Appends to `out` what one or the other has. Of a page that both have, what says more: pinned, it may be written at
 * any time; then that it was written; then that it may have been.
 */
int runs_unite(struct runs *out, const struct runs *one, const struct runs *other);

#endif
