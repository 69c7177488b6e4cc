/* SPDX-License-Identifier: MIT */
/* How the files of soft-dirty tracking fit together. */
#ifndef WATCH_SOFT_DIRTY_H
#define WATCH_SOFT_DIRTY_H

#include "base/intervals.h"
#include "watch/backend.h"

enum {
	SOFT_NR_WHYS = 7,
};

/* soft_pending.c: what was found and not collected yet, by its reason. All zero: nothing. */
struct soft_pending {
	struct intervals of[SOFT_NR_WHYS];
};

/* Adds [start, end). 0 or -ENOMEM. */
int soft_pend(struct soft_pending *pending, enum tide_why why, uint64_t start, uint64_t end);

/* Adds all of `set`. 0 or -ENOMEM: a part of it may have been added. */
int soft_pend_all_of(struct soft_pending *pending, enum tide_why why, const struct intervals *set);

/* Room for soft_pend_all(). */
int soft_pend_reserve(struct soft_pending *pending);

/* All there is may have been written. Cannot fail. */
void soft_pend_all(struct soft_pending *pending);

/* The strongest reason of each page in [start, end), as the backend's collect() does; nothing is taken out. */
long soft_pending_read(const struct soft_pending *pending, uint64_t start, uint64_t end, uint64_t max_pages,
                       struct pagescan_region *runs, size_t nr, uint64_t *next);

/* Takes [start, end) out. 0 or -ENOMEM. */
int soft_pending_drop(struct soft_pending *pending, uint64_t start, uint64_t end);

/* Takes out what is not in `keep`. 0 or -ENOMEM. */
int soft_pending_keep(struct soft_pending *pending, const struct intervals *keep);

/* Adds what `from` has in [start, end). 0 or -ENOMEM. */
int soft_pending_copy(struct soft_pending *to, const struct soft_pending *from, uint64_t start, uint64_t end);
void soft_pending_fini(struct soft_pending *pending);

/* soft_clear.c: what the machine had counted before bits were read. */
struct soft_clear {
	bool is_known;
	uint64_t nr_replaced;
};

/* Before bits are read that soft_clear() clears; the target stands still from then on. */
void soft_clear_prepare(struct soft_clear *clear);

/* 0; 1: what was marked since it was prepared may be among what was cleared; or negative, and nothing is cleared. */
int soft_clear(const struct soft_clear *clear, struct tide_target *target, struct tide_error *err);

/* soft_probe.c. 1, 0 with the reason, negative. */
int soft_dirty_probe(struct tide_error *why);

#endif
