/* SPDX-License-Identifier: MIT */
/* The walk sensor's state, shared by its files. */
#ifndef SENSOR_WALK_H
#define SENSOR_WALK_H

#include <tidemark/sensor.h>

#include "base/vec.h"
#include "pages/walker.h"
#include "sensor/canary.h"
#include "sensor/cold.h"
#include "sensor/mapped.h"
#include "sensor/way_damon.h"
#include "sensor/witness.h"
#include "sensor/young_runs.h"

/* What the folios of a range carry, of the flags that a second look goes by. */
struct walk_known {
	uint64_t start;
	uint64_t end;
	uint64_t flags;
};
typedef VEC(struct walk_known) walk_knowns;

/* Of the way "damon". */
struct walk_damon {
	struct way_damon *way; /* NULL: not claimed */
	bool refused;
	struct tide_error why; /* it was refused */
	bool by_name;          /* the pass under way is not to take another way instead */
	bool is_noting;        /* walk_scan notes what it scans */
	struct mapped mapped;
	VEC(struct tide_range) scanned; /* in the pass under way */
	VEC(struct tide_range) clear;   /* of these, what is mapped */
	young_runs young;               /* that the pass under way saw */
	young_runs left;                /* what is young still after the clear */
	walk_knowns looked;             /* old pages that were not idle all the same, in the pass under way */
	walk_knowns known;              /* of the last pass, as it left them */
};

/* Of exact mode. */
struct walk_exact {
	uint64_t began_ns;      /* the pass under way */
	uint64_t nr_present;    /* entries in the last one */
	uint64_t nr_clearable;  /* of the pass under way: stuck entries that clear_refs would clear */
	uint64_t nr_unseen;     /* the same of the last cold one */
	enum tide_way way;      /* of the pass under way */
	enum tide_way last_way; /* of the one before, which second looks are about */
	struct walk_damon damon;
	uint64_t entry_ns;   /* of clear_refs, as last measured; 0: not yet */
	uint64_t nr_scanned; /* by reclaim, on the whole machine */
	bool has_scans;
	struct tide_sensor_cost cost; /* of the ways it has cleared in */
	VEC(uint64_t) addrs;          /* of the entries at hand */
};

struct walk_state {
	struct tide_target *target;
	struct walker *walker;
	struct cold cold;
	struct canaries canaries;
	uint64_t nr_cleared;
	struct mapped mapped;
	VEC(struct witness) witnesses; /* of the chunk of checks at hand */
	VEC(struct tide_range) folios; /* to clear in this chunk, ascending, disjoint */
	VEC(uint32_t) sample_of;       /* check -> walker sample */
	VEC(uint32_t) folio_of;        /* witness -> folio */
	VEC(bool) failed;
	struct walk_exact exact;
};

extern const struct tide_sensor_ops sensor_walk;

int walk_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
/* Extends what the first look found to clear by what the checks allow along. */
int walk_extend(struct walk_state *walk, const struct tide_check *checks, size_t nr, struct tide_error *err);

/* Room for `nr` checks at once. */
int walk_reserve(struct walk_state *walk, size_t nr, struct tide_error *err);

/*
 * Clears what the first `nr` witnesses want cleared, and tells them what became of it. At most `max_verified` pages are
 * looked at to see that large folios are whole; beyond that they count as partial.
 */
int walk_clear(struct walk_state *walk, size_t nr, uint64_t max_verified, struct tide_error *err);

int walk_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
/* walk_check, then walk_prepare: in one run of the walker where both fit into it. */
int walk_turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
              struct tide_error *err);
int walk_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
              uint64_t *next, struct tide_error *err);
int walk_plan(void *state, struct tide_pass *pass, struct tide_error *err);
int walk_second_look(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int walk_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
                struct tide_error *err);
int walk_forget_all(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err);

/* walk_damon.c. 0: DAMON is claimed, and fast enough for this pass; negative: the reason. */
int walk_damon_ready(struct walk_state *walk, const struct tide_pass *pass, struct tide_error *err);
/* The ends of forget_all and of the state. */
int walk_damon_forget(struct walk_state *walk, tide_stuck_fn *stuck, void *arg, struct tide_error *err);
void walk_damon_fini(struct walk_damon *damon);
/* The young entries of a block, as runs. 0 or -ENOMEM. */
int walk_damon_add_runs(young_runs *runs, const struct tide_block *block);

/* walk_known.c: a pass begins, after one by `last_way`. */
void walk_known_turn(struct walk_damon *damon, enum tide_way last_way, const struct walker_facts *facts);
/* A pass by DAMON ends: what it found young, or looked at, is as it left it. */
int walk_known_take(struct walk_state *walk, struct tide_error *err);
/* What the last pass left at the page at `addr`, which is old now. */
void walk_known_expect(const struct walk_exact *exact, uint64_t addr, const struct walker_facts *facts,
                       struct witness *witness);
/* A second look found that this page was not, or perhaps not, idle. 0 or -ENOMEM. */
int walk_known_looked(struct walk_exact *exact, const struct walker_sample *sample, const struct walker_facts *facts,
                      const struct tide_check *check);

int walk_probe(struct tide_error *why);

#endif
