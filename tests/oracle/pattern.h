/* SPDX-License-Identifier: MIT */
/*
 * A pattern file says which memory a workload has and which part of it is hot, when and how. One directive a line,
 * `#` begins a comment:
 *
 *     area 1GiB                     size of the memory; first
 *     page base                     base | thp | shared | file | locked | memfd (see enum page_kind)
 *     tick 1ms                      how often the hot pages are touched; 0: in a tight loop
 *     order random                  random | sequential, within a piece
 *     seed 1                        of the order and of the probabilities
 *     repeat                        begin again after the last phase
 *     phase NAME DURATION           duration: 5s, 200ms, forever
 *     hot OFFSET SIZE read|write|both [p=0.5] [speed=8MiB]    a piece of the phase above; offset and size also in % of
 *                                   the area; both: read, then written; p: probability per page and tick; speed: bytes
 *                                   a second the piece moves on
 *     stairs NR DURATION read|write|both   NR phases: the area's first NRth part is hot, then the second, ...
 */
#ifndef ORACLE_PATTERN_H
#define ORACLE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "base/vec.h"

#define ORACLE_PAGE 4096u

enum page_kind {
	PAGE_BASE,   /* private anonymous, huge pages refused */
	PAGE_THP,    /* private anonymous, huge pages asked for */
	PAGE_SHARED, /* shared anonymous, also mapped and populated by a second process */
	PAGE_FILE,   /* shared mapping of a file that is already unlinked */
	PAGE_LOCKED, /* private anonymous, mlock()ed */
	PAGE_MEMFD,  /* shared memory, mapped and populated twice by this process */
};

struct piece {
	uint64_t offset;
	uint64_t size;
	enum access access;
	double probability;
	uint64_t speed;
};

struct phase {
	char name[32];
	uint64_t duration_ns; /* UINT64_MAX: for ever */
	VEC(struct piece) pieces;
};

struct pattern {
	char name[64];
	uint64_t size;
	enum page_kind kind;
	uint64_t tick_ns;
	uint64_t seed;
	bool random;
	bool repeat;
	VEC(struct phase) phases;
};

/* Reads `path`. 0, or -errno with "path:line: sentence" on stderr. */
int pattern_read(struct pattern *pattern, const char *path);
void pattern_fini(struct pattern *pattern);

/* The word of the pattern file. */
const char *page_kind_name(enum page_kind kind);

#endif
