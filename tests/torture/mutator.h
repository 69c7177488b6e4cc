/* SPDX-License-Identifier: MIT */
/*
 * A process that changes its memory in every way the kernel knows, in an order that follows from a seed. It knows
 * nothing of who watches it.
 */
#ifndef TESTS_TORTURE_MUTATOR_H
#define TESTS_TORTURE_MUTATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ops.h"
#include "wire.h"

enum {
	PAGE = 4096,
	HUGE = 2 << 20,
	BOUNCE_SIZE = 256 << 10,
};

/* What an area is; the operations choose theirs by a mask. */
enum area_kind {
	AREA_ANON = 1 << 0,
	AREA_THP = 1 << 1, /* anonymous, aligned, huge pages wanted */
	AREA_PRIVATE_FILE = 1 << 2,
	AREA_MEMFD = 1 << 3, /* shared, with a descriptor and a second mapping */
	AREA_SHARED_ANON = 1 << 4,
	AREA_SHARED_FILE = 1 << 5,
	AREA_RING = 1 << 6, /* registered with io_uring */
	AREA_HUGETLB = 1 << 7,
};

#define AREA_PRIVATE (AREA_ANON | AREA_THP | AREA_PRIVATE_FILE)
#define AREA_SHARED  (AREA_MEMFD | AREA_SHARED_ANON | AREA_SHARED_FILE)

struct area {
	unsigned kinds;
	char *at;
	size_t size;
	int fd;      /* -1: none */
	char *alias; /* the same memory once more, or NULL */
};

enum {
	MAX_AREAS = 16,
	NR_SLOTS = 12,
};

/* A mapping that comes, moves and goes. */
struct slot {
	char *at; /* NULL: free */
	size_t size;
};

struct ring;

struct mutator {
	uint64_t rng;
	struct area areas[MAX_AREAS];
	unsigned nr_areas;
	struct slot slots[NR_SLOTS];
	char *quiet;
	char *bounce; /* BOUNCE_SIZE bytes of private memory, the source of what devices write */
	int source;   /* a file in memory */
	int direct;   /* a file opened with O_DIRECT, or -1 */
	int peer;     /* a socket to the process that writes here from outside */
	pid_t peer_pid;
	pid_t bystander; /* a forked child that only shares pages, or 0 */
	char *half;      /* of a mapping, moved away and back; NULL: not made yet */
	char *heap;      /* where our part of the brk heap begins; NULL: not used yet */
	struct ring *ring;
	struct wire_log *log;
	struct wire_log *now;
	struct wire_reply done;
};

/* Ends the program with a sentence when `good` is false: what must work in any case did not. */
void must(bool good, const char *what);

/* In a child: ends with its parent, also when that has ended already. */
void die_with(pid_t parent);

/* Counts an operation that the kernel may refuse. Returns `good`. */
bool agreed(struct mutator *m, bool good);

uint64_t draw(struct mutator *m);
uint64_t draw_below(struct mutator *m, uint64_t bound);

/* Fills with random bytes. */
void scribble(struct mutator *m, void *at, size_t size);

/* Eight random bytes somewhere in each page of [at, at + size). */
void touch(struct mutator *m, char *at, size_t size);

/* A random area of one of `kinds`, NULL if there is none. */
struct area *pick_area(struct mutator *m, unsigned kinds);

/*
 * A random piece of a random area of one of `kinds`: `*size` is at most `max` and, like the address, a multiple of
 * `align`. NULL if there is no such area. It is noted in the log.
 */
char *pick(struct mutator *m, unsigned kinds, size_t max, size_t align, size_t *size);

/* In the log: what this operation changes. */
void note(struct mutator *m, const void *at, size_t size);

/* areas.c: makes the areas that the families need, and fills most of them. */
void areas_make(struct mutator *m, bool shared);
struct area *area_add(struct mutator *m, unsigned kinds, size_t size);
int temporary_file(int flags, size_t size);

/* peer.c: the process outside. */
enum peer_way {
	PEER_VM_WRITEV,
	PEER_PROC_MEM,
	PEER_PTRACE,
};
void peer_start(struct mutator *m);
void peer_write(struct mutator *m, enum peer_way way, void *at, size_t size);

/* A family of operations, and what it needs before the first of them. `ops` ends with a name that is NULL. */
struct op {
	const char *name;
	unsigned flags; /* enum op_flags */
	void (*run)(struct mutator *m);
	const char *(*lacks)(struct mutator *m); /* why it cannot be done here; NULL, or a result of NULL: it can */
};

struct family {
	const char *name;
	const struct op *ops;
	void (*setup)(struct mutator *m);
};

extern const struct family family_cpu, family_kernel, family_direct, family_foreign, family_ring, family_splice,
        family_zap, family_huge, family_move, family_fork, family_shared, family_protect, family_threads,
        family_machine;

#endif
