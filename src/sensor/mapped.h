/* SPDX-License-Identifier: MIT */
/* Where a target has memory, as every sensor's `update` reports it. */
#ifndef SENSOR_MAPPED_H
#define SENSOR_MAPPED_H

#include <tidemark/target.h>

#include "base/vec.h"

/* Zeroed to begin with. */
struct mapped {
	VEC(struct tide_range) ranges; /* of the last update */
};

/* Reads the mappings again; neighbours make one range. `*out` is valid until the next update. 0 or negative. */
int mapped_update(struct mapped *mapped, struct tide_target *target, const struct tide_range **out, size_t *nr,
                  struct tide_error *err);
void mapped_fini(struct mapped *mapped);

#endif
