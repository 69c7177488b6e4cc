/* SPDX-License-Identifier: MIT */
/* This file asks in which way this kernel does what kernels do in several ways. */
#include "verify/kernel-ways.h"

#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uring.h"
#include "verify/ksm.h"

#define PAGE_BYTES  ((size_t)4096)
#define HUGE_BYTES  ((size_t)2 << 20)
#define APART_BYTES (5 * PAGE_BYTES)

/* Are these bits of a page's entry as they are to be? Of a process's that has our pages; 0: of our own. */
static bool entry_of_is(pid_t pid, const char *page, uint64_t bits, uint64_t value)
{
	char path[64];
	uint64_t entry = 0;
	int fd;
	bool is;

	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = sys_open(pid > 0 ? path : "/proc/self/pagemap", O_RDONLY);
	is = pagemap_read(fd, (uint64_t)(uintptr_t)page, &entry, 1) == 1 && (entry & bits) == value;
	sys_close(fd);
	return is;
}

static bool entry_is(const char *page, uint64_t bits, uint64_t value)
{
	return entry_of_is(0, page, bits, value);
}

static bool use(void *page, bool is_used)
{
	if (is_used)
		*(volatile char *)page = 1;
	return true;
}

/* A page of its own protection with two of another below and two above: nothing else merges with it. NULL: it failed.
 */
static char *map_apart(void **around, int protection)
{
	char *page;

	*around = NULL;
	if (sys_mmap(around, APART_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	page = (char *)*around + 2 * PAGE_BYTES;
	return sys_mprotect(page, PAGE_BYTES, protection) == 0 ? page : NULL;
}

/*
 * Two mappings of a page: the first protected as `was` and without a mark, the second as `has` and marked. Is the mark
 * lost when the first is protected as `has`?
 */
static bool loses_mark(int was, int has, bool is_used)
{
	void *around, *elsewhere = NULL;
	char *first = map_apart(&around, was), *second = (char *)around + 3 * PAGE_BYTES, *new;
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	bool lost = false;

	if (first != NULL && use(first, is_used) && sys_pwrite(clear, "4", 1, 0) == 1) {
		new = map_apart(&elsewhere, has);
		lost = new != NULL &&sys_mremap(new, PAGE_BYTES, second) == 0 &&
		       entry_is(second, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY) &&
		       sys_mprotect(first, PAGE_BYTES, has) == 0 && entry_is(second, PAGEMAP_SOFT_DIRTY, 0);
	}
	sys_munmap(elsewhere, APART_BYTES);
	sys_munmap(around, APART_BYTES);
	sys_close(clear);
	return lost;
}

bool ways_merges_lose_marks(void)
{
	return loses_mark(PROT_READ, PROT_NONE, false);
}

/* By the mark that is lost when they merge: what is accounted does not merge with what is not. */
bool ways_unaccounts(void)
{
	return loses_mark(PROT_READ | PROT_WRITE, PROT_READ, false);
}

bool ways_merges_used(void)
{
	return loses_mark(PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_WRITE, true);
}

/* Memory of its own that begins at `*memory`, its first page written to, as a huge page; NULL: it is not to be had. */
static char *fresh_huge(void **memory)
{
	char *huge;

	*memory = NULL;
	if (sys_mmap(memory, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	huge = (char *)(((uintptr_t)*memory + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	(void)sys_madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
	*(volatile char *)huge = 1;
	/* The last page is there with the first one. */
	if (!entry_is(huge + HUGE_BYTES - PAGE_BYTES, PAGEMAP_PRESENT, PAGEMAP_PRESENT))
		(void)sys_madvise(huge, HUGE_BYTES, MADV_COLLAPSE);
	return entry_is(huge + HUGE_BYTES - PAGE_BYTES, PAGEMAP_PRESENT, PAGEMAP_PRESENT) ? huge : NULL;
}

bool ways_splits_clean(void)
{
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	void *memory;
	char *huge = fresh_huge(&memory);
	bool is_clean = huge != NULL && sys_pwrite(clear, "4", 1, 0) == 1 &&
	                sys_madvise(huge, PAGE_BYTES, MADV_DONTNEED) == 0 &&
	                entry_is(huge + PAGE_BYTES, PAGEMAP_PRESENT | PAGEMAP_SOFT_DIRTY, PAGEMAP_PRESENT);

	sys_munmap(memory, 2 * HUGE_BYTES);
	sys_close(clear);
	return is_clean;
}

bool ways_moves_mark(void)
{
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	void *memory;
	char *huge = fresh_huge(&memory);
	bool marks = false;

	if (huge != NULL && sys_madvise(huge + PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED) == 0) {
		*(volatile char *)huge = 2;
		marks = sys_pwrite(clear, "4", 1, 0) == 1 && entry_is(huge, PAGEMAP_SOFT_DIRTY, 0) &&
		        sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE) == 0 &&
		        entry_is(huge, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	sys_close(clear);
	return marks;
}

bool ways_has_huge(void)
{
	void *memory;
	bool has = fresh_huge(&memory) != NULL;

	sys_munmap(memory, 2 * HUGE_BYTES);
	return has;
}

bool ways_moves_many(void)
{
	void *from = NULL, *to = NULL;
	bool moves = false;

	if (sys_mmap(&from, 2 * PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	    sys_mmap(&to, 2 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	    sys_mprotect(from, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0)
		moves = sys_mremap(from, 2 * PAGE_BYTES, to) == 0;
	if (!moves)
		sys_munmap(from, 2 * PAGE_BYTES);
	sys_munmap(to, 2 * PAGE_BYTES);
	return moves;
}

bool ways_collapses_read_only(void *huge)
{
	volatile char *page = huge;
	bool collapses;

	(void)sys_madvise(huge, HUGE_BYTES, MADV_NOHUGEPAGE);
	*page = 1;
	(void)sys_madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
	if (sys_mprotect(huge, HUGE_BYTES, PROT_READ) < 0)
		return false;
	collapses = sys_madvise(huge, HUGE_BYTES, MADV_COLLAPSE) == 0;
	return sys_mprotect(huge, HUGE_BYTES, PROT_READ | PROT_WRITE) == 0 && collapses;
}

static bool is_huge(const void *page)
{
	struct pagescan scan = {
		.start = (uint64_t)(uintptr_t)page,
		.end = (uint64_t)(uintptr_t)page + PAGE_BYTES,
		.all_of = PAGESCAN_HUGE,
		.returned = PAGESCAN_HUGE,
	};
	struct pagescan_region region;
	int fd = sys_open("/proc/self/pagemap", O_RDONLY);
	bool is = pagescan(fd, &scan, &region, 1) == 1;

	sys_close(fd);
	return is;
}

bool ways_frees_tables(void *huge)
{
	volatile char *page = huge;

	(void)sys_madvise(huge, HUGE_BYTES, MADV_NOHUGEPAGE);
	*page = 1;
	(void)sys_madvise(huge, HUGE_BYTES, MADV_DONTNEED);
	if (sys_madvise(huge, HUGE_BYTES, MADV_HUGEPAGE) < 0)
		return false;
	*page = 1;
	return is_huge(huge);
}

/* A place that nothing was in yet, so that no table is left of it. */
bool ways_zeros_stay_huge(char *huge)
{
	volatile char *page = huge;

	(void)sys_madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
	(void)*page;
	*page = 1;
	return is_huge(huge);
}

static bool is_once(const char *page)
{
	return entry_is(page, PAGEMAP_EXCLUSIVE, PAGEMAP_EXCLUSIVE);
}

/* Nobody maps the zero page once. */
bool ways_splits_map_zeros(void)
{
	void *memory;
	char *huge = fresh_huge(&memory);
	bool maps = huge != NULL && sys_madvise(huge, PAGE_BYTES, MADV_FREE) == 0 &&
	            entry_is(huge + PAGE_BYTES, PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE, PAGEMAP_PRESENT);

	sys_munmap(memory, 2 * HUGE_BYTES);
	return maps;
}

/* Forks; the child does `before`, if any, and ends when the parent lets go of what is returned. < 0: it failed. */
static pid_t share(void (*before)(char *), char *huge, int *hold)
{
	int ends[2], byte = 0;
	pid_t child;

	*hold = -1;
	if (sys_socketpair(ends) < 0)
		return -1;
	child = sys_clone(SIGCHLD);
	if (child < 0) {
		sys_close(ends[0]);
		sys_close(ends[1]);
		return child;
	}
	if (child == 0) {
		if (before != NULL)
			before(huge);
		(void)sys_send(ends[1], &byte, sizeof(byte));
		sys_close(ends[0]);
		(void)sys_receive(ends[1], &byte, sizeof(byte));
		sys_exit(0);
	}
	sys_close(ends[1]);
	*hold = ends[0];
	(void)sys_receive(ends[0], &byte, sizeof(byte));
	return child;
}

static void part(pid_t child, int hold)
{
	int status;

	if (child <= 0)
		return;
	sys_close(hold);
	(void)sys_wait4(child, &status, 0);
}

/* What was pinned is not shared at fork: by that it shows which pages are of one folio. */
static bool is_of_pinned(char *huge, size_t pinned, size_t page)
{
	struct uring ring;
	bool once = false;
	pid_t child;
	int hold;

	if (uring_open(&ring) < 0)
		return false;
	if (uring_pin(&ring, huge + pinned * PAGE_BYTES, PAGE_BYTES) == 0) {
		child = share(NULL, huge, &hold);
		once = child > 0 && is_once(huge + page * PAGE_BYTES);
		part(child, hold);
		(void)uring_unpin(&ring);
	}
	uring_close(&ring);
	return once;
}

bool ways_pins_files(void)
{
	void *private = NULL, *shared = NULL;
	struct uring ring;
	bool is_moved = false, pins = false;

	if (uring_open(&ring) < 0)
		return false;
	if (sys_mmap(&private, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	    sys_mmap(&shared, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == 0) {
		is_moved = sys_mremap(shared, PAGE_BYTES, (char *)private + PAGE_BYTES) == 0;
		pins = is_moved && uring_pin(&ring, private, 2 * PAGE_BYTES) == 0 && uring_unpin(&ring) == 0;
	}
	uring_close(&ring);
	if (!is_moved)
		sys_munmap(shared, PAGE_BYTES);
	sys_munmap(private, 2 * PAGE_BYTES);
	return pins;
}

bool ways_reuses_large(void)
{
	void *memory;
	char *huge = fresh_huge(&memory);
	bool reuses = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = share(NULL, huge, &hold);
		part(child, hold);
		/* Entries of pages from here on, of the same folio. */
		(void)sys_madvise(huge + PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED);
		((volatile char *)huge)[2 * PAGE_BYTES] = 1;
		reuses = child > 0 && is_of_pinned(huge, 3, 2);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return reuses;
}

static void drop_second(char *huge)
{
	(void)sys_madvise(huge + PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED);
}

/* A child shares all of the huge page but the second of its pages, which is then the parent's alone. */
bool ways_once_of_first(void)
{
	void *memory;
	char *huge = fresh_huge(&memory);
	bool is_of_first = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = share(drop_second, huge, &hold);
		is_of_first = child > 0 && !is_once(huge + PAGE_BYTES);
		part(child, hold);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return is_of_first;
}

/*
 * A child maps all of the huge page, the parent all but the first page. What madvise() splits shows in the child where
 * pagemap says of a huge entry what holds for its first page.
 */
bool ways_shared_by_page(void)
{
	void *memory;
	char *huge = fresh_huge(&memory);
	bool was_once = false, is_split = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = share(NULL, huge, &hold);
		*(volatile char *)huge = 2;
		was_once = child > 0 && entry_of_is(child, huge + PAGE_BYTES, PAGEMAP_EXCLUSIVE, PAGEMAP_EXCLUSIVE);
		(void)sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE);
		is_split = was_once && entry_of_is(child, huge + PAGE_BYTES, PAGEMAP_EXCLUSIVE, 0);
		part(child, hold);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return is_split;
}

static void keep_last(char *huge)
{
	(void)sys_madvise(huge, HUGE_BYTES - PAGE_BYTES, MADV_DONTNEED);
}

/* A child shares one page of many, and not the first. What is split shows by its zeros. */
bool ways_shared_likely(void)
{
	void *memory;
	char *huge = fresh_huge(&memory);
	bool is_split = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = share(keep_last, huge, &hold);
		drop_second(huge);
		(void)sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE);
		is_split = child > 0 && !is_once(huge + 3 * PAGE_BYTES);
		part(child, hold);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return is_split;
}

bool ways_protects_clean(void)
{
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	void *memory;
	char *huge = fresh_huge(&memory);
	struct uring ring;
	bool protects = false;

	if (huge != NULL && uring_open(&ring) == 0) {
		protects = sys_mprotect(huge, PAGE_BYTES, PROT_WRITE) == 0 &&
		           uring_pin(&ring, huge + PAGE_BYTES, PAGE_BYTES) == 0 && sys_pwrite(clear, "4", 1, 0) == 1 &&
		           entry_is(huge + PAGE_BYTES, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY) &&
		           entry_is(huge, PAGEMAP_SOFT_DIRTY, 0);
		uring_close(&ring);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	sys_close(clear);
	return protects;
}

/* Two equal pages that KSM has merged, if it did; NULL: it cannot be asked. */
static char *merge_two(int protection)
{
	void *memory = NULL;
	char *pages;

	if (sys_mmap(&memory, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return NULL;
	pages = memory;
	memset(pages, 1, 2 * PAGE_BYTES);
	if (sys_madvise(pages, 2 * PAGE_BYTES, MADV_MERGEABLE) == 0 &&
	    sys_mprotect(pages, 2 * PAGE_BYTES, protection) == 0 && ksm_settle() == 0)
		return pages;
	sys_munmap(pages, 2 * PAGE_BYTES);
	return NULL;
}

bool ways_passes_forbidden(void)
{
	char *pages = merge_two(PROT_NONE);
	bool passes = pages != NULL && is_once(pages);

	sys_munmap(pages, 2 * PAGE_BYTES);
	return passes;
}

bool ways_unmerges_by_write(void)
{
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	char *pages = merge_two(PROT_READ | PROT_WRITE);
	bool writes = pages != NULL && !is_once(pages) && sys_pwrite(clear, "4", 1, 0) == 1 &&
	              entry_is(pages, PAGEMAP_SOFT_DIRTY, 0) &&
	              sys_madvise(pages, 2 * PAGE_BYTES, MADV_UNMERGEABLE) == 0 &&
	              entry_is(pages, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY);

	sys_munmap(pages, 2 * PAGE_BYTES);
	sys_close(clear);
	return writes;
}

struct span {
	uint64_t page, bytes;
};

static int find_span(void *arg, const struct vma *vma)
{
	struct span *span = arg;

	if (vma->start <= span->page && span->page < vma->end)
		span->bytes = vma->end - vma->start;
	return 0;
}

/*
 * A page that was moved, for which another of its mapping had been used, and then moved away: it has a place in that
 * mapping, and not here, unless it counts as new again.
 */
bool ways_leaves_as_new(void)
{
	void *from = NULL, *around, *away;
	char *page = map_apart(&around, PROT_NONE);
	struct span span = { .page = (uint64_t)(uintptr_t)page };
	int maps = sys_open("/proc/self/maps", O_RDONLY);

	away = (char *)around + 4 * PAGE_BYTES;
	if (page != NULL &&
	    sys_mmap(&from, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	    use((char *)from + PAGE_BYTES, true) && sys_mremap(from, PAGE_BYTES, page) == 0 &&
	    mremap(page, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, away) == away &&
	    sys_mprotect(around, 4 * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0)
		(void)maps_read(maps, find_span, &span);
	sys_munmap(from, 2 * PAGE_BYTES);
	sys_munmap(around, APART_BYTES);
	sys_close(maps);
	return span.bytes > PAGE_BYTES;
}
