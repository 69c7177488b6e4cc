/* SPDX-License-Identifier: MIT */
/* This file asks in which way this kernel maps, splits and shares huge pages. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uring.h"
#include "verify/kernel-ways.h"
#include "verify/own-page.h"

bool ways_splits_clean(void)
{
	void *memory;
	char *huge = own_huge(&memory);
	bool is_clean = huge != NULL && own_clear_marks() && sys_madvise(huge, PAGE_BYTES, MADV_DONTNEED) == 0 &&
	                own_entry_is(huge + PAGE_BYTES, PAGEMAP_PRESENT | PAGEMAP_SOFT_DIRTY, PAGEMAP_PRESENT);

	sys_munmap(memory, 2 * HUGE_BYTES);
	return is_clean;
}

bool ways_moves_mark(void)
{
	void *memory;
	char *huge = own_huge(&memory);
	bool marks = false;

	if (huge != NULL && sys_madvise(huge + PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED) == 0) {
		*(volatile char *)huge = 2;
		marks = own_clear_marks() && own_entry_is(huge, PAGEMAP_SOFT_DIRTY, 0) &&
		        sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE) == 0 &&
		        own_entry_is(huge, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return marks;
}

bool ways_has_huge(void)
{
	void *memory;
	bool has = own_huge(&memory) != NULL;

	sys_munmap(memory, 2 * HUGE_BYTES);
	return has;
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

/* Nobody maps the zero page once. */
bool ways_splits_map_zeros(void)
{
	void *memory;
	char *huge = own_huge(&memory);
	bool maps = huge != NULL && sys_madvise(huge, PAGE_BYTES, MADV_FREE) == 0 &&
	            own_entry_is(huge + PAGE_BYTES, PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE, PAGEMAP_PRESENT);

	sys_munmap(memory, 2 * HUGE_BYTES);
	return maps;
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
		child = own_share(NULL, huge, &hold);
		once = child > 0 && own_is_once(huge + page * PAGE_BYTES);
		own_part(child, hold);
		(void)uring_unpin(&ring);
	}
	uring_close(&ring);
	return once;
}

bool ways_reuses_large(void)
{
	void *memory;
	char *huge = own_huge(&memory);
	bool reuses = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = own_share(NULL, huge, &hold);
		own_part(child, hold);
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
	char *huge = own_huge(&memory);
	bool is_of_first = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = own_share(drop_second, huge, &hold);
		is_of_first = child > 0 && !own_is_once(huge + PAGE_BYTES);
		own_part(child, hold);
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
	char *huge = own_huge(&memory);
	bool was_once = false, is_split = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = own_share(NULL, huge, &hold);
		*(volatile char *)huge = 2;
		was_once = child > 0 && own_entry_of_is(child, huge + PAGE_BYTES, PAGEMAP_EXCLUSIVE, PAGEMAP_EXCLUSIVE);
		(void)sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE);
		is_split = was_once && own_entry_of_is(child, huge + PAGE_BYTES, PAGEMAP_EXCLUSIVE, 0);
		own_part(child, hold);
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
	char *huge = own_huge(&memory);
	bool is_split = false;
	pid_t child;
	int hold;

	if (huge != NULL) {
		child = own_share(keep_last, huge, &hold);
		drop_second(huge);
		(void)sys_madvise(huge + 2 * PAGE_BYTES, PAGE_BYTES, MADV_FREE);
		is_split = child > 0 && !own_is_once(huge + 3 * PAGE_BYTES);
		own_part(child, hold);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return is_split;
}

bool ways_protects_clean(void)
{
	void *memory;
	char *huge = own_huge(&memory);
	struct uring ring;
	bool protects = false;

	if (huge != NULL && uring_open(&ring) == 0) {
		protects = sys_mprotect(huge, PAGE_BYTES, PROT_WRITE) == 0 &&
		           uring_pin(&ring, huge + PAGE_BYTES, PAGE_BYTES) == 0 && own_clear_marks() &&
		           own_entry_is(huge + PAGE_BYTES, PAGEMAP_SOFT_DIRTY, PAGEMAP_SOFT_DIRTY) &&
		           own_entry_is(huge, PAGEMAP_SOFT_DIRTY, 0);
		uring_close(&ring);
	}
	sys_munmap(memory, 2 * HUGE_BYTES);
	return protects;
}
