/* SPDX-License-Identifier: MIT */
/*
 * The page-table walker for one target. Obeys the rules for walking (see bpf/walker.bpf.c); compares the target's start
 * time and mm inside the kernel at every VMA, so that neither a reused number nor an exec is ever read as the target.
 */
#ifndef PAGES_WALKER_H
#define PAGES_WALKER_H

#include <stdbool.h>

#include <tidemark/target.h>

#include "bpf/walker.h"

struct walker;

struct walker_cost {
	uint64_t nr_samples; /* entries read one by one */
	uint64_t nr_entries; /* entries copied with their tables */
	uint64_t nr_runs;
	uint64_t longest_ns; /* longest time without giving way to a writer of the mmap lock */
};

/* Errors: those of program_load and bases_find; GONE. `target` outlives the walker. */
int walker_open(struct walker **out, struct tide_target *target, struct tide_error *err);
void walker_close(struct walker *walker);

/* Room for WALKER_MAX_SAMPLES addresses, to be filled in ascending order (equal ones allowed) by walker_ask. */
struct walker_sample *walker_samples(struct walker *walker);

/* Fills one in. The folio behind an old entry is always looked at, the one behind a young entry when it is wanted. */
void walker_ask(struct walker_sample *sample, uint64_t addr, bool wants_folio);

/* The same; looks at the folio behind any entry, and at who holds it. */
void walker_ask_counts(struct walker_sample *sample, uint64_t addr);

/* Answers the first `nr` samples in place. Errors: GONE; SYSTEM. */
int walker_sample(struct walker *walker, uint32_t nr, struct tide_error *err);

typedef int walker_table_fn(void *arg, const struct walker_table *table);

/*
 * Copies the page tables of [start, end) and hands each to `fn`, lower tables after the one that points to them, at
 * most about `max_entries` entries; `*next` is where to go on. Non-zero from `fn` ends it and is returned.
 */
int walker_scan(struct walker *walker, uint64_t start, uint64_t end, uint64_t max_entries, walker_table_fn *fn,
                void *arg, uint64_t *next, struct tide_error *err);

/*
 * The flags word of the target's mm (MMF_ in the kernel), or of another process's, which must have a main thread and
 * not be reaped meanwhile. Errors: GONE; SYSTEM.
 */
int walker_mm_flags(struct walker *walker, uint64_t *flags, struct tide_error *err);
int walker_mm_flags_of(struct walker *walker, pid_t pid, uint64_t *flags, struct tide_error *err);

/* Memory of the target is used through secondary page tables too, as of the last call. */
bool walker_has_notifiers(const struct walker *walker);

/* This kernel's page flags. */
const struct walker_facts *walker_facts(const struct walker *walker);

struct tide_target *walker_target(struct walker *walker);

const struct walker_cost *walker_cost(const struct walker *walker);

#endif
