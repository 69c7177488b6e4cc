/* SPDX-License-Identifier: MIT */
/* A child with an area of memory, the refs sensor on it, and one check in the middle of the area. */
#ifndef TESTS_KERNEL_REFS_STEPS_H
#define TESTS_KERNEL_REFS_STEPS_H

#include <tidemark/sensor.h>

#include "child.h"

#define PAGE           4096ul
#define AREA_PAGES     1024ul
#define AREA_BYTES     (AREA_PAGES * PAGE)
#define RESERVED_BYTES (UINT64_C(20) << 40)

/* What the area is; each is a mapping of its own, and populated by the child, but for the mosaic. */
enum area_kind {
	AREA_PRIVATE,
	AREA_SHARED,   /* with the test */
	AREA_FILE,     /* a private mapping of a file whose pages are in memory, and read only */
	AREA_MOSAIC,   /* every other page can be used: refs_nr_mosaic() mappings of one */
	AREA_RESERVED, /* 20 TiB of address space, of which three pages are there */
};

/* What the child is told to do with pages [first, first + nr) of its area. */
enum refs_order {
	DO_WRITE,
	DO_READ,
	DO_DROP, /* MADV_DONTNEED */
	DO_UNMAP,
	DO_MOSAIC,      /* write to every fourth page, `nr` pages being usable */
	DO_MACHINE,     /* make a virtual machine, without memory yet */
	DO_HIDE,        /* become undumpable */
	DO_EXEC,        /* another program, which does nothing */
	DO_LEADER_EXIT, /* another thread takes over, and the main thread ends */
};

struct refs {
	struct child child;
	unsigned char *area;
	struct tide_target *target;
	const struct tide_sensor_ops *ops;
	void *sensor;
	struct tide_check check;
	struct orders *orders; /* memory shared with the child */
};

/* Ten thousand, or fewer where a process may not have so many mappings. */
size_t refs_nr_mosaic(void);

/* cmocka's. */
int refs_setup(void **state);
int refs_teardown(void **state);

/* Starts the child and opens the sensor on it. */
void refs_start(struct refs *self, enum area_kind kind);

/* The same in two steps; the second says what is wrong, or 0. For those who may not. */
void refs_start_child(struct refs *self, enum area_kind kind);
int refs_open(struct refs *self, struct tide_error *err);
void refs_end(struct refs *self);

/*
 * The child does it and says so. Before it uses memory it empties the TLB of it: clear_refs does not, and a use that
 * the TLB knows of leaves no trace in the page tables.
 */
void refs_order(struct refs *self, enum refs_order order, size_t first, size_t nr);

void refs_prepare(struct refs *self);
void refs_check(struct refs *self);
/* Checks and prepares, as one step. */
void refs_turn(struct refs *self);
void refs_assert(const struct refs *self, enum tide_answer answer, enum tide_reason reason);

#endif
