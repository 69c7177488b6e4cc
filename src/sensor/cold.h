/* SPDX-License-Identifier: MIT */
/* Clearing accessed bits in another process: process_madvise(MADV_COLD), in pieces that hold its mmap lock shortly. */
#ifndef SENSOR_COLD_H
#define SENSOR_COLD_H

#include <stdbool.h>

#include <tidemark/target.h>

struct cold {
	size_t batch; /* ranges in one call, adapted to what a call takes */
	uint64_t nr_calls;
	uint64_t longest_ns;
};

/*
 * Clears the accessed bits of `ranges`, each of which lies in one VMA and covers whole folios. `failed[i]` tells which
 * were refused (perhaps half done). Errors: DENIED without CAP_SYS_NICE; else 0, whatever was refused.
 */
int cold_clear(struct cold *cold, int pidfd, const struct tide_range *ranges, size_t nr, bool *failed,
               struct tide_error *err);

#endif
