/* SPDX-License-Identifier: MIT */
/* This file watches by mprotect, and keeps a copy. */
#include "mprotect-steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

unsigned char *guard_map(size_t size, int prot)
{
	unsigned char *memory = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

int guard_try(struct guard *self, unsigned char *memory, size_t size)
{
	struct tide_range range = { (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + size };
	struct tide_watch_opts opts = {
		.size = sizeof(opts),
		.ranges = size > 0 ? &range : NULL,
		.nr_ranges = size > 0,
		.backend = "mprotect",
	};
	int result = tide_target_open(&self->target, getpid(), &self->err);

	if (result == 0)
		result = tide_watch_open(&self->watch, self->target, &opts, &self->err);
	return result;
}

void guard_open(struct guard *self, unsigned char *memory, size_t size)
{
	*self = (struct guard){ .memory = memory, .size = size };
	if (guard_try(self, memory, size) < 0)
		fail_msg("%s", self->err.text);
	self->copy = guard_map(size, PROT_READ | PROT_WRITE);
	self->pages = calloc(size / PAGE, sizeof(self->pages[0]));
	self->whys = calloc(size / PAGE, sizeof(self->whys[0]));
	assert_true(self->pages != NULL && self->whys != NULL);
	memcpy(self->copy, memory, size);
}

void guard_close(struct guard *self)
{
	tide_watch_close(self->watch);
	tide_target_close(self->target);
	if (self->copy != NULL)
		munmap(self->copy, self->size);
	free(self->pages);
	free(self->whys);
}

static size_t take(struct guard *self, const struct tide_run *run)
{
	uint64_t start = (uint64_t)(uintptr_t)self->memory;

	assert_true(run->start >= start && run->end <= start + self->size && run->start < run->end);
	for (uint64_t at = run->start - start; at < run->end - start; at += PAGE) {
		memcpy(self->copy + at, self->memory + at, PAGE);
		self->pages[at / PAGE] = (int)run->certainty;
		self->whys[at / PAGE] = (int)run->why;
	}
	return (run->end - run->start) / PAGE;
}

size_t guard_collect(struct guard *self)
{
	struct tide_run runs[16];
	size_t pages = 0;
	long nr;

	for (size_t i = 0; i < self->size / PAGE; i++)
		self->pages[i] = self->whys[i] = NOT_WRITTEN;
	while ((nr = tide_watch_collect(self->watch, runs, 16, &self->err)) > 0)
		for (long i = 0; i < nr; i++)
			pages += take(self, &runs[i]);
	if (nr < 0)
		fail_msg("%s", self->err.text);
	tide_watch_epoch(self->watch, &self->told);
	return pages;
}

void guard_compare(const struct guard *self)
{
	for (size_t at = 0; at < self->size; at += PAGE)
		if (memcmp(self->copy + at, self->memory + at, PAGE) != 0)
			fail_msg("page %zu was written, and not reported", at / PAGE);
}

static unsigned each_mapping(uint64_t at, char *flags)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512], told[5];
	unsigned nr = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		nr++;
		if (sscanf(line, "%lx-%lx %4s", &start, &end, told) == 3 && at >= start && at < end)
			memcpy(flags, told, sizeof(told));
	}
	fclose(maps);
	return nr;
}

int is_writable(const void *at)
{
	char flags[5] = "----";

	each_mapping((uint64_t)(uintptr_t)at, flags);
	return flags[1] == 'w';
}

unsigned nr_mappings(void)
{
	char flags[5];

	return each_mapping(0, flags);
}
