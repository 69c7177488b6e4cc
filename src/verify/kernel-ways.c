/* SPDX-License-Identifier: MIT */
/* This file asks in which way this kernel does what kernels do in several ways; of huge pages: kernel-ways-huge.c. */
#include "verify/kernel-ways.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "kernel/uring.h"
#include "verify/ksm.h"
#include "verify/own-page.h"

static bool use(void *page)
{
	*(volatile char *)page = 1;
	return true;
}

/*
 * Two mappings of a page: the first protected as `was` and without a mark, the second as `has` and marked. Is the mark
 * lost when the first is protected as `has`?
 */
static bool loses_mark(int was, int has, bool is_used)
{
	void *around, *elsewhere = NULL;
	char *first = own_map_apart(&around, was), *second = (char *)around + 3 * PAGE_BYTES, *marked;
	bool lost = false;

	if (first != NULL && (!is_used || use(first)) && own_clear_marks()) {
		marked = own_map_apart(&elsewhere, has);
		lost = marked != NULL && sys_mremap(marked, PAGE_BYTES, second) == 0 &&
		       own_entry_is(second, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY) &&
		       sys_mprotect(first, PAGE_BYTES, has) == 0 && own_entry_is(second, PAGEMAP_SOFT_DIRTY, 0);
	}
	sys_munmap(elsewhere, APART_BYTES);
	sys_munmap(around, APART_BYTES);
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

bool ways_stops_at_forbidden(void)
{
	char *pages = merge_two(PROT_NONE);
	bool stops = pages != NULL && own_is_once(pages);

	sys_munmap(pages, 2 * PAGE_BYTES);
	return stops;
}

bool ways_unmerges_by_write(void)
{
	char *pages = merge_two(PROT_READ | PROT_WRITE);
	bool writes = pages != NULL && !own_is_once(pages) && own_clear_marks() &&
	              own_entry_is(pages, PAGEMAP_SOFT_DIRTY, 0) &&
	              sys_madvise(pages, 2 * PAGE_BYTES, MADV_UNMERGEABLE) == 0 &&
	              own_entry_is(pages, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY);

	sys_munmap(pages, 2 * PAGE_BYTES);
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

/* How long is the mapping that it lies in? 0: it was not to be learned. */
static uint64_t bytes_of_mapping(const void *page)
{
	struct span span = { .page = (uint64_t)(uintptr_t)page };
	int maps = sys_open("/proc/self/maps", O_RDONLY);

	(void)maps_read(maps, find_span, &span);
	sys_close(maps);
	return span.bytes;
}

static bool map_at(char *page)
{
	return mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page;
}

bool ways_maps_to_next(void)
{
	void *around;
	char *page = own_map_apart(&around, PROT_NONE);
	char *before = (char *)around + PAGE_BYTES, *after = (char *)around + 3 * PAGE_BYTES;
	bool result = page != NULL && map_at(before) && map_at(after) && use(after) && map_at(page) &&
	              bytes_of_mapping(before) == PAGE_BYTES && bytes_of_mapping(after) == 2 * PAGE_BYTES;

	sys_munmap(around, APART_BYTES);
	return result;
}

/*
 * A page that was moved, for which another of its mapping had been used, and then moved away: it has a place in that
 * mapping, and not here, unless it counts as new again.
 */
bool ways_leaves_as_new(void)
{
	void *from = NULL, *around, *away;
	char *page = own_map_apart(&around, PROT_NONE);
	uint64_t bytes = 0;

	away = (char *)around + 4 * PAGE_BYTES;
	if (page != NULL &&
	    sys_mmap(&from, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	    use((char *)from + PAGE_BYTES) && sys_mremap(from, PAGE_BYTES, page) == 0 &&
	    mremap(page, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, away) == away &&
	    sys_mprotect(around, 4 * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0)
		bytes = bytes_of_mapping(page);
	sys_munmap(from, 2 * PAGE_BYTES);
	sys_munmap(around, APART_BYTES);
	return bytes > PAGE_BYTES;
}
