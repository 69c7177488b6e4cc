/* SPDX-License-Identifier: MIT */
/* Fixed reads of io_uring into the areas marked AREA_RING: devices that write to pinned pages. */
#ifndef TESTS_TORTURE_RING_H
#define TESTS_TORTURE_RING_H

#include "mutator.h"

/* Makes the ring; without io_uring m->ring stays NULL, and nothing else here may be called. */
void ring_open(struct mutator *m);

void ring_register(struct mutator *m);
void ring_unregister(struct mutator *m);
bool ring_registered(const struct mutator *m);

/* Reads `size` bytes of `fd`, from its start, to `at` in a registered area, and waits for it. */
void ring_read_fixed(struct mutator *m, int fd, void *at, size_t size, bool async);

#endif
