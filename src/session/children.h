/* SPDX-License-Identifier: MIT */
/* The processes that a session's targets start, and the programs that they execute. */
#ifndef SESSION_CHILDREN_H
#define SESSION_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tidemark/error.h>

#include "base/vec.h"

struct tide_session;

/* Seen and not watched. */
struct passed_over {
	pid_t pid;
	bool is_refused; /* it could not be watched; else there was no room */
	bool is_there;   /* in this look */
};

struct kinship {
	pid_t pid;
	pid_t ppid;
};

struct children {
	bool is_on;
	int has_lists; /* procfs_has_children */
	uint64_t every_ns;
	uint64_t next_ns;
	uint64_t began_ns;   /* this look */
	bool is_first;       /* it is */
	unsigned nr_new;     /* in this look */
	uint64_t opening_ns; /* processor time, in this look */
	size_t nr_unwatched;
	char why[sizeof(((struct tide_error *)0)->text)]; /* of the first of these */
	VEC(struct passed_over) passed_over;
	VEC(struct kinship) kinships; /* of all processes, where threads have no lists */
};

void children_init(struct children *children, uint64_t every_ns);
void children_fini(struct children *children);

/* Looks for new processes and programs, when it is time (or `now_ns` is UINT64_MAX). */
void children_look(struct tide_session *session, uint64_t now_ns);

#endif
