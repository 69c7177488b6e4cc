/* SPDX-License-Identifier: MIT */
/* The walk sensor's state, shared by its files. */
#ifndef SENSOR_WALK_H
#define SENSOR_WALK_H

#include <tidemark/sensor.h>

#include "base/vec.h"
#include "pages/walker.h"
#include "sensor/canary.h"
#include "sensor/cold.h"
#include "sensor/witness.h"

struct walk_state {
	struct tide_target *target;
	struct walker *walker;
	struct cold cold;
	struct canaries canaries;
	uint64_t nr_cleared;
	VEC(struct tide_range) ranges; /* of the last update */
	VEC(struct witness) witnesses; /* of the chunk of checks at hand */
	VEC(struct tide_range) folios; /* to clear in this chunk, ascending, disjoint */
	VEC(uint32_t) sample_of;       /* check -> walker sample */
	VEC(uint32_t) folio_of;        /* witness -> folio */
	VEC(bool) failed;
};

extern const struct tide_sensor_ops sensor_walk;

int walk_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
/* Extends what the first look found to clear by what the checks allow along. */
int walk_extend(struct walk_state *walk, const struct tide_check *checks, size_t nr, struct tide_error *err);
int walk_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
/* walk_check, then walk_prepare: in one run of the walker where both fit into it. */
int walk_turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
              struct tide_error *err);
int walk_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
              uint64_t *next, struct tide_error *err);
int walk_probe(struct tide_error *why);

#endif
