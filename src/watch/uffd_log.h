/* SPDX-License-Identifier: MIT */
/* How the files of watch_uffd_log fit together. */
#ifndef WATCH_UFFD_LOG_H
#define WATCH_UFFD_LOG_H

#include "base/intervals.h"
#include "target/target.h"
#include "watch/log.h"
#include "watch/merged.h"
#include "watch/uffd_async.h"

struct uffd_log {
	struct uffd_async async;
	struct tide_target *target;
	int uffd;
	struct log log;
	uint64_t nr_calls;   /* on the target's memory, that the tracker does not know of; since they were told */
	bool has_guards;     /* this kernel has guard regions */
	bool has_hole;       /* the list has, which was not said yet */
	uint64_t generation; /* of the layout that the sets know */
	struct intervals mapped;
	struct intervals listed;      /* mappings whose writes are listed; what else is tracked, is by async */
	struct merged merged;         /* by KSM: where we looked last */
	enum merged_state to_look;    /* ... and what must still be looked at for it */
	struct intervals mergeable;   /* by KSM, which has begun */
	struct intervals unwanted;    /* not to be listed, by the caller's wish */
	struct intervals written;     /* listed, and not collected yet */
	struct intervals unknown;     /* what is mapped there is not what was: its marks mean nothing */
	struct intervals overflowed;  /* may have been written, and is not protected */
	struct intervals leaving;     /* announced to be given up, and not seen to be */
	struct intervals left, older; /* seen to be, in this epoch and the last */
	struct intervals bare;        /* found without protection, at the last look for what was merged */
	VEC(struct interval) taken;
};

/* listed.c. Shall the writes of the mapping that holds `start` be listed, as it is now? */
bool uffd_log_wants(const struct uffd_log *self, uint64_t start);

/* uffd_log.c. Is `start` in a mapping whose writes are listed? */
bool uffd_log_is_listed(const struct uffd_log *self, uint64_t start);

/* Registers [start, end) to be listed, or by async; protects it. 0 or -errno, as of struct watch_backend. */
int uffd_log_track(struct uffd_log *self, bool as_list, uint64_t start, uint64_t end);
int uffd_log_protect(struct uffd_log *self, uint64_t start, uint64_t end);

/* Nothing is known of [start, end) any more, or of what is not in `mapped`. 0 or -ENOMEM. */
int uffd_log_forget(struct uffd_log *self, uint64_t start, uint64_t end);
int uffd_log_keep(struct uffd_log *self, const struct intervals *mapped);

/* uffd_log_drain.c. All that was written until now is in the sets. 0 or -errno: nothing is lost, ask again. */
int uffd_log_drain(struct uffd_log *self, const struct tide_layout *layout);

/* The same without a look at what was given up, and at new mappings. */
int uffd_log_take(struct uffd_log *self);

/* uffd_log_switch.c. As of struct watch_backend. */
int uffd_log_prefer(void *state, uint64_t start, uint64_t end, bool as_list);
int uffd_log_convert(void *state, uint64_t start, uint64_t end, const struct intervals *armed,
                     struct intervals *doubts);

#endif
