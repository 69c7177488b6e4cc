/* SPDX-License-Identifier: MIT */
/* The ranges that a target has registered with io_uring: pinned, whatever its page tables say. */
#ifndef WATCH_REGISTERED_H
#define WATCH_REGISTERED_H

#include <tidemark/target.h>

#include "base/vec.h"

/* Zeroed to begin with. */
struct registered {
	VEC(struct tide_range) ranges; /* ascending, apart from each other */
	uint64_t read_at_ns;
	uint64_t cost_ns; /* of the last reading */
	size_t nr_descriptors;
};

/*
 * Reads the list anew. With many descriptors open that takes long: beyond 256 of them it is read again after sixteen
 * times as long only, and stays as it was meanwhile. What a busy ring does not show stays as it was, too: what is there
 * may be unregistered, what is not may be pinned already. Errors: GONE; DENIED; LIMIT.
 */
int registered_read(struct registered *registered, struct tide_target *target, struct tide_error *err);
void registered_fini(struct registered *registered);

#endif
