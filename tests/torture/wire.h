/* SPDX-License-Identifier: MIT */
/* What the mutator and the oracle say to each other, over the mutator's standard input and output. */
#ifndef TESTS_TORTURE_WIRE_H
#define TESTS_TORTURE_WIRE_H

#include <stdint.h>

enum {
	WIRE_NAME_SIZE = 24,
	WIRE_LOG_ENTRIES = 512,
};

/* The mutator's first word, once its memory is made and filled. */
struct wire_hello {
	uint64_t log;         /* address of struct wire_log[WIRE_LOG_ENTRIES], a ring in its private memory */
	uint64_t quiet_start; /* memory that is never written again */
	uint64_t quiet_end;
	uint32_t flags; /* of all operations of this case, enum op_flags */
	int32_t uffd;   /* with "--userfaultfd": a descriptor of the mutator's own; else -1 */
};

enum wire_kind {
	WIRE_RUN = 1, /* `nr` operations drawn from the seed */
	WIRE_DO,      /* operation `name`, `nr` times */
};

struct wire_command {
	uint32_t kind;
	uint32_t nr;
	char name[WIRE_NAME_SIZE];
};

/* All it was told is done, no device and no other process writes to its memory any more. */
struct wire_reply {
	uint64_t nr_ops;     /* since the start */
	uint64_t nr_refused; /* of them: the kernel did not agree, as it may (collapse, mremap) */
};

struct wire_log {
	uint64_t number; /* of the operation, from 1 */
	uint64_t start;  /* what it changed last */
	uint64_t size;
	char name[WIRE_NAME_SIZE];
};

#endif
