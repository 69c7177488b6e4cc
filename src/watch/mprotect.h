/* SPDX-License-Identifier: MIT */
/* How the files of the backend that protects pages by mprotect(2) fit together. */
#ifndef WATCH_MPROTECT_H
#define WATCH_MPROTECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <tidemark/watch.h>

#include "base/intervals.h"
#include "kernel/pagescan.h"

/*
 * One byte for each page of a range, changed by atomic operations only; 0: we have nothing to do with it. A page that
 * is ours and not written is protected; where it is writable, it is marked as written, or a handler that has marked it
 * is under way, or the program has made it so.
 */
enum guarded_page {
	GUARDED_PROT = PROT_READ | PROT_WRITE | PROT_EXEC, /* what the program had made it */
	GUARDED_OURS = 1 << 3,
	GUARDED_WRITTEN = 1 << 4,
	/* Why it is only said to be written: */
	GUARDED_NEW = 1 << 5,
	GUARDED_BOUND = 1 << 6,
	GUARDED_REFUSED = 1 << 7,
	GUARDED_MARKS = GUARDED_WRITTEN | GUARDED_NEW | GUARDED_BOUND | GUARDED_REFUSED,
};

_Static_assert((int)TIDE_MAPPING_READ == PROT_READ && (int)TIDE_MAPPING_WRITE == PROT_WRITE &&
                       (int)TIDE_MAPPING_EXEC == PROT_EXEC && GUARDED_PROT < GUARDED_OURS,
               "a layout's flags are protections, and fit below");

struct guarded_range {
	uint64_t start;
	uint64_t end;
	uint8_t *pages; /* enum guarded_page */
};

/* What the handler knows of one watch, in one piece of memory that is never protected itself. */
struct guarded {
	size_t size;         /* of all of it, in bytes */
	uint64_t max_pieces; /* of written pages among others: each is a mapping of its own, and what follows another */
	uint64_t nr_pieces;  /* about */
	uint32_t is_lifting; /* a handler lifts a whole range */
	size_t nr;
	struct guarded_range ranges[]; /* ascending */
};

/* What the program has made of some memory. */
struct guarded_memory {
	uint64_t start;
	uint64_t end;
	unsigned prot;
	bool is_mapped;
	bool is_anonymous; /* and private */
};

enum {
	ADVICE_POPULATE_WRITE = 23, /* MADV_POPULATE_WRITE, Linux 5.14 */
};

static inline void *guarded_pointer(uint64_t at)
{
	return (void *)(uintptr_t)at;
}

static inline uint8_t guarded_load(const uint8_t *page)
{
	return __atomic_load_n(page, __ATOMIC_SEQ_CST);
}

/* mprotect_pages.c. 0 or -errno. */
int guarded_new(struct guarded **out, const struct intervals *asked, uint64_t max_pieces);
void guarded_free(struct guarded *guarded);

/* The range that holds `at`, or the next one above; NULL: there is none. The handler may call it. */
struct guarded_range *guarded_range_from(struct guarded *guarded, uint64_t at);

/* The byte of the page at `at`, which is in the range. */
uint8_t *guarded_page(const struct guarded_range *range, uint64_t at);

/* It has been found that this is there: its pages in the ranges are ours from now on, and new. */
void guarded_adopt(struct guarded *guarded, const struct guarded_memory *memory);

/* The same of what is ours already: pages that are not as we have left them are new. Counts written pieces, too. */
void guarded_follow(struct guarded *guarded, const struct guarded_memory *memory);

/* Runs of marked pages, as a backend's peek() gives them, each with its enum tide_why; `take`: takes the marks away. */
long guarded_read(struct guarded *guarded, uint64_t start, uint64_t end, bool take, uint64_t max_pages,
                  struct pagescan_region *runs, size_t nr, uint64_t *next);

/* Protects pages whose marks have been taken, when all handlers have ended that knew of them. Where it cannot, they are
 * marked again. */
void guarded_arm(struct guarded *guarded, const struct pagescan_region *runs, size_t nr);

/* Pages in [start, end) are as the program had made them, and ours no more. -errno: some still are. */
int guarded_release(struct guarded *guarded, uint64_t start, uint64_t end);

/*
 * mprotect_fault.c. From now on writes to pages of `guarded` that are ours are marked, and go on. USAGE, BUSY, SYSTEM;
 * nothing is left behind then.
 */
int fault_add(struct guarded *guarded, struct tide_error *err);

/* The handler knows no more of it, and is not in it. */
void fault_remove(struct guarded *guarded);

/* Waits until all handlers have ended that are under way. */
void fault_wait(void);

/* Is the page at `at` one that the handler itself writes? */
bool fault_needs(uint64_t at);

/*
 * mprotect_relay.c. Makes `fn` the handler of SIGSEGV; it says whether the fault was ours. If not, the handler that was
 * there before is called. USAGE, BUSY, SYSTEM.
 */
typedef bool relay_fn(const siginfo_t *info, const void *context);
int relay_install(relay_fn *fn, struct tide_error *err);

/* Puts the handler back that was there before, if ours is still in its place, and no fault of ours is on its way to it;
 * else ours stays, and passes on all. */
void relay_remove(void);

#endif
