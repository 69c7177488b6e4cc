/* SPDX-License-Identifier: MIT */
/* Text of any length that comes in pieces, handed on line by line in bounded memory. */
#ifndef KERNEL_LINES_H
#define KERNEL_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/* {0} to begin with; lines_fini() releases it. */
struct lines {
	VEC(char) rest; /* the unfinished last line of the piece before */
};

/* A line without its newline. Return 0 to go on, anything else ends the reading and is returned by it. */
typedef int line_fn(void *arg, const char *line, size_t size);

/* 0, what `fn` returned, -EBADMSG (a megabyte without a newline), -ENOMEM. After a failure good for _fini only. */
int lines_feed(struct lines *lines, const char *piece, size_t size, line_fn *fn, void *arg);

/* The text has ended: 0, or -EBADMSG in the middle of a line. */
int lines_end(const struct lines *lines);
void lines_fini(struct lines *lines);

/* What reading has cost. */
struct lines_cost {
	uint64_t nr_calls;
	uint64_t longest_ns; /* of one call */
};

/* Reads a descriptor from its beginning to its end. 0, what `fn` returned, or -errno. `cost` (may be NULL) grows. */
int lines_read(int fd, line_fn *fn, void *arg, struct lines_cost *cost);

#endif
