/* SPDX-License-Identifier: MIT */
/* What kind of memory an operation reaches: it decides how exact a tracker can be. */
#ifndef TESTS_TORTURE_OPS_H
#define TESTS_TORTURE_OPS_H

enum op_flags {
	OP_SHARED = 1 << 0,     /* memory that others can write through another mapping or a descriptor */
	OP_PINS = 1 << 1,       /* pins pages for long: registered buffers */
	OP_SHORT_PINS = 1 << 2, /* holds pages for a moment while it writes them: direct I/O, other processes */
	OP_MOVES = 1 << 3,      /* makes mappings, moves or removes them */
	OP_HUGE = 1 << 4,       /* makes or splits huge pages, frees pages */
};

#endif
