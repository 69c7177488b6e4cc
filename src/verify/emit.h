/* SPDX-License-Identifier: MIT */
/* A program as C that stands alone: anyone can compile and run it, without tidemark. */
#ifndef VERIFY_EMIT_H
#define VERIFY_EMIT_H

#include <stdio.h>

#include "verify/lockstep.h"

/*
 * What was run last by `lockstep`, and what came of it. The C program performs the operations, says where the kernel
 * does something else than the model expects, and exits with 1 then, with 0 when they agree, 2 when it could not be
 * run. `kernel` names it. 0 or -errno.
 */
int emit_program(FILE *out, const struct lockstep *lockstep, const struct model_op *ops, size_t nr,
                 const struct difference *difference, const char *kernel);

/* One operation as an expression of C, whose value is 0 or -errno. `value`: what it is expected to read. */
void emit_operation(FILE *out, const struct model_op *op, uint64_t value);

/* What stands before a program's own lines, a bit each. */
#define EMIT_PARTS(X)                                                                                                  \
	X(BASE, base, 0)                                                                                               \
	X(FILE, file, 0)                                                                                               \
	X(ACCESS, access, 0)                                                                                           \
	X(WRITE, write, EMIT_ACCESS)                                                                                   \
	X(READ, read, EMIT_ACCESS)                                                                                     \
	X(TRACK, track, 0)                                                                                             \
	X(SCAN, scan, 0)                                                                                               \
	X(REPORT, report, EMIT_SCAN)                                                                                   \
	X(REARM, rearm, EMIT_REPORT)                                                                                   \
	X(ASK, ask, EMIT_REPORT)                                                                                       \
	X(REPORTED, reported, EMIT_REPORT)                                                                             \
	X(RING, ring, 0)                                                                                               \
	X(DEVICE, device, EMIT_RING)                                                                                   \
	X(PUT, put, 0)                                                                                                 \
	X(MERGE, merge, EMIT_PUT)                                                                                      \
	X(MIGRATE, migrate, 0)                                                                                         \
	X(PROCESSES, processes, 0)                                                                                     \
	X(LOOK, look, 0)                                                                                               \
	X(CONTENTS, contents, 0)                                                                                       \
	X(FLAG, flag, EMIT_LOOK)                                                                                       \
	X(KIND, kind, EMIT_SCAN)

enum emit_part_number {
#define X(id, name, needs) EMIT_NUMBER_##id,
	EMIT_PARTS(X)
#undef X
	        EMIT_NR_PARTS,
};

enum emit_part {
#define X(id, name, needs) EMIT_##id = 1 << EMIT_NUMBER_##id,
	EMIT_PARTS(X)
#undef X
};

/* Those that an operation needs, without what these need. */
unsigned emit_parts_of(const struct model_op *op);

/* Prints `parts` and what they need. */
void emit_parts(FILE *out, unsigned parts);

#endif
