/* SPDX-License-Identifier: MIT */
/* This file makes the memory that the mutator plays with. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutator.h"

enum {
	RW = PROT_READ | PROT_WRITE,
	FILE_SIZE = 1 << 20,
};

int temporary_file(int flags, size_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir != NULL && *dir != 0 ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);

	if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* `size` bytes at a huge page's boundary, with a hole of a huge page on both sides. */
static char *map_aligned(size_t size)
{
	char *wide = mmap(NULL, size + 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)wide + 2 * HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	must(wide != MAP_FAILED, "mmap");
	must(munmap(wide, size + 3 * HUGE) == 0, "munmap");
	must(mmap(at, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at, "mmap at a boundary");
	return at;
}

static int file_of(unsigned kinds, size_t size)
{
	int fd = -1;

	if ((kinds & AREA_MEMFD) != 0) {
		fd = memfd_create("torture", MFD_CLOEXEC);
		must(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd_create");
	} else if ((kinds & (AREA_SHARED_FILE | AREA_PRIVATE_FILE)) != 0) {
		fd = temporary_file(0, size);
		must(fd >= 0, "a file in TMPDIR");
	}
	return fd;
}

struct area *area_add(struct mutator *m, unsigned kinds, size_t size)
{
	struct area *area = &m->areas[m->nr_areas++];
	int shared = (kinds & AREA_SHARED) != 0 ? MAP_SHARED : MAP_PRIVATE;

	must(m->nr_areas <= MAX_AREAS, "room for areas");
	*area = (struct area){ .kinds = kinds, .size = size, .fd = file_of(kinds, size) };
	if ((kinds & AREA_THP) != 0) {
		area->at = map_aligned(size);
		madvise(area->at, size, MADV_HUGEPAGE);
	} else {
		area->at = mmap(NULL, size, RW, shared | (area->fd < 0 ? MAP_ANONYMOUS : 0), area->fd, 0);
	}
	must(area->at != MAP_FAILED, "mmap");
	if ((kinds & AREA_MEMFD) != 0)
		area->alias = mmap(NULL, size, RW, MAP_SHARED, area->fd, 0);
	must(area->alias != MAP_FAILED, "mmap");
	return area;
}

/* Half of the areas begin full, the others with holes. */
static void fill(struct mutator *m, struct area *area)
{
	if ((area->kinds & AREA_PRIVATE_FILE) != 0)
		for (size_t at = 0; at < area->size; at += BOUNCE_SIZE) {
			scribble(m, m->bounce, BOUNCE_SIZE);
			must(pwrite(area->fd, m->bounce, BOUNCE_SIZE, (off_t)at) == BOUNCE_SIZE, "pwrite");
		}
	else if ((area->kinds & AREA_RING) != 0 || draw_below(m, 2) == 0)
		touch(m, area->at, area->size);
	else
		for (size_t at = 0; at < area->size; at += PAGE)
			if (draw_below(m, 8) == 0)
				touch(m, area->at + at, PAGE);
}

void areas_make(struct mutator *m, bool shared)
{
	m->bounce = mmap(NULL, BOUNCE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(m->bounce != MAP_FAILED, "mmap");
	scribble(m, m->bounce, BOUNCE_SIZE);
	m->quiet = map_aligned(HUGE);
	if (draw_below(m, 2) == 0)
		madvise(m->quiet, HUGE, MADV_HUGEPAGE);
	scribble(m, m->quiet, HUGE);
	area_add(m, AREA_ANON, 3 << 20);
	area_add(m, AREA_ANON, FILE_SIZE);
	area_add(m, AREA_THP, 3 * HUGE);
	area_add(m, AREA_PRIVATE_FILE, FILE_SIZE);
	if (shared) {
		area_add(m, AREA_MEMFD, 2 << 20);
		area_add(m, AREA_SHARED_ANON, FILE_SIZE);
		area_add(m, AREA_SHARED_FILE, FILE_SIZE);
	}
	for (unsigned i = 0; i < m->nr_areas; i++)
		fill(m, &m->areas[i]);
}
