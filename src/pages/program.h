/* SPDX-License-Identifier: MIT */
/* The walker program, loaded and attached to one thread: one query, one run. */
#ifndef PAGES_PROGRAM_H
#define PAGES_PROGRAM_H

#include <sys/types.h>

#include <tidemark/error.h>

#include "bpf/walker.h"

struct walker_bpf;
struct bpf_link;

struct walker_program {
	struct walker_bpf *skeleton;
	struct bpf_link *link;
	struct walker_query *query;    /* in memory shared with the program */
	struct walker_sample *samples; /* WALKER_MAX_SAMPLES */
	struct walker_table *tables;   /* WALKER_MAX_TABLES */
};

/*
 * Loads the program. Errors: DENIED without CAP_BPF and CAP_PERFMON; UNSUPPORTED where the kernel has no BPF iterators,
 * no BTF, or is locked down. Kernel: 6.1 (iter/task_vma with a task to iterate over).
 */
int program_load(struct walker_program *program, struct tide_error *err);
void program_unload(struct walker_program *program);

/* Points it at thread `tid`, instead of the one before. Errors: GONE, SYSTEM. */
int program_attach(struct walker_program *program, pid_t tid, struct tide_error *err);

/* Runs the query once; the answer is in query->status and the arrays. */
int program_run(struct walker_program *program, struct tide_error *err);

#endif
