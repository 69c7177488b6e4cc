/* SPDX-License-Identifier: MIT */
/*
 * Kinds of memory, one table row each: how a child makes it, what `pages` must say of it, what the walk sensor may
 * claim.
 *
 * A row is a test: kinds_run() makes the memory in a child, asks PAGEMAP_SCAN, the pagemap, the summary and a scan of
 * the page tables about it, and watches it twice, once while nobody uses it and once while the child touches a part
 * that is known. Whatever the row says, it holds that nothing touched is called idle and nothing untouched accessed.
 */
#ifndef TESTS_KERNEL_KINDS_H
#define TESTS_KERNEL_KINDS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include <tidemark/pages.h>
#include <tidemark/sensor.h>

#include "kinds32.h"

#define KINDS_PAGE  4096ul
#define KINDS_MIB   (1024ul * 1024)
#define KINDS_HUGE  (2 * KINDS_MIB)
#define KINDS_GIB   (1024 * KINDS_MIB)
#define KINDS_START 0x200000000000ul

/* What the child tells; shared with it. */
struct place {
	uint64_t start;
	uint64_t end;
	char lacks[160]; /* why this kind cannot be had here; empty: it was made */
};

enum kind_claim {
	CLAIM_SEEN = 1, /* accessed where it was touched, idle where not */
	CLAIM_LARGE,    /* the same, where the kernel counts the mappings of large folios; else unobservable: partial */
	CLAIM_EITHER,   /* one or the other, as the kernel has it: as seen, or unobservable for one of `reasons` */
	CLAIM_NONE,     /* unobservable for one of `reasons`, touched or not */
	CLAIM_ABSENT,   /* nothing is there: idle; what comes by a touch is accessed */
	CLAIM_COMES,    /* nothing is there: idle; what comes is unobservable for one of `reasons` */
};

enum kind_touch {
	TOUCH_WRITE = 1, /* the first byte of every other granule */
	TOUCH_READ,
	TOUCH_NOTHING, /* that would end the child, or `use` touches nothing */
};

struct kind {
	const char *name;                  /* of the memory, in the table */
	const char *test;                  /* of the test */
	void (*make)(struct place *place); /* in the child; calls kinds_lack() where it cannot */
	void (*use)(struct place *place);  /* in the child, instead of plain touching; touches the same */
	uint64_t granule;                  /* 0: a page */
	uint64_t must;                     /* categories that all of its pages have, */
	uint64_t never;                    /* and that none has */
	enum kind_claim claim;
	uint32_t reasons; /* 1 << enum tide_reason */
	enum kind_touch touch;
	bool dirty;     /* every page is dirty in the page tables */
	bool is_device; /* of the kernel or a device: the sources and the tables need not agree */
};

#define REASON(id) (UINT32_C(1) << TIDE_REASON_##id)

/* A test for each row. argv: "--table" prints the rows as a table instead. What main() returns: 77 when none was made.
 */
int kinds_main(const struct kind *kinds, size_t nr, int argc, char **argv);

/* In the child. Maps at KINDS_START, or for `hint` elsewhere, and says so in `place`; false, and lacks, when refused.
 */
bool kinds_map(struct place *place, size_t bytes, int prot, int flags, int fd);
bool kinds_map_at(struct place *place, uint64_t hint, size_t bytes, int prot, int flags, int fd);

/* In the child: writes, or reads, a byte of every page. */
void kinds_write(const struct place *place);
void kinds_read(const struct place *place);

/* In the child: what a row's `touch` means. */
void kinds_touch(const struct place *place, uint64_t granule, bool write);

__attribute__((format(printf, 2, 3))) void kinds_lack(struct place *place, const char *format, ...);

/* In the child: madvise of the whole place; false, and lacks, when refused. */
bool kinds_advise(struct place *place, int advice, const char *name);

/* In the child: a figure of its mapping in /proc/self/smaps, in bytes. */
size_t kinds_smaps(const struct place *place, const char *field);

/* In the child: goes on as another program, with what it is told as descriptor KINDS32_IN; returns when it cannot. */
void kinds_become(const char *program);

/* The first word of a file, 0 as a number where there is none. */
long kinds_number(const char *path);

/* Is the machine a virtual one that was started for tests, where everything may be done? */
bool kinds_in_guest(void);

#endif
