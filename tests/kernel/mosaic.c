/* SPDX-License-Identifier: MIT */
/* This file lays out the memory of a child, page by page. */
#include "mosaic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tidemark/pages.h>

#include "base/rng.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"

#define HUGE_FIRST ((MOSAIC_HUGE_AT - MOSAIC_START) / MOSAIC_PAGE)
#define HUGE_NR    (MOSAIC_HUGE_SIZE / MOSAIC_PAGE)

/* In the child. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	_exit(1);
}

static volatile char *place(size_t i)
{
	return (volatile char *)(MOSAIC_START + i * MOSAIC_PAGE);
}

/* Kinds that share one mapping, when they are neighbours. */
static int family(uint8_t kind)
{
	switch (kind) {
	case MOSAIC_HOLE:
	case MOSAIC_FREED:
	case MOSAIC_ZERO:
	case MOSAIC_WRITTEN:
		return 1;
	case MOSAIC_NONE:
		return 2;
	case MOSAIC_SHARED_HOLE:
	case MOSAIC_SHARED_WRITTEN:
		return 3;
	case MOSAIC_FILE_HOLE:
	case MOSAIC_FILE_READ:
	case MOSAIC_FILE_WRITTEN:
		return 4;
	case MOSAIC_TRACKED_HOLE:
	case MOSAIC_TRACKED_CLEAN:
	case MOSAIC_TRACKED_WRITTEN:
	case MOSAIC_TRACKED_MARKER:
		return 5;
	case MOSAIC_HUGE:
		return 6;
	default:
		return 0;
	}
}

static void plan(struct mosaic *mosaic, uint64_t seed, bool with_huge)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < MOSAIC_NR;) {
		uint8_t kind = (uint8_t)rng_below(&rng, mosaic->can_track ? MOSAIC_HUGE : MOSAIC_TRACKED_HOLE);
		size_t nr = 1 + rng_below(&rng, rng_below(&rng, 4) == 0 ? 300 : 6);

		for (; nr > 0 && i < MOSAIC_NR; nr--)
			mosaic->kinds[i++] = kind;
	}
	if (with_huge)
		memset(mosaic->kinds + HUGE_FIRST, MOSAIC_HUGE, HUGE_NR);
}

static void map_run(size_t first, size_t end, int which, int uffd)
{
	uint64_t start = MOSAIC_START + first * MOSAIC_PAGE;
	size_t bytes = (end - first) * MOSAIC_PAGE;
	bool has_file = which == 3 || which == 4;
	int flags = MAP_FIXED_NOREPLACE | (which == 3 ? MAP_SHARED : MAP_PRIVATE) | (has_file ? 0 : MAP_ANONYMOUS);
	int fd = has_file ? memfd_create("mosaic", MFD_CLOEXEC) : -1;

	must(!has_file || (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0), "memfd");
	must(mmap((void *)start, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == (void *)start, "mmap");
	must(madvise((void *)start, bytes, which == 6 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) == 0, "madvise");
	if (which == 5)
		must(uffd_register(uffd, start, start + bytes) == 0, "UFFDIO_REGISTER");
	if (has_file)
		close(fd);
}

/*
 * Reading one page of a file maps those of its neighbours, too, that are in the page cache: so before anything is
 * written, only those that are to be read come into it.
 */
static void fill_file(const struct mosaic *mosaic, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (mosaic->kinds[i] == MOSAIC_FILE_READ)
			(void)*place(i);
	for (size_t i = first; i < end; i++)
		if (mosaic->kinds[i] == MOSAIC_FILE_WRITTEN)
			*place(i) = 1;
}

static void fill(uint8_t kind, size_t i, int uffd)
{
	uint64_t start = MOSAIC_START + i * MOSAIC_PAGE;

	if (kind == MOSAIC_ZERO)
		(void)*place(i);
	if (kind == MOSAIC_FREED || kind == MOSAIC_WRITTEN || kind == MOSAIC_NONE || kind == MOSAIC_SHARED_WRITTEN ||
	    kind == MOSAIC_TRACKED_CLEAN || kind == MOSAIC_TRACKED_WRITTEN || kind == MOSAIC_HUGE)
		*place(i) = 1;
	if (kind == MOSAIC_FREED)
		must(madvise((void *)start, MOSAIC_PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	if (kind == MOSAIC_NONE)
		must(mprotect((void *)start, MOSAIC_PAGE, PROT_NONE) == 0, "mprotect");
	if (kind == MOSAIC_TRACKED_CLEAN || kind == MOSAIC_TRACKED_WRITTEN || kind == MOSAIC_TRACKED_MARKER)
		must(uffd_protect(uffd, start, start + MOSAIC_PAGE) == 0, "UFFDIO_WRITEPROTECT");
	if (kind == MOSAIC_TRACKED_WRITTEN)
		*place(i) = 2;
}

static int open_uffd(void)
{
	int uffd = sys_userfaultfd(UFFD_USER_ONLY);

	if (uffd >= 0 && uffd_api(uffd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED) == 0)
		return uffd;
	sys_close(uffd);
	return -1;
}

static int live(int in, int out, void *arg)
{
	const struct mosaic *mosaic = arg;
	int uffd = mosaic->can_track ? open_uffd() : -1;

	for (size_t first = 0; first < MOSAIC_NR;) {
		int which = family(mosaic->kinds[first]);
		size_t end = first;

		while (end < MOSAIC_NR && family(mosaic->kinds[end]) == which)
			end++;
		if (which != 0)
			map_run(first, end, which, uffd);
		if (which == 4)
			fill_file(mosaic, first, end);
		for (; first < end; first++)
			if (which != 4)
				fill(mosaic->kinds[first], first, uffd);
	}
	child_serve(in, out);
	return 0;
}

/* Asked of smaps, which nothing under test reads. */
static uint64_t huge_kib(pid_t pid)
{
	char path[64];
	char line[512];
	unsigned long start = 0;
	unsigned long kib = 0;
	uint64_t sum = 0;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "r");
	while (smaps != NULL && fgets(line, sizeof(line), smaps) != NULL) {
		unsigned long at;
		unsigned long end;

		if (sscanf(line, "%lx-%lx ", &at, &end) == 2)
			start = at;
		if (start >= MOSAIC_START && start < MOSAIC_END && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			sum += kib;
	}
	if (smaps != NULL)
		fclose(smaps);
	return sum;
}

/* What this kernel says of a page of ours that nobody tracks. */
static bool says_written(void)
{
	struct pagescan_region region = { 0 };
	uint64_t here = (uint64_t)(uintptr_t)&region & ~(MOSAIC_PAGE - 1);
	struct pagescan scan = { .start = here,
		                 .end = here + MOSAIC_PAGE,
		                 .all_of = PAGESCAN_PRESENT,
		                 .returned = PAGESCAN_PRESENT | PAGESCAN_WRITTEN };
	scope_sys_fd int fd = sys_open("/proc/self/pagemap", O_RDONLY);

	/* Without PAGEMAP_SCAN there is only the bit in pagemap that protected pages have. */
	return fd < 0 || pagescan(fd, &scan, &region, 1) != 1 || (region.categories & PAGESCAN_WRITTEN) != 0;
}

void mosaic_start(struct mosaic *mosaic, uint64_t seed, bool with_huge)
{
	int uffd = open_uffd();

	memset(mosaic, 0, sizeof(*mosaic));
	mosaic->can_track = uffd >= 0;
	sys_close(uffd);
	mosaic->soft_dirty = pagemap_soft_dirty_probe() == 1;
	mosaic->written_everywhere = says_written();
	plan(mosaic, seed, with_huge);
	child_start(&mosaic->child, live, mosaic);
	mosaic->is_huge = with_huge && huge_kib(mosaic->child.pid) == MOSAIC_HUGE_SIZE / 1024;
}

void mosaic_end(struct mosaic *mosaic)
{
	child_end(&mosaic->child);
}

bool mosaic_categories(const struct mosaic *mosaic, uint64_t addr, uint64_t *categories)
{
	uint64_t present = TIDE_PAGE_PRESENT | (mosaic->written_everywhere ? TIDE_PAGE_WRITTEN : 0);
	uint8_t kind;

	if (addr < MOSAIC_START || addr >= MOSAIC_END)
		return false;
	kind = mosaic->kinds[(addr - MOSAIC_START) / MOSAIC_PAGE];
	*categories = mosaic->soft_dirty ? TIDE_PAGE_SOFT_DIRTY : 0;
	if (family(kind) == 5)
		*categories |= TIDE_PAGE_WPALLOWED;
	if (kind == MOSAIC_ZERO)
		*categories |= present | TIDE_PAGE_ZERO;
	else if (kind == MOSAIC_WRITTEN || kind == MOSAIC_NONE || kind == MOSAIC_FILE_WRITTEN)
		*categories |= present;
	else if (kind == MOSAIC_SHARED_WRITTEN || kind == MOSAIC_FILE_READ)
		*categories |= present | TIDE_PAGE_FILE;
	else if (kind == MOSAIC_TRACKED_CLEAN)
		*categories |= TIDE_PAGE_PRESENT;
	else if (kind == MOSAIC_TRACKED_WRITTEN)
		*categories |= TIDE_PAGE_PRESENT | TIDE_PAGE_WRITTEN;
	else if (kind == MOSAIC_TRACKED_MARKER)
		*categories |= TIDE_PAGE_SWAPPED;
	else if (kind == MOSAIC_HUGE)
		*categories |= present | (mosaic->is_huge ? TIDE_PAGE_HUGE : 0);
	return kind != MOSAIC_UNMAPPED;
}
