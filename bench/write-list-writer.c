/* SPDX-License-Identifier: MIT */
/* This file is a child process that writes its memory when it is told, and who tracks it. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "write-list.h"

static _Noreturn int obey(int in, int out, void *arg)
{
	struct task *task = arg;

	for (;;) {
		child_say(out);
		child_pause(in);
		task->answer = task->fn(task);
	}
}

uint64_t writer_do(struct writer *writer, task_fn *fn, uint64_t nr, uint64_t seed)
{
	writer->task->fn = fn;
	writer->task->nr = nr;
	writer->task->seed = seed;
	child_step(&writer->child);
	return writer->task->answer;
}

void writer_start(struct writer *writer, task_fn *make, uint64_t size)
{
	*writer = (struct writer){ 0 };
	writer->task = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (writer->task == MAP_FAILED)
		fail("cannot map memory", 0);
	writer->task->size = size;
	child_start(&writer->child, obey, writer->task);
	writer_do(writer, make, 0, 0);
	if (writer->task->arena == NULL)
		fail("a child cannot map its memory", 0);
}

void writer_end(struct writer *writer)
{
	if (writer->is_watched)
		watched_close(&writer->watched);
	child_end(&writer->child);
	munmap(writer->task, PAGE);
}

void writer_watch(struct writer *writer, const char *backend, uint64_t granularity, bool whole)
{
	uint64_t start = (uint64_t)(uintptr_t)writer->task->arena;
	struct tide_range range = { start, start + writer->task->size };
	struct tide_watch_opts opts = {
		.size = sizeof(opts),
		.ranges = whole ? NULL : &range,
		.nr_ranges = whole ? 0 : 1,
		.backend = backend,
		.granularity_bytes = granularity,
	};
	struct tide_error err = { 0 };
	struct tide_epoch epoch;

	if (tide_target_open(&writer->watched.target, writer->child.pid, &err) < 0 ||
	    tide_watch_open(&writer->watched.watch, writer->watched.target, &opts, &err) < 0)
		fail_error(&err);
	writer->is_watched = true;
	writer_collect(writer, NULL);
	writer_do(writer, write_in_order, 1, 0);
	writer_collect(writer, &epoch);
	if (strcmp(backend, "uffd_log") == 0 && epoch.nr_faults == 0)
		fail("the arena's writes are not listed", 0);
}

uint64_t writer_collect(struct writer *writer, struct tide_epoch *epoch)
{
	uint64_t nr_pages;

	if (!writer->is_watched)
		return 0;
	nr_pages = watched_collect(&writer->watched);
	if (epoch != NULL)
		tide_watch_epoch(writer->watched.watch, epoch);
	return nr_pages;
}

/* Not in the midst of memory without access: what lies above that passes for a stack, whose writes are not listed. */
static unsigned char *map_alone(uint64_t size, int advice)
{
	unsigned char *room = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t before = HUGE_PAGE - (uintptr_t)room % HUGE_PAGE;

	if (room == MAP_FAILED || munmap(room, before) != 0 || madvise(room + before, size, advice) != 0)
		return NULL;
	munmap(room + before + size, HUGE_PAGE - before);
	return room + before;
}

uint64_t make_pages(struct task *task)
{
	task->arena = map_alone(task->size, MADV_NOHUGEPAGE);
	if (task->arena != NULL)
		arena_populate(task->arena, task->size);
	return 0;
}

uint64_t make_small_zeros(struct task *task)
{
	task->arena = map_alone(task->size, MADV_NOHUGEPAGE);
	if (task->arena != NULL && madvise(task->arena, task->size, MADV_POPULATE_READ) != 0)
		task->arena = NULL;
	return 0;
}

uint64_t make_huge_zeros(struct task *task)
{
	unsigned char sum = 0;

	task->arena = map_alone(task->size, MADV_HUGEPAGE);
	for (uint64_t at = 0; task->arena != NULL && at < task->size; at += HUGE_PAGE)
		sum |= ((volatile unsigned char *)task->arena)[at];
	return sum;
}

static uint64_t write_each(struct task *task, uint64_t step)
{
	uint64_t began_ns = now_ns();

	for (uint64_t i = 0; i < task->nr; i++)
		task->arena[i * step]++;
	return now_ns() - began_ns;
}

uint64_t write_in_order(struct task *task)
{
	return write_each(task, PAGE);
}

uint64_t write_each_64th(struct task *task)
{
	return write_each(task, 64 * PAGE);
}

uint64_t write_here_and_there(struct task *task)
{
	uint32_t *pages = arena_pages(task->size / PAGE, task->nr, task->seed);
	uint64_t began_ns = now_ns(), taken_ns;

	for (uint64_t i = 0; i < task->nr; i++)
		task->arena[pages[i] * PAGE]++;
	taken_ns = now_ns() - began_ns;
	free(pages);
	return taken_ns;
}

uint64_t give_up(struct task *task)
{
	uint64_t began_ns = now_ns();

	for (uint64_t i = 0; i < task->nr; i++)
		if (madvise(task->arena + i * PAGE, PAGE, MADV_DONTNEED) != 0)
			_exit(1);
	return now_ns() - began_ns;
}

uint64_t track_oneself(struct task *task)
{
	fault_start(task->arena, task->size);
	fault_arm();
	return 0;
}

uint64_t collect_oneself(struct task *task)
{
	uint64_t max = task->size / PAGE, nr;
	uint64_t *addresses = malloc(max * sizeof(addresses[0]));

	if (addresses == NULL)
		_exit(1);
	nr = fault_collect(addresses, max);
	free(addresses);
	return nr;
}
