/* SPDX-License-Identifier: MIT */
/*
 * Canaries: a few young pages that we leave alone. When one of them turns old, somebody else clears accessed bits by
 * the dozen and leaves no witness (clear_refs does), and no page that is old now can be called idle.
 */
#ifndef SENSOR_CANARY_H
#define SENSOR_CANARY_H

#include <tidemark/target.h>

#include "bpf/walker.h"

#define NR_CANARIES 8

struct canary {
	uint64_t addr;
	uint64_t pfn; /* 0: a candidate, not seen young yet */
	uint64_t folio_flags;
};

/* Ascending by address. */
struct canaries {
	struct canary items[NR_CANARIES];
	unsigned nr;
	uint16_t nr_alarms; /* grows with each canary found dead; wraps */
};

/* A page to try, taken in order of address; ignored when there are enough. */
void canary_add(struct canaries *canaries, uint64_t addr);
void canary_drop(struct canaries *canaries, unsigned index);

/* Those in a range that we are clearing ourselves. */
void canary_drop_range(struct canaries *canaries, const struct tide_range *range);

/* Judges a new look at canary `index`; 1 when it is still there, 0 when it was dropped (and the next took its index).
 */
int canary_look(struct canaries *canaries, unsigned index, const struct walker_sample *sample,
                const struct walker_facts *facts);

#endif
