/* SPDX-License-Identifier: MIT */
/* This file makes memory of pages that are larger than a page: transparent, of hugetlb, and folios mapped page by page.
 */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_NORESERVE)
#define NR_HUGE   8u
#define SIZE      (NR_HUGE * KINDS_HUGE)
#define MTHP_SIZE KINDS_MIB /* too small for a huge page */
#define MTHP      (64 * 1024ul)

#define HUGETLB_2MB (21 << 26)
#define HUGETLB_1GB (30 << 26)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static bool allowed_huge(struct place *place)
{
	return kinds_map(place, SIZE, RW, ANON, -1) && kinds_advise(place, MADV_HUGEPAGE, "MADV_HUGEPAGE");
}

static void expect_bytes(struct place *place, const char *field)
{
	if (place->lacks[0] == '\0' && kinds_smaps(place, field) != place->end - place->start)
		kinds_lack(place, "the kernel gave %zu of %lu KiB of huge pages", kinds_smaps(place, field) / 1024,
		           (place->end - place->start) / 1024);
}

static void huge(struct place *place)
{
	if (allowed_huge(place))
		kinds_write(place);
	expect_bytes(place, "AnonHugePages");
}

/* Huge pages are there, or would not come when touched. */
static void huge_to_come(struct place *place)
{
	huge(place);
	if (place->lacks[0] == '\0')
		kinds_advise(place, MADV_DONTNEED, "MADV_DONTNEED");
}

static void forbid(struct place *place)
{
	if (place->lacks[0] == '\0' && mprotect((void *)place->start, place->end - place->start, PROT_NONE) != 0)
		kinds_lack(place, "mprotect: %s", strerror(errno));
}

static void forbidden(struct place *place)
{
	huge(place);
	forbid(place);
}

static void use_forbidden(struct place *place)
{
	if (mprotect((void *)place->start, place->end - place->start, RW) != 0)
		_exit(1);
	kinds_touch(place, 2 * KINDS_HUGE, true);
	forbid(place);
}

static void zero(struct place *place)
{
	if (kinds_number("/sys/kernel/mm/transparent_hugepage/use_zero_page") != 1)
		kinds_lack(place, "use_zero_page is off");
	else if (allowed_huge(place))
		kinds_read(place);
	/* What is allowed huge pages and gets none is full of small zero pages: not the kind that is asked for. */
	if (place->lacks[0] == '\0' && kinds_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") == 0)
		kinds_lack(place, "no transparent huge pages");
}

/* The second page of each huge page alone: the others are to come by no use of theirs. */
static void sparse(struct place *place)
{
	struct place seconds;

	if (!kinds_map(place, SIZE, RW, ANON, -1) || !kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"))
		return;
	seconds = *place;
	seconds.start += KINDS_PAGE;
	kinds_touch(&seconds, KINDS_HUGE, true);
}

static void collapse(struct place *place)
{
	/* Allowed only now, as the kernel collapses what it finds allowed by itself. */
	if (madvise((void *)place->start, SIZE, MADV_HUGEPAGE) != 0 ||
	    madvise((void *)place->start, SIZE, MADV_COLLAPSE) != 0) {
		perror("MADV_COLLAPSE");
		_exit(1);
	}
}

static long mthp_given(void)
{
	return kinds_number("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/anon_fault_alloc");
}

static void mthp(struct place *place)
{
	long before = mthp_given();

	if (!kinds_map(place, MTHP_SIZE, RW, ANON, -1) || !kinds_advise(place, MADV_HUGEPAGE, "MADV_HUGEPAGE"))
		return;
	kinds_write(place);
	if (mthp_given() - before < (long)(MTHP_SIZE / MTHP))
		kinds_lack(place, "hugepages-64kB gave %ld of %lu folios (its 'enabled' is not madvise)",
		           mthp_given() - before, MTHP_SIZE / MTHP);
}

static void mthp_to_come(struct place *place)
{
	mthp(place);
	if (place->lacks[0] == '\0')
		kinds_advise(place, MADV_DONTNEED, "MADV_DONTNEED");
}

static int shmem_huge_file(struct place *place, size_t bytes)
{
	int fd = memfd_create("kinds", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
		kinds_lack(place, "memfd: %s", strerror(errno));
	else if (kinds_map(place, bytes, RW, MAP_SHARED, fd) && kinds_advise(place, MADV_HUGEPAGE, "MADV_HUGEPAGE"))
		kinds_write(place);
	expect_bytes(place, "ShmemPmdMapped");
	return fd;
}

static void shmem_huge(struct place *place)
{
	close(shmem_huge_file(place, SIZE));
}

/* Mapped one page off, huge pages of a file cannot be mapped as such, and the entries of each lie in two tables. */
static void shmem_off(struct place *place)
{
	int fd = shmem_huge_file(place, SIZE + KINDS_HUGE);

	if (place->lacks[0] == '\0') {
		munmap((void *)place->start, place->end - place->start);
		if (mmap((void *)place->start, SIZE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, KINDS_PAGE) ==
		    (void *)place->start)
			place->end = place->start + SIZE;
		else
			kinds_lack(place, "mmap: %s", strerror(errno));
	}
	if (place->lacks[0] == '\0')
		kinds_write(place);
	close(fd);
}

static long free_hugetlb(const char *size)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%s/free_hugepages", size);
	return kinds_number(path);
}

static void hugetlb(struct place *place, bool shared, int flags, const char *name, size_t bytes, uint64_t page)
{
	long nr = (long)(bytes / page);
	int fd = -1;

	if (free_hugetlb(name) < nr) {
		kinds_lack(place, "the pool of %s pages has %ld free, of %ld wanted", name, free_hugetlb(name), nr);
		return;
	}
	if (shared)
		fd = memfd_create("kinds", MFD_CLOEXEC | MFD_HUGETLB | (unsigned)flags);
	if (shared && (fd < 0 || ftruncate(fd, (off_t)bytes) != 0))
		kinds_lack(place, "memfd: %s", strerror(errno));
	else if (kinds_map(place, bytes, RW, shared ? MAP_SHARED : MAP_PRIVATE | MAP_HUGETLB | flags, fd))
		kinds_touch(place, page, true);
	close(fd);
}

static void hugetlb_private(struct place *place)
{
	hugetlb(place, false, HUGETLB_2MB, "2048kB", 4 * KINDS_HUGE, KINDS_HUGE);
}

static void hugetlb_shared(struct place *place)
{
	hugetlb(place, true, HUGETLB_2MB, "2048kB", 4 * KINDS_HUGE, KINDS_HUGE);
}

static void hugetlb_forbidden(struct place *place)
{
	hugetlb_private(place);
	forbid(place);
}

static void hugetlb_gigantic(struct place *place)
{
	hugetlb(place, false, HUGETLB_1GB, "1048576kB", KINDS_GIB, KINDS_GIB);
}

#define OTHERS (TIDE_PAGE_SWAPPED | TIDE_PAGE_ZERO)

static const struct kind kinds[] = {
	{ "huge pages (THP)", "A4_huge_pages", huge, .granule = KINDS_HUGE, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE,
	  .never = OTHERS | TIDE_PAGE_FILE, .claim = CLAIM_LARGE, .touch = TOUCH_WRITE, .dirty = true },
	{ "huge pages that come", "A4_huge_pages_that_come", huge_to_come, .granule = KINDS_HUGE,
	  .never = OTHERS | TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE, .claim = CLAIM_ABSENT, .touch = TOUCH_WRITE },
	{ "huge pages, forbidden (PROT_NONE)", "A4_huge_pages_forbidden", forbidden, use_forbidden,
	  .granule = KINDS_HUGE, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE, .never = OTHERS | TIDE_PAGE_FILE,
	  .claim = CLAIM_LARGE, .touch = TOUCH_WRITE, .dirty = true },
	{ "the huge page of zeros", "A8_the_huge_page_of_zeros_is_unobservable", zero, .granule = KINDS_HUGE,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_ZERO | TIDE_PAGE_HUGE, .never = TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE,
	  .claim = CLAIM_NONE, .reasons = REASON(SPECIAL) | REASON(OFF_LRU), .touch = TOUCH_READ },
	{ "holes, filled by collapse into a huge page", "A4_what_a_collapse_brings_was_not_used", sparse, collapse,
	  .never = OTHERS | TIDE_PAGE_HUGE | TIDE_PAGE_FILE, .claim = CLAIM_COMES, .reasons = REASON(CLEARED),
	  .touch = TOUCH_NOTHING },
	{ "large folios (mTHP, 64 KiB)", "A4_large_folios", mthp, .must = TIDE_PAGE_PRESENT,
	  .never = OTHERS | TIDE_PAGE_FILE | TIDE_PAGE_HUGE, .claim = CLAIM_LARGE, .touch = TOUCH_WRITE,
	  .dirty = true },
	{ "large folios that come", "A4_large_folios_that_come", mthp_to_come, .granule = MTHP,
	  .never = OTHERS | TIDE_PAGE_PRESENT, .claim = CLAIM_COMES, .reasons = REASON(PREFAULT),
	  .touch = TOUCH_WRITE },
	{ "shared memory of huge pages", "A4_shared_memory_of_huge_pages", shmem_huge, .granule = KINDS_HUGE,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE | TIDE_PAGE_FILE, .never = OTHERS, .claim = CLAIM_LARGE,
	  .touch = TOUCH_WRITE, .dirty = true },
	{ "huge pages of a file, mapped by entries in two tables", "A4_huge_pages_mapped_page_by_page_are_not_split",
	  shmem_off, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_FILE, .never = OTHERS | TIDE_PAGE_HUGE, .claim = CLAIM_NONE,
	  .reasons = REASON(PARTIAL), .touch = TOUCH_WRITE, .dirty = true },
	{ "hugetlb 2 MiB, private", "A8_hugetlb_is_unobservable", hugetlb_private, .granule = KINDS_HUGE,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE, .never = OTHERS | TIDE_PAGE_FILE, .claim = CLAIM_NONE,
	  .reasons = REASON(HUGETLB), .touch = TOUCH_WRITE, .dirty = true },
	{ "hugetlb 2 MiB, shared", "A8_shared_hugetlb_is_unobservable", hugetlb_shared, .granule = KINDS_HUGE,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE | TIDE_PAGE_FILE, .never = OTHERS, .claim = CLAIM_NONE,
	  .reasons = REASON(HUGETLB), .touch = TOUCH_WRITE, .dirty = true },
	{ "hugetlb 2 MiB, forbidden (PROT_NONE)", "A8_forbidden_hugetlb_is_unobservable", hugetlb_forbidden,
	  .granule = KINDS_HUGE, .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE, .never = OTHERS | TIDE_PAGE_FILE,
	  .claim = CLAIM_NONE, .reasons = REASON(HUGETLB), .touch = TOUCH_NOTHING, .dirty = true },
	{ "hugetlb 1 GiB", "A8_hugetlb_of_1_GiB_is_unobservable", hugetlb_gigantic, .granule = KINDS_GIB,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_HUGE, .never = OTHERS | TIDE_PAGE_FILE, .claim = CLAIM_NONE,
	  .reasons = REASON(HUGETLB), .touch = TOUCH_WRITE, .dirty = true },
};

int main(int argc, char **argv)
{
	return kinds_main(kinds, sizeof(kinds) / sizeof(kinds[0]), argc, argv);
}
