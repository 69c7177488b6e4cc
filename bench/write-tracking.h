/* SPDX-License-Identifier: MIT */
/* How the files of the bench of write tracking fit together. Whatever fails ends the program with a sentence. */
#ifndef BENCH_WRITE_TRACKING_H
#define BENCH_WRITE_TRACKING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tidemark/watch.h>

#include "series.h"

#define PAGE      ((uint64_t)4096)
#define HUGE_PAGE ((uint64_t)2 << 20)
#define GIB       ((uint64_t)1 << 30)

enum {
	NR_RUNS = 4096, /* runs or regions asked for at once */
};

/* write-tracking-program.c */
struct bench {
	const char *name;
	void (*run)(size_t nr_pairs);
};

int run_benches(int argc, char **argv, const struct bench *benches, size_t nr); /* what main() returns */
_Noreturn void fail(const char *what, int code);                                /* `code`: -errno, or 0 */
_Noreturn void fail_error(const struct tide_error *err);
uint64_t now_ns(void);
uint64_t spent_ns(void); /* processor time of this thread: other work of the machine does not count */

/* write-tracking-subject.c: a child with an arena that does what it is told, and answers with a number. */
enum order {
	ORDER_WRITE,      /* about argument[0] of 10,000 pages, which depends on argument[1]: how many */
	ORDER_WRITE_HUGE, /* one word in every argument[0]-th huge page: nanoseconds for one */
	ORDER_ARM,        /* makes a userfaultfd of its own, and arms its arena */
	ORDER_PIN,        /* pins one page outside of the arena for io_uring: 1, or 0 when it cannot */
	ORDER_FORK,       /* keeps the state of the arena in a copy of itself: nanoseconds of processor time */
	ORDER_COMPARE,    /* ... compares it page by page, and ends the copy: nanoseconds of the copy; how many differ:
	                     `more` */
	ORDER_END,
};

struct subject {
	pid_t pid;
	unsigned char *arena; /* populated in the child */
	uint64_t size;
	struct subject_page *page;
	int orders, answers;
};

void subject_start(struct subject *subject, uint64_t size, int advice); /* MADV_NOHUGEPAGE, MADV_HUGEPAGE */
uint64_t subject_do(struct subject *subject, enum order order, uint64_t first, uint64_t second);
uint64_t subject_more(const struct subject *subject);
uint64_t subject_huge_kib(const struct subject *subject); /* AnonHugePages */
void subject_end(struct subject *subject);

/* write-tracking-arena.c */
unsigned char *arena_map(uint64_t size, int advice); /* not populated */
void arena_populate(unsigned char *arena, uint64_t size);
uint64_t arena_write(unsigned char *arena, uint64_t size, uint64_t per_10000, uint64_t seed);
/* `nr` different pages, in no order. */
uint32_t *arena_pages(uint64_t nr_pages, uint64_t nr, uint64_t seed);
uint64_t huge_kib(pid_t pid);

/* write-tracking-bare.c: the kernel's calls and nothing else, as the least that anybody can need. */
int bare_arm(void *start, uint64_t size);                             /* the userfaultfd */
uint64_t bare_harvest(int pagemap, const void *start, uint64_t size); /* pages */
int open_pagemap(pid_t pid);

/* write-tracking-fault.c: protection by mprotect(2), and a handler that notes the page and unprotects it. */
void fault_start(unsigned char *arena, uint64_t size);
void fault_arm(void);
uint64_t fault_collect(uint64_t *addresses, uint64_t max); /* arms what it returns */
void fault_end(void);

/* write-tracking-watched.c: the library. */
struct watched {
	struct tide_target *target;
	struct tide_watch *watch;
};

void watched_open(struct watched *watched, pid_t pid, const void *start, uint64_t size,
                  const struct tide_pins_ops *pins);
uint64_t watched_collect(struct watched *watched); /* pages */
void watched_close(struct watched *watched);

/* The benches, one file each; each prints its rows. */
void bench_harvest(size_t nr_pairs);
void bench_first(size_t nr_pairs);
void bench_get(size_t nr_pairs);
void bench_open(size_t nr_pairs);

#endif
