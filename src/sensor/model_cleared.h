/* SPDX-License-Identifier: MIT */
/*
 * Pages whose accessed bits were cleared, and when: the only thing that is kept of a page in virtual time. Of at most
 * CLEARED_MAX pages: when it is full all is forgotten, and what is populated counts as accessed again.
 */
#ifndef SENSOR_MODEL_CLEARED_H
#define SENSOR_MODEL_CLEARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

#define CLEARED_MAX (1u << 21) /* 48 MiB */

struct cleared_page {
	uint64_t addr;
	uint64_t at_ns;
	uint32_t next; /* in the same chain: index + 1; 0: the last */
};

/*
 * The pages of a group are in one chain, so that what was cleared of it is found without asking for each page. Larger
 * groups make scans of what was never cleared faster, smaller ones all the rest.
 */
#define CLEARED_GROUP_SHIFT 4u /* log2 of the pages in one */

struct cleared {
	uint32_t *heads; /* index + 1; NULL: nothing yet */
	VEC(struct cleared_page) pages;
};

void cleared_fini(struct cleared *cleared);

/* The page at `addr`, of `group`, is cleared now. 0 or -ENOMEM. */
int cleared_note(struct cleared *cleared, uint64_t group, uint64_t addr, uint64_t now_ns);

/* The page's entry, NULL when it was never cleared. */
struct cleared_page *cleared_find(const struct cleared *cleared, uint64_t group, uint64_t addr);

/* The chain that holds the group's pages, maybe those of other groups too; NULL at its end. */
const struct cleared_page *cleared_first(const struct cleared *cleared, uint64_t group);
const struct cleared_page *cleared_next(const struct cleared *cleared, const struct cleared_page *page);

#endif
