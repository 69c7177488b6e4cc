/* SPDX-License-Identifier: MIT */
/* This file finds out, before anything is stopped, which of the target's code and stack a run can make use of. */
#include "target/inject/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/fault.h"
#include "kernel/sys.h"

enum {
	NR_TASKS_SPARE = 256,      /* room for threads that are started meanwhile */
	NR_TEXTS = 256,            /* executable mappings that are looked at, at most, */
	TEXT_MAX_BYTES = 64 << 20, /* and bytes of them */
	PIECE_BYTES = 64 << 10,
};

struct text_range {
	struct tide_range range;
	unsigned rank; /* the lower, the likelier */
};

struct texts {
	struct job *job;
	struct text_range found[NR_TEXTS];
	size_t nr;
};

static bool name_has(const struct vma *vma, const char *word)
{
	return vma->name_size > 0 && memmem(vma->name, vma->name_size, word, strlen(word)) != NULL;
}

static int note_mapping(void *arg, const struct vma *vma)
{
	struct texts *texts = arg;
	const struct tide_range range = { vma->start, vma->end };
	bool is_vdso = name_has(vma, "[vdso]");

	if (name_has(vma, "[stack]") && (vma->flags & VMA_WRITE) != 0)
		texts->job->stack = range;
	/* The kernel's own page of system calls is not mapped as others are, and cannot be read. */
	if ((vma->flags & VMA_EXEC) == 0 || (vma->flags & VMA_READ) == 0 || vma->start >> 63 != 0 ||
	    texts->nr == NR_TEXTS)
		return 0;
	texts->found[texts->nr++] =
	        (struct text_range){ range, is_vdso                                               ? 0
		                            : name_has(vma, "/libc") || name_has(vma, "/ld-musl") ? 1
		                                                                                  : 2 };
	return 0;
}

static int by_rank(const void *one, const void *other)
{
	const struct text_range *a = one;
	const struct text_range *b = other;

	return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
	                          : (a->range.start > b->range.start) - (a->range.start < b->range.start);
}

/* True when the code is complete. Pieces overlap by as much as one piece of code can be long. */
static bool search_range(struct job *job, const struct tide_range *range, unsigned char *piece, uint64_t *left)
{
	for (uint64_t at = range->start; at<range->end && * left> 0; at += PIECE_BYTES - ARCH_CODE_MAX) {
		uint64_t size = range->end - at < PIECE_BYTES ? range->end - at : PIECE_BYTES;
		ssize_t got = sys_pread(job->mem, piece, size, (off_t)at);

		if (got <= 0)
			return false;
		if (arch_code_find(&job->code, piece, (size_t)got, at))
			return true;
		*left = *left > (uint64_t)got ? *left - (uint64_t)got : 0;
	}
	return false;
}

static int find_code(struct job *job)
{
	scope_free struct texts *texts = calloc(1, sizeof(*texts));
	scope_free unsigned char *piece = malloc(PIECE_BYTES);
	uint64_t left = TEXT_MAX_BYTES;
	bool complete = false;
	long result;

	if (texts == NULL || piece == NULL)
		return -ENOMEM;
	texts->job = job;
	result = maps_read(job->target->maps, note_mapping, texts);
	if (result < 0)
		return (int)result;
	qsort(texts->found, texts->nr, sizeof(texts->found[0]), by_rank);
	for (size_t i = 0; i < texts->nr && !complete; i++)
		complete = search_range(job, &texts->found[i].range, piece, &left);
	if (!complete || fault_forced("no-self-restore"))
		job->code.resume = 0;
	return 0;
}

static int open_mem(struct job *job, pid_t tid, struct tide_error *err)
{
	struct tide_target *target = job->target;
	char path[32];

	snprintf(path, sizeof(path), "task/%d/mem", tid);
	job->mem = sys_openat(target->dir, path, O_RDWR);
	if (job->mem == -EACCES || job->mem == -EPERM)
		return error_set(err, TIDE_CAUSE_DENIED, job->mem,
		                 "not allowed to reach into process %d (%s): run as root or as its user", target->pid,
		                 target->name);
	if (job->mem < 0)
		return error_system(err, job->mem == -ENOENT ? -ESRCH : job->mem,
		                    "cannot open the memory of process %d (%s)", target->pid, target->name);
	return 0;
}

struct company {
	struct job *job;
	pid_t tid;
};

/* Numbers come in ascending order. One that is given to another process by the time of the stop has gone all round. */
static int note_stranger(void *arg, pid_t pid)
{
	struct company *company = arg;

	if (freeze_is_shared(company->tid, pid))
		return 0;
	return vec_push(&company->job->freeze.strangers, pid);
}

static int count_thread(void *arg, pid_t tid)
{
	size_t *nr = arg;

	(void)tid;
	++*nr;
	return 0;
}

static int reserve_tasks(struct job *job, pid_t tid, struct tide_error *err)
{
	struct company company = { job, tid };
	size_t nr = 0;
	int result = procfs_each_thread(job->target->dir, count_thread, &nr);

	if (result < 0)
		return error_system(err, result, "cannot list the threads of process %d (%s)", job->target->pid,
		                    job->target->name);
	result = procfs_each_process(note_stranger, &company);
	if (result < 0)
		return error_system(err, result, "cannot look for processes that share with %d (%s)", job->target->pid,
		                    job->target->name);
	job->freeze.capacity = 2 * nr + NR_TASKS_SPARE;
	job->freeze.tasks = calloc(job->freeze.capacity, sizeof(job->freeze.tasks[0]));
	if (job->freeze.tasks == NULL)
		return error_system(err, -ENOMEM, "cannot note %zu threads", nr);
	return 0;
}

int plan_stop(struct job *job, struct tide_error *err)
{
	pid_t tid;
	int result = target_live_thread(job->target, &tid, err);

	if (result == 0)
		result = open_mem(job, tid, err);
	return result == 0 ? reserve_tasks(job, tid, err) : result;
}

int plan_make(struct job *job, struct tide_error *err)
{
	int result = plan_stop(job, err);

	if (result < 0)
		return result;
	result = find_code(job);
	if (result < 0)
		return error_system(err, result, "cannot read the code of process %d (%s)", job->target->pid,
		                    job->target->name);
	if (job->code.enter == 0)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "process %d (%s) has no system call instruction that can be used", job->target->pid,
		                 job->target->name);
	return 0;
}

void plan_end(struct job *job)
{
	sys_close(job->mem);
	free(job->freeze.tasks);
	vec_free(&job->freeze.strangers);
	job->mem = -1;
	job->freeze = (struct freeze){ 0 };
}
