/* SPDX-License-Identifier: MIT */
/* This file changes and watches the memory of a child, and knows what of it must be the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "watch-steps.h"

unsigned char *area_map(size_t size, int flags)
{
	unsigned char *memory = mmap(NULL, size + BLOCK, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
	uintptr_t start = ((uintptr_t)memory + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1);

	assert_true(memory != MAP_FAILED);
	/* What is around it goes, so that it is a mapping of its own. */
	if (start > (uintptr_t)memory)
		munmap(memory, start - (uintptr_t)memory);
	munmap((unsigned char *)start + size, (uintptr_t)memory + BLOCK - start);
	madvise((void *)start, size, MADV_NOHUGEPAGE);
	return (unsigned char *)start;
}

static int obey(int in, int out, void *arg)
{
	struct order *order = arg;

	for (;;) {
		child_say(out);
		child_pause(in);
		order->result = order->fn(order);
	}
	return 0;
}

void watched_start(struct watched *self, unsigned char *area, size_t size)
{
	self->order = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
	assert_true(self->order != MAP_FAILED);
	self->area = area;
	self->size = size;
	self->copy = calloc(1, size);
	self->pages = calloc(size / PAGE, sizeof(int));
	self->whys = calloc(size / PAGE, sizeof(int));
	assert_true(self->copy != NULL && self->pages != NULL && self->whys != NULL);
	if (self->max == 0)
		self->max = 64;
	child_start(&self->child, obey, self->order);
}

void watched_last_copy(struct watched *self)
{
	if (self->mem > 0) {
		close(self->pagemap);
		close(self->mem);
	}
	self->pagemap = self->mem = 0;
}

void watched_close(struct watched *self)
{
	tide_watch_close(self->watch);
	tide_target_close(self->target);
	watched_last_copy(self);
	self->watch = NULL;
	self->target = NULL;
}

void watched_end(struct watched *self)
{
	watched_close(self);
	child_end(&self->child);
	if (self->area != NULL)
		munmap(self->area, self->size);
	if (self->order != NULL)
		munmap(self->order, PAGE);
	free(self->copy);
	free(self->pages);
	free(self->whys);
	memset(self, 0, sizeof(*self));
}

long watched_order(struct watched *self, long (*fn)(struct order *order), unsigned char *at, size_t size, long value)
{
	*self->order = (struct order){ .fn = fn, .at = at, .size = size, .value = value };
	child_step(&self->child);
	return self->order->result;
}

/* Through any thread, as the main thread may have ended. */
static int open_of(const struct watched *self, const char *name)
{
	pid_t pid = self->child.pid, tid = self->tid > 0 ? self->tid : pid;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Holes stay holes. */
static void read_range(struct watched *self, size_t from, size_t to, unsigned char *out)
{
	uint64_t first = (uint64_t)(uintptr_t)self->area / PAGE;
	uint64_t *entries = calloc(to - from, sizeof(entries[0]));
	ssize_t nr;

	assert_non_null(entries);
	memset(out, self->hole, (to - from) * PAGE);
	nr = pread(self->pagemap, entries, (to - from) * sizeof(entries[0]),
	           (off_t)((first + from) * sizeof(entries[0])));
	for (size_t page = 0, end; nr > 0 && page < to - from; page = end) {
		ssize_t got = 0;

		for (end = page; end < to - from && entries[end] >> 62; end++)
			;
		if (end > page)
			got = pread(self->mem, out + page * PAGE, (end - page) * PAGE,
			            (off_t)((first + from + page) * PAGE));
		/* Forbidden memory is for nobody to read, on kernels that force it for tracers only. */
		if (got < 0 && errno == EIO)
			memmove(out + page * PAGE, self->copy + (from + page) * PAGE, PAGE);
		/* One page further where this one is not there, or has gone. */
		end = page + (got > 0 ? (size_t)got / PAGE : 1);
	}
	free(entries);
}

static bool is_mapped(const struct watched *self, size_t page)
{
	return tide_layout_find(tide_watch_layout(self->watch), (uint64_t)(uintptr_t)self->area + page * PAGE) != NULL;
}

void watched_compare(struct watched *self)
{
	unsigned char *now = malloc(self->size);

	assert_non_null(now);
	read_range(self, 0, self->size / PAGE, now);
	for (size_t page = 0; page < self->size / PAGE; page++) {
		if (!is_mapped(self, page))
			memset(self->copy + page * PAGE, 0, PAGE);
		else if (memcmp(now + page * PAGE, self->copy + page * PAGE, PAGE) != 0)
			fail_msg("a write to page %zu was lost: it holds %02x, and was reported with %02x", page,
			         now[page * PAGE], self->copy[page * PAGE]);
	}
	free(now);
}

void watched_first_copy(struct watched *self)
{
	self->pagemap = open_of(self, "pagemap");
	self->mem = open_of(self, "mem");
	read_range(self, 0, self->size / PAGE, self->copy);
}

const struct tide_watch_opts *watched_opts(struct tide_watch_opts *ask, const struct tide_watch_opts *opts)
{
	if (opts != NULL)
		memcpy(ask, opts, opts->size);
	if (ask->backend == NULL)
		ask->backend = getenv("WATCHED_BACKEND");
	ask->size = sizeof(*ask);
	return ask;
}

void watched_open(struct watched *self, const struct tide_watch_opts *opts)
{
	struct tide_watch_opts ask = { .size = sizeof(ask) };

	int result = tide_target_open(&self->target, self->child.pid, &self->err);

	if (result == 0)
		result = tide_watch_open(&self->watch, self->target, watched_opts(&ask, opts), &self->err);
	if (result < 0)
		fail_msg("%s", self->err.text);
	watched_first_copy(self);
}

void watched_take(struct watched *self, const struct tide_run *runs, long nr)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area, end = start + self->size;

	for (long i = 0; i < nr; i++) {
		uint64_t from = runs[i].start > start ? runs[i].start : start;
		uint64_t to = runs[i].end < end ? runs[i].end : end;

		if (from >= to)
			continue;
		for (uint64_t page = (from - start) / PAGE; page < (to - start) / PAGE; page++) {
			self->pages[page] = (int)runs[i].certainty;
			self->whys[page] = (int)runs[i].why;
		}
		read_range(self, (from - start) / PAGE, (to - start) / PAGE, self->copy + (from - start));
	}
}

uint64_t watched_collect(struct watched *self)
{
	struct tide_run *runs = calloc(self->max, sizeof(runs[0]));
	uint64_t before = 0, bytes = 0;
	long nr;

	assert_non_null(runs);
	for (size_t page = 0; page < self->size / PAGE; page++)
		self->pages[page] = NOT_WRITTEN;
	while ((nr = tide_watch_collect(self->watch, runs, self->max, &self->err)) > 0) {
		assert_true((size_t)nr <= self->max);
		for (long i = 0; i < nr; i++) {
			assert_true(runs[i].start >= before && runs[i].start < runs[i].end);
			before = runs[i].end;
		}
		watched_take(self, runs, nr);
	}
	free(runs);
	if (nr < 0)
		fail_msg("%s", self->err.text);
	tide_watch_epoch(self->watch, &self->told);
	watched_compare(self);
	for (size_t page = 0; page < self->size / PAGE; page++)
		bytes += self->pages[page] != NOT_WRITTEN ? PAGE : 0;
	return bytes;
}

void assert_pages(const struct watched *self, size_t from, size_t to, int certainty)
{
	for (size_t page = from; page < to; page++)
		if (self->pages[page] != certainty)
			fail_msg("page %zu is '%s' (%s), not '%s'", page,
			         self->pages[page] < 0 ? "not written"
			                               : tide_certainty_name((unsigned)self->pages[page]),
			         self->pages[page] < 0 ? "" : tide_why_name((unsigned)self->whys[page]),
			         certainty < 0 ? "not written" : tide_certainty_name((unsigned)certainty));
}

/* Calls `fn` for all lines of a file. */
static FILE *text_of(pid_t pid, const char *file)
{
	char path[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	in = fopen(path, "re");
	assert_non_null(in);
	return in;
}

uint64_t number_of(pid_t pid, const char *file, const char *key)
{
	FILE *in = text_of(pid, file);
	char line[512];
	uint64_t sum = 0;

	while (fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			sum += strtoull(line + strlen(key) + 1, NULL, 10);
	fclose(in);
	return sum;
}

unsigned mappings_with_flag(pid_t pid, const char *flag)
{
	FILE *in = text_of(pid, "smaps");
	char line[1024], wanted[8];
	unsigned nr = 0;

	snprintf(wanted, sizeof(wanted), " %s ", flag);
	while (fgets(line, sizeof(line), in) != NULL)
		nr += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, wanted) != NULL;
	fclose(in);
	return nr;
}

unsigned descriptors_of(pid_t pid)
{
	char path[64], link[8];
	unsigned nr = 0;

	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		nr += readlink(path, link, sizeof(link)) > 0;
	}
	return nr;
}

long do_fill(struct order *order)
{
	memset(order->at, (int)order->value, order->size);
	return 0;
}

long do_touch(struct order *order)
{
	for (size_t at = 0; at < order->size; at += PAGE)
		order->at[at] = (unsigned char)order->value;
	return 0;
}

long do_read(struct order *order)
{
	long sum = 0;

	for (size_t at = 0; at < order->size; at += PAGE)
		sum += ((volatile unsigned char *)order->at)[at];
	return sum;
}

long do_advise(struct order *order)
{
	return madvise(order->at, order->size, (int)order->value);
}

long do_unmap(struct order *order)
{
	return munmap(order->at, order->size);
}

long do_map(struct order *order)
{
	return mmap(order->at, order->size, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (int)order->value, -1, 0) == order->at
	               ? 0
	               : -1;
}

long do_protect(struct order *order)
{
	return mprotect(order->at, order->size, (int)order->value);
}

int watched_setup(void **state)
{
	*state = calloc(1, sizeof(struct watched));
	return *state == NULL;
}

int watched_teardown(void **state)
{
	watched_end(*state);
	free(*state);
	return 0;
}
