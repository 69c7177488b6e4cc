/* SPDX-License-Identifier: MIT */
/* Processes to reach into, and what can be seen of them from outside, before and after. */
#ifndef TESTS_HARM_VICTIM_H
#define TESTS_HARM_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../kernel/child.h"
#include "target/inject/inject.h"

/* A process, and a target opened on it. */
struct victim {
	struct child child;
	struct tide_target *target;
};

void victim_start(struct victim *victim, child_fn *fn, void *arg);
void victim_end(struct victim *victim);

/* Memory that the test shares with the children it starts later; zeroed. Never freed. */
void *victim_shared(size_t size);

/*
 * Everything outside can see: mappings, descriptors, signal masks and dispositions, tracer, and with `with_memory` a
 * checksum of all writable memory, of the stack only what is in use. The process must stand still. The caller frees it.
 */
char *victim_look(pid_t pid, bool with_memory);

/* Fails the test at the first line that differs. Frees `after`. */
void victim_compare(const char *before, char *after, const char *when);

/* Fetches a userfaultfd, tries it and closes it. What inject_run() says. */
int victim_fetch(struct tide_target *target, struct inject_cost *cost, struct tide_error *err);

/* The same, and it must work. */
void victim_fetch_well(struct tide_target *target);

/* In the child: the kernel keeps the number of the processor in memory (rseq); from now on it does not. */
void victim_stop_rseq(void);

/* Waits until the thread is in `state` ('S', 'T', ...) as /proc/PID/stat has it. */
void victim_wait_state(pid_t pid, char state);

/*
 * A child that spins with known values in all registers, vectors included, until told, then says a byte; it exits with
 * 1 when one has changed, or its alternate signal stack. `arg` is an int shared with it: 0 it spins, 1 it is to look.
 */
int victim_spin(int in, int out, void *arg);

/* Tells it to look. */
void victim_spin_check(struct victim *victim, int *told);

#endif
