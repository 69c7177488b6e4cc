/* SPDX-License-Identifier: MIT */
/*
 * A shadow of the watched memory that proves a tracker's epochs: the hash of every page, taken anew after each epoch. A
 * page whose contents changed must have been reported, in this epoch or in the next; else its write was lost.
 *
 * Why the next one: contents are read after the collect, so a page that is written in between is seen changed here, and
 * reported by the collect that follows. A change is therefore suspected first and judged one epoch later:
 *
 *     collect k        shadow_note(W(k))   shadow_judge: suspected before, not in W(k), still mapped -> lost
 *                                          shadow_look:  changed, not in W(k)                        -> suspected
 *     collect k + 1    ...
 *
 * What it cannot find: a lost write to a page that was written again, and reported, within the same two epochs.
 */
#ifndef VERIFY_SHADOW_H
#define VERIFY_SHADOW_H

#include <tidemark/watch.h>

struct shadow;

struct shadow_counts {
	uint64_t nr_verified;      /* pages whose contents were read by the last look */
	uint64_t nr_suspected;     /* of them: changed, unreported so far */
	uint64_t nr_lost;          /* since the beginning */
	uint64_t unreadable_bytes; /* of the last look: mapped, but nobody may read it */
	uint64_t memory_bytes;     /* what the shadow takes up */
};

/*
 * `watch`, on `target`, watches `ranges` (nr 0: everything) and outlives the shadow; `ranges` are copied. 0, or LIMIT.
 */
TIDE_MUST_USE int shadow_new(struct shadow **out, struct tide_watch *watch, struct tide_target *target,
                             const struct tide_range *ranges, size_t nr_ranges, struct tide_error *err);
void shadow_free(struct shadow *shadow);

/* Takes down runs of the epoch that is being collected. 0, or LIMIT. */
TIDE_MUST_USE int shadow_note(struct shadow *shadow, const struct tide_run *runs, size_t nr, struct tide_error *err);

/*
 * When the epoch has been collected to its end, and before shadow_look(): the addresses of pages whose writes were
 * lost, ascending, valid until the next call of anything here. 0, or LIMIT.
 */
TIDE_MUST_USE int shadow_judge(struct shadow *shadow, const uint64_t **lost, size_t *nr, struct tide_error *err);

/*
 * Reads the contents of all that is there, and forgets the epoch's runs. The first look takes contents as they are.
 * Never makes a page present. 0, or negative: GONE; LIMIT.
 */
TIDE_MUST_USE int shadow_look(struct shadow *shadow, struct tide_error *err);

void shadow_count(const struct shadow *shadow, struct shadow_counts *out);

#endif
