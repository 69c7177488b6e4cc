/* SPDX-License-Identifier: MIT */
/* This file makes arenas, and does the steps of scripts to them. */
#include "verify/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "kernel/sysfile.h"

#define BLOCK_BYTES ((size_t)ARENA_BLOCK * ARENA_PAGE)
#define ARENA_BYTES ((size_t)ARENA_PAGES * ARENA_PAGE)

void arena_failed(struct arena *arena, int result, const char *step)
{
	if (arena->error < 0 || result >= 0)
		return;
	arena->error = result;
	arena->why = step;
}

void arena_cannot(struct arena *arena, const char *why)
{
	arena_failed(arena, -ENOTSUP, why);
}

/* True when a step is to be done; a result < 0 of the one before ends the script. */
static bool go_on(struct arena *arena, int result, const char *step)
{
	arena_failed(arena, result, step);
	return arena->error == 0;
}

static void *at(const struct arena *arena, unsigned page)
{
	return (void *)(uintptr_t)(arena->start + (size_t)page * ARENA_PAGE);
}

size_t arena_huge_bytes(void)
{
	char text[2048];

	if (sysfile_read("/proc/self/smaps_rollup", text, sizeof(text)) <= 0)
		return 0;
	/* The first line has the addresses. */
	return (size_t)sysfile_number(text, "AnonHugePages:", 0) * 1024;
}

static int map_file(struct arena *arena, int sharing)
{
	int result;

	arena->file = sys_memfd_create("tidemark-arena");
	if (arena->file < 0)
		return arena->file;
	arena->mapped_bytes = ARENA_BYTES;
	result = sys_ftruncate(arena->file, (off_t)ARENA_BYTES);
	return result < 0 ? result
	                  : sys_mmap(&arena->mapped, ARENA_BYTES, PROT_READ | PROT_WRITE, sharing, arena->file, 0);
}

/* Memory of one huge page more, so that there is a beginning of one in it. */
static int map_anonymous(struct arena *arena, int advice)
{
	int result;

	arena->mapped_bytes = ARENA_BYTES + BLOCK_BYTES;
	result = sys_mmap(&arena->mapped, arena->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                  0);
	if (result < 0)
		return result;
	arena->start = (char *)(((uintptr_t)arena->mapped + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1));
	result = sys_madvise(at(arena, 0), ARENA_BYTES, advice);
	/* A kernel without huge pages knows neither advice. */
	return result == -EINVAL && advice == MADV_NOHUGEPAGE ? 0 : result;
}

static int map_hugetlb(struct arena *arena)
{
	arena->mapped_bytes = ARENA_BYTES;
	return sys_mmap(&arena->mapped, ARENA_BYTES, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
}

static void map(struct arena *arena, enum arena_kind kind)
{
	int result;

	if (kind == ARENA_FILE_PRIVATE || kind == ARENA_FILE_SHARED) {
		result = map_file(arena, kind == ARENA_FILE_SHARED ? MAP_SHARED : MAP_PRIVATE);
	} else if (kind == ARENA_HUGETLB) {
		result = map_hugetlb(arena);
		if (result == -ENOMEM || result == -EINVAL)
			arena_cannot(arena, "hugetlb's pool has no two free huge pages of 2 MiB");
	} else if (kind == ARENA_EMPTY || kind == ARENA_SMALL) {
		result = map_anonymous(arena, MADV_NOHUGEPAGE);
	} else {
		result = map_anonymous(arena, MADV_HUGEPAGE);
		if (result == -EINVAL)
			arena_cannot(arena, "this kernel has no transparent huge pages");
	}
	if (go_on(arena, result, "mapping memory to try it on") && arena->start == NULL)
		arena->start = arena->mapped;
}

static void fill(struct arena *arena, enum arena_kind kind)
{
	size_t huge = arena_huge_bytes();
	unsigned nr = kind == ARENA_HUGETLB ? ARENA_BLOCK : ARENA_PAGES;

	if (kind == ARENA_EMPTY || kind == ARENA_HUGE_EMPTY || arena->error < 0)
		return;
	for (unsigned i = 0; i < nr; i++)
		arena->start[(size_t)i * ARENA_PAGE] = kind == ARENA_HUGE_SPARSE && i % 2 == 0 ? 0 : 1;
	if ((kind == ARENA_HUGE || kind == ARENA_HUGE_SPARSE) && arena_huge_bytes() < huge + ARENA_BYTES)
		arena_cannot(arena, "the kernel gave no transparent huge page");
}

void arena_init(struct arena *arena, const struct arena_tracker *tracker, enum arena_kind kind)
{
	*arena = (struct arena){ .tracker = tracker, .uffd = -1, .clear_refs = -1, .file = -1 };
	arena->pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
	if (!go_on(arena, arena->pagemap, "opening /proc/self/pagemap"))
		return;
	map(arena, kind);
	fill(arena, kind);
	if (arena->error == 0)
		go_on(arena, tracker->start(arena), "beginning to track memory of our own");
}

void arena_fini(struct arena *arena)
{
	sys_close(arena->uffd);
	sys_close(arena->pagemap);
	sys_close(arena->clear_refs);
	sys_close(arena->file);
	sys_munmap(arena->mapped, arena->mapped_bytes);
}

void arena_arm(struct arena *arena)
{
	bool seen[ARENA_PAGES] = { false };

	if (arena->error < 0 || !go_on(arena, arena->tracker->collect(arena, seen), "arming"))
		return;
	memset(seen, 0, sizeof(seen));
	if (!go_on(arena, arena->tracker->look(arena, seen), "looking at what was armed"))
		return;
	if (memchr(seen, true, sizeof(seen)) != NULL)
		arena_cannot(arena, "pages that nobody wrote after arming are reported");
}

void arena_changed(struct arena *arena, unsigned page, unsigned nr_pages)
{
	if (arena->error < 0)
		return;
	memset(&arena->changed[page], true, nr_pages);
}

void arena_write(struct arena *arena, unsigned page)
{
	if (arena->error < 0)
		return;
	arena->start[(size_t)page * ARENA_PAGE]++;
	arena_changed(arena, page, 1);
}

void arena_zero(struct arena *arena, unsigned page)
{
	if (arena->error < 0)
		return;
	memset(at(arena, page), 0, ARENA_PAGE);
	arena_changed(arena, page, 1);
}

void arena_read(struct arena *arena, unsigned page)
{
	if (arena->error == 0)
		(void)arena->start[(size_t)page * ARENA_PAGE];
}

int arena_advise(struct arena *arena, unsigned page, unsigned nr_pages, int advice)
{
	return arena->error < 0 ? 0 : sys_madvise(at(arena, page), (size_t)nr_pages * ARENA_PAGE, advice);
}

void arena_drop(struct arena *arena, unsigned page, unsigned nr_pages)
{
	if (go_on(arena, arena_advise(arena, page, nr_pages, MADV_DONTNEED), "madvise(MADV_DONTNEED)"))
		arena_changed(arena, page, nr_pages);
}

void arena_replace(struct arena *arena, unsigned page, unsigned nr_pages)
{
	size_t size = (size_t)nr_pages * ARENA_PAGE;
	void *fresh = NULL;

	if (arena->error < 0 ||
	    !go_on(arena, sys_mmap(&fresh, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap"))
		return;
	if (go_on(arena, sys_mremap(fresh, size, at(arena, page)), "moving a mapping"))
		arena_changed(arena, page, nr_pages);
	else
		sys_munmap(fresh, size);
}

void arena_register(struct arena *arena, unsigned page, unsigned nr_pages)
{
	uint64_t start = (uint64_t)(uintptr_t)at(arena, page);

	if (arena->error == 0)
		go_on(arena, uffd_register(arena->uffd, start, start + (uint64_t)nr_pages * ARENA_PAGE), "registering");
}

void arena_unregister(struct arena *arena, unsigned page, unsigned nr_pages)
{
	uint64_t start = (uint64_t)(uintptr_t)at(arena, page);

	if (arena->error == 0)
		go_on(arena, uffd_unregister(arena->uffd, start, start + (uint64_t)nr_pages * ARENA_PAGE),
		      "unregistering");
}

void arena_move(struct arena *arena)
{
	void *fresh = NULL;
	volatile char *from = arena->start;

	if (arena->error < 0 ||
	    !go_on(arena, sys_mmap(&fresh, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap"))
		return;
	if (!go_on(arena, sys_mremap((void *)(uintptr_t)from, ARENA_BYTES, fresh), "moving a mapping")) {
		sys_munmap(fresh, ARENA_BYTES);
		return;
	}
	/* What is left of the old place is less than a huge page at either end. */
	sys_munmap(arena->mapped, arena->mapped_bytes);
	arena->mapped = fresh;
	arena->mapped_bytes = ARENA_BYTES;
	arena->start = fresh;
	if (arena->uffd >= 0)
		arena_register(arena, 0, ARENA_PAGES);
}

void arena_collect(struct arena *arena)
{
	bool seen[ARENA_PAGES] = { false };

	if (arena->error < 0 || !go_on(arena, arena->tracker->collect(arena, seen), "collecting"))
		return;
	for (unsigned i = 0; i < ARENA_PAGES; i++) {
		arena->nr_changes += arena->changed[i];
		arena->nr_lost += arena->changed[i] && !seen[i];
		arena->nr_invented += seen[i] && !arena->changed[i];
	}
	memset(arena->changed, 0, sizeof(arena->changed));
}
