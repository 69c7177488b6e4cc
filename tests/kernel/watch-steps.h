/* SPDX-License-Identifier: MIT */
/*
 * A child that changes its memory as it is told, and a watch on it. The parent keeps a copy of the child's memory, made
 * of nothing but what the watch reports: after each epoch it must be what the child really has.
 */
#ifndef TESTS_KERNEL_WATCH_STEPS_H
#define TESTS_KERNEL_WATCH_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include <tidemark/watch.h>

#include "child.h"

enum {
	PAGE = 4096,
	BLOCK = 2 << 20,
	NOT_WRITTEN = -1,
};

/* What one order to the child needs: shared by both. */
struct order {
	long (*fn)(struct order *order); /* called in the child */
	unsigned char *at;
	size_t size;
	long value;
	long result; /* what it returned */
	pid_t pid;   /* ... and what else it may want to say */
};

struct watched {
	struct child child;
	struct order *order;
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_epoch told; /* about the last epoch */
	struct tide_error err;
	int pagemap;
	int mem;
	unsigned char *area; /* the part of the child's memory that is compared, whatever becomes of it */
	size_t size;
	unsigned char *copy;
	int *pages; /* of the last epoch, for each page of the area: enum tide_certainty, or NOT_WRITTEN */
	int *whys;
	pid_t tid;          /* of a thread that lives; 0: the main thread */
	size_t max;         /* runs at a time */
	unsigned char hole; /* what pages hold that are not there: those of a file */
};

/* Memory that begins at a huge page's bound, and holds none. Both processes have it, as it is mapped before the fork.
 */
unsigned char *area_map(size_t size, int flags);

/* Starts the child. Its area, and all else here, is over with watched_end(). */
void watched_start(struct watched *self, unsigned char *area, size_t size);
void watched_end(struct watched *self);

/* The child does it now. What it returned. */
long watched_order(struct watched *self, long (*fn)(struct order *order), unsigned char *at, size_t size, long value);

/* Between the two the copy can be made, and compared; the first takes it from what is there. */
void watched_first_copy(struct watched *self);
void watched_last_copy(struct watched *self);

/* `opts` (NULL: defaults) in `ask`, with the backend that the environment names (WATCHED_BACKEND) when it names none.
 */
const struct tide_watch_opts *watched_opts(struct tide_watch_opts *ask, const struct tide_watch_opts *opts);

/* Opens the watch, and takes the first copy. */
void watched_open(struct watched *self, const struct tide_watch_opts *opts);
void watched_close(struct watched *self);

/* One epoch; fails the test when the copy is not the child's memory after it. How many bytes of the area it reports. */
uint64_t watched_collect(struct watched *self);

/* Reads the reported runs into the copy, and notes what they say. */
void watched_take(struct watched *self, const struct tide_run *runs, long nr);

/* Fails the test when the copy is not the child's memory. */
void watched_compare(struct watched *self);

/* Of pages [from, to) of the area: fails the test when one is not what it should be. */
void assert_pages(const struct watched *self, size_t from, size_t to, int certainty);

/* A number of /proc/PID/smaps_rollup, status, ... in KiB; 0: it is not there. */
uint64_t number_of(pid_t pid, const char *file, const char *key);

/* How many mappings of the process have this flag in VmFlags of smaps. */
unsigned mappings_with_flag(pid_t pid, const char *flag);

/* How many descriptors the process has open, of the first 64. */
unsigned descriptors_of(pid_t pid);

/* Each test has a struct watched, all zero, which ends with it. */
int watched_setup(void **state);
int watched_teardown(void **state);
#define WATCHED_TEST(name) cmocka_unit_test_setup_teardown(name, watched_setup, watched_teardown)

/* Orders. */
long do_fill(struct order *order);   /* all of [at, at + size) with `value` */
long do_touch(struct order *order);  /* the first byte of each page with `value` */
long do_read(struct order *order);   /* one byte of each page */
long do_advise(struct order *order); /* madvise(at, size, value) */
long do_unmap(struct order *order);
long do_map(struct order *order); /* private anonymous memory at this place; value: more flags */
long do_protect(struct order *order);

#endif
