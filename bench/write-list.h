/* SPDX-License-Identifier: MIT */
/* A child process that writes its memory when it is told, and who tracks it. Whatever fails ends the program. */
#ifndef BENCH_WRITE_LIST_H
#define BENCH_WRITE_LIST_H

#include <stdbool.h>

#include "child.h"
#include "write-tracking.h"

/* What the child is to do with its arena; shared by both. */
struct task {
	uint64_t (*fn)(struct task *task);
	unsigned char *arena;
	uint64_t size;
	uint64_t nr, seed;
	uint64_t answer;
};

typedef uint64_t task_fn(struct task *task);

struct writer {
	struct child child;
	struct task *task;
	struct watched watched;
	bool is_watched;
};

/* The child makes its arena by `make`, which sets task->arena. Start all before any is watched: they are forks. */
void writer_start(struct writer *writer, task_fn *make, uint64_t size);
void writer_end(struct writer *writer);
uint64_t writer_do(struct writer *writer, task_fn *fn, uint64_t nr, uint64_t seed);

/* The whole process, or its arena alone. The first collect is done when it returns. */
void writer_watch(struct writer *writer, const char *backend, uint64_t granularity, bool whole);

/* In pages; 0 when nobody watches. `epoch` may be NULL. */
uint64_t writer_collect(struct writer *writer, struct tide_epoch *epoch);

/* Arenas: 4 KiB pages, all written; pages of zeros, all read, which take page tables and no other memory. */
uint64_t make_pages(struct task *task);
uint64_t make_small_zeros(struct task *task);
uint64_t make_huge_zeros(struct task *task);

/* Wall time for all `nr` of them, in nanoseconds: what a writer waits is not processor time. */
uint64_t write_in_order(struct task *task);       /* the first pages, one after the other */
uint64_t write_here_and_there(struct task *task); /* pages that depend on `seed`, in no order */
uint64_t write_each_64th(struct task *task);      /* one page of each 64 */
uint64_t give_up(struct task *task);              /* the first pages, by one MADV_DONTNEED each */

/* The child tracks itself by mprotect(2), and learns what it has written (pages). */
uint64_t track_oneself(struct task *task);
uint64_t collect_oneself(struct task *task);

#endif
