/* SPDX-License-Identifier: MIT */
/* This file changes shared memory: through this mapping, through another one, through its descriptor. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutator.h"

enum {
	MOST = 64 << 10,
};

static void store(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_SHARED, MOST, PAGE, &size);

	touch(m, at, size);
}

/* The area that holds `at`. */
static struct area *area_of(struct mutator *m, const char *at)
{
	unsigned i = 0;

	while (i + 1 < m->nr_areas && (at < m->areas[i].at || at >= m->areas[i].at + m->areas[i].size))
		i++;
	return &m->areas[i];
}

static void store_elsewhere(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_MEMFD, MOST, PAGE, &size);
	struct area *area = area_of(m, at);

	touch(m, area->alias + (at - area->at), size);
}

static void write_descriptor(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_MEMFD | AREA_SHARED_FILE, MOST, 8, &size);
	struct area *area = area_of(m, at);

	scribble(m, m->bounce, size);
	must(pwrite(area->fd, m->bounce, size, at - area->at) == (ssize_t)size, "pwrite");
}

static void punch(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_MEMFD | AREA_SHARED_FILE, MOST, PAGE, &size);
	struct area *area = area_of(m, at);

	must(fallocate(area->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at - area->at, (off_t)size) == 0,
	     "fallocate");
	if (draw_below(m, 2) == 0)
		touch(m, at, PAGE);
}

static void dontneed(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_SHARED, MOST, PAGE, &size);

	must(madvise(at, size, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	for (size_t i = 0; i < size; i += PAGE)
		if (draw_below(m, 2) == 0)
			(void)*(volatile char *)(at + i);
}

static void fork_writes(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_SHARED, MOST, PAGE, &size);
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0) {
		touch(m, at, size);
		_exit(0);
	}
	must(waitpid(child, NULL, 0) == child, "waitpid");
	draw(m);
}

/* Clean file pages leave the page tables and come back. */
static void write_back(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_SHARED_FILE, MOST, PAGE, &size);

	must(msync(at, size, MS_SYNC) == 0, "msync");
	agreed(m, madvise(at, size, MADV_PAGEOUT) == 0);
	touch(m, at, PAGE);
}

static const struct op OPS[] = {
	{ .name = "shared-store", .flags = OP_SHARED, .run = store },
	{ .name = "second-mapping", .flags = OP_SHARED, .run = store_elsewhere },
	{ .name = "descriptor", .flags = OP_SHARED, .run = write_descriptor },
	{ .name = "punch-hole", .flags = OP_SHARED, .run = punch },
	{ .name = "shared-dontneed", .flags = OP_SHARED, .run = dontneed },
	{ .name = "shared-fork", .flags = OP_SHARED, .run = fork_writes },
	{ .name = "write-back", .flags = OP_SHARED, .run = write_back },
	{ 0 },
};

const struct family family_shared = { .name = "shared", .ops = OPS };
