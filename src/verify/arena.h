/* SPDX-License-Identifier: MIT */
/*
 * Memory of our own whose writes are tracked, for scripts that do to it what may lose one. A script calls the steps in
 * a row; what changes a page is noted, and each collect compares what the kernel reports with the notes: a changed page
 * that is not reported is lost, a reported page that nobody changed is invented. After the first step that fails the
 * others do nothing. Pages are numbered from the arena's beginning.
 */
#ifndef VERIFY_ARENA_H
#define VERIFY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "verify/row.h"

#define ARENA_PAGES 1024u
#define ARENA_BLOCK 512u /* pages of a huge page */
#define ARENA_PAGE  4096u

/* What it is made of, and what is there before it is armed. */
enum arena_kind {
	ARENA_EMPTY,        /* nothing, base pages wanted */
	ARENA_SMALL,        /* base pages */
	ARENA_HUGE,         /* two huge pages, full */
	ARENA_HUGE_SPARSE,  /* two huge pages, every other base page of them holds zeroes */
	ARENA_HUGE_EMPTY,   /* nothing, huge pages wanted */
	ARENA_FILE_PRIVATE, /* copies of a file's pages */
	ARENA_FILE_SHARED,  /* a file's pages */
	ARENA_HUGETLB,      /* the first of two pages of hugetlb's pool */
};

struct arena;

/* How writes are tracked; -errno where it fails. */
struct arena_tracker {
	const char *name;
	int (*start)(struct arena *arena);
	/* Marks in `seen` what was written since the last one, and begins anew. */
	int (*collect)(struct arena *arena, bool *seen);
	/* The same without beginning anew. */
	int (*look)(struct arena *arena, bool *seen);
};

extern const struct arena_tracker arena_uffd;
extern const struct arena_tracker arena_soft_dirty;

struct arena {
	const struct arena_tracker *tracker;
	int uffd;
	int pagemap;
	int clear_refs;
	int file;
	void *mapped;
	size_t mapped_bytes;
	volatile char *start;
	bool changed[ARENA_PAGES];
	unsigned nr_changes;
	unsigned nr_lost;
	unsigned nr_invented;
	int error;       /* of the first step that failed; -ENOTSUP: the event cannot be made to happen here */
	const char *why; /* which step, or why not */
};

/* Needs no call of arena_fini when it fails, and may have one. Errors show in arena->error. */
void arena_init(struct arena *arena, const struct arena_tracker *tracker, enum arena_kind kind);
void arena_fini(struct arena *arena);

/* From here on writes are tracked. Afterwards nothing may be reported: a control, without which no answer counts. */
void arena_arm(struct arena *arena);

/* Steps that change pages: a store of something new, of zeroes, and what others do. */
void arena_write(struct arena *arena, unsigned page);
void arena_zero(struct arena *arena, unsigned page);
void arena_changed(struct arena *arena, unsigned page, unsigned nr_pages);
void arena_drop(struct arena *arena, unsigned page, unsigned nr_pages);    /* MADV_DONTNEED */
void arena_replace(struct arena *arena, unsigned page, unsigned nr_pages); /* by a new, empty mapping */

/* Steps that do not. */
void arena_read(struct arena *arena, unsigned page);
int arena_advise(struct arena *arena, unsigned page, unsigned nr_pages, int advice); /* its result is not a step's */
void arena_move(struct arena *arena); /* elsewhere, and is tracked there anew */
void arena_register(struct arena *arena, unsigned page, unsigned nr_pages);
void arena_unregister(struct arena *arena, unsigned page, unsigned nr_pages);

/* Compares. */
void arena_collect(struct arena *arena);

/* The script ends here, for lack of something: `why` continues "could not be asked: ". */
void arena_cannot(struct arena *arena, const char *why);

/* `result` >= 0: nothing failed. */
void arena_failed(struct arena *arena, int result, const char *step);

size_t arena_huge_bytes(void);                          /* of this process, in huge pages */
bool arena_is_huge(struct arena *arena, unsigned page); /* mapped by one huge entry, the zero page too */
unsigned arena_nr_swapped(struct arena *arena);         /* pages of it */

#endif
