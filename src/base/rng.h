/* SPDX-License-Identifier: MIT */
/* A small, seeded random source (xoshiro256**, seeded by splitmix64): same seed, same sequence, on every machine. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);

/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
