/* SPDX-License-Identifier: MIT */
/* This file makes entries without a page: swapped out, markers, poisoned; and pages that tools of the kernel put there.
 */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"

#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_NORESERVE)
#define SIZE     (4 * KINDS_MIB)
#define NR_PAGES (SIZE / KINDS_PAGE)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define MADV_GUARD_INSTALL_ 102
#define MADV_HWPOISON_      100

/* linux/userfaultfd.h of Linux 6.6. */
struct poison_arg {
	uint64_t start;
	uint64_t length;
	uint64_t mode;
	int64_t updated;
};

#define UFFD_POISON_FEATURE (UINT64_C(1) << 14)
#define UFFD_POISON         _IOWR(0xAA, 0x08, struct poison_arg)

static bool small(struct place *place)
{
	return kinds_map(place, SIZE, RW, ANON, -1) && kinds_advise(place, MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE");
}

/* How many pages of the place are swapped out, by its own pagemap. */
static size_t nr_swapped(const struct place *place)
{
	uint64_t entries[512];
	size_t nr = 0;
	int fd = pagemap_open(open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), getpid());

	for (uint64_t addr = place->start; addr < place->end; addr += 512 * KINDS_PAGE)
		for (long i = 0, got = pagemap_read(fd, addr, entries, 512); i < got; i++)
			nr += (pagemap_categories(entries[i]) & PAGESCAN_SWAPPED) != 0;
	close(fd);
	return nr;
}

/* Pages that wait in a batch for their list are not swapped out: not at the first try. */
static void swap_out(struct place *place, int tries)
{
	size_t nr_pages = (place->end - place->start) / KINDS_PAGE;

	for (int i = 0; i < tries && nr_swapped(place) < nr_pages; i++)
		madvise((void *)place->start, place->end - place->start, MADV_PAGEOUT);
}

static bool has_swap(struct place *place)
{
	FILE *file = fopen("/proc/swaps", "re");
	char line[256];
	int nr = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		nr++;
	if (file != NULL)
		fclose(file);
	if (nr < 2)
		kinds_lack(place, "no swap here");
	return nr >= 2;
}

static void swapped(struct place *place)
{
	if (!has_swap(place) || !small(place))
		return;
	kinds_write(place);
	swap_out(place, 20);
	if (nr_swapped(place) < NR_PAGES)
		kinds_lack(place, "the kernel swapped %zu of %lu pages out", nr_swapped(place), NR_PAGES);
}

static void nothing_yet(struct place *place)
{
	if (has_swap(place))
		small(place);
}

/* There, used, and gone, all between two looks. */
static void come_and_go(struct place *place)
{
	kinds_touch(place, 2 * KINDS_PAGE, true);
	swap_out(place, 5);
}

static void guarded(struct place *place)
{
	if (small(place))
		kinds_advise(place, MADV_GUARD_INSTALL_, "MADV_GUARD_INSTALL");
}

/* A userfaultfd of its own, with these features; -1, and lacks. */
static int open_uffd(struct place *place, uint64_t features)
{
	int uffd = sys_userfaultfd(UFFD_USER_ONLY);
	int result = uffd < 0 ? uffd : uffd_api(uffd, features);

	if (result < 0)
		kinds_lack(place, "userfaultfd: %s", strerror(-result));
	return result < 0 ? -1 : uffd;
}

static void protect(struct place *place, bool populated)
{
	int uffd = open_uffd(place, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED);
	int result;

	if (uffd < 0 || !small(place))
		return;
	result = uffd_register(uffd, place->start, place->end);
	if (populated)
		kinds_write(place);
	if (result == 0)
		result = uffd_protect(uffd, place->start, place->end);
	if (result < 0)
		kinds_lack(place, "write protection: %s", strerror(-result));
}

static void protected(struct place *place)
{
	protect(place, true);
}

static void protected_ahead(struct place *place)
{
	protect(place, false);
}

static void poisoned(struct place *place)
{
	struct poison_arg arg = { 0 };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = open_uffd(place, UFFD_POISON_FEATURE);

	if (uffd < 0 || !small(place))
		return;
	range.range.start = arg.start = place->start;
	range.range.len = arg.length = SIZE;
	if (ioctl(uffd, UFFDIO_REGISTER, &range) != 0 || ioctl(uffd, UFFD_POISON, &arg) != 0)
		kinds_lack(place, "UFFDIO_POISON: %s", strerror(errno));
}

/* The kernel tells those who wrote it, and means it. */
static void live_on(int signal)
{
	(void)signal;
}

/* Takes the memory away from the machine for good: in a guest only. */
static void broken(struct place *place)
{
	struct place one;

	if (!kinds_in_guest()) {
		kinds_lack(place, "memory is not declared broken on a machine that is needed");
		return;
	}
	if (!small(place))
		return;
	munmap((void *)(place->start + 16 * KINDS_PAGE), SIZE - 16 * KINDS_PAGE);
	place->end = place->start + 16 * KINDS_PAGE;
	kinds_write(place);
	signal(SIGBUS, live_on);
	one = *place;
	kinds_advise(&one, MADV_HWPOISON_, "MADV_HWPOISON");
	memcpy(place->lacks, one.lacks, sizeof(place->lacks));
}

static long merged(void)
{
	return kinds_number("/proc/self/ksm_merging_pages");
}

static void mergeable(struct place *place)
{
	if (kinds_number("/sys/kernel/mm/ksm/run") != 1) {
		kinds_lack(place, "KSM does not run here");
		return;
	}
	if (!small(place))
		return;
	kinds_write(place);
	if (!kinds_advise(place, MADV_MERGEABLE, "MADV_MERGEABLE"))
		return;
	for (int i = 0; i < 600 && merged() < (long)NR_PAGES * 95 / 100; i++)
		usleep(100000);
	if (merged() < (long)NR_PAGES * 95 / 100)
		kinds_lack(place, "KSM merged %ld of %lu pages in a minute", merged(), NR_PAGES);
}

#define NOT_THERE (TIDE_PAGE_PRESENT | TIDE_PAGE_ZERO | TIDE_PAGE_HUGE | TIDE_PAGE_FILE)
#define OTHERS    (TIDE_PAGE_SWAPPED | TIDE_PAGE_FILE | TIDE_PAGE_ZERO | TIDE_PAGE_HUGE)

static const struct kind kinds[] = {
	{ "swapped out", "A1_what_was_swapped_out", swapped, .must = TIDE_PAGE_SWAPPED, .never = NOT_THERE,
	  .claim = CLAIM_ABSENT, .touch = TOUCH_WRITE },
	{ "comes, and is swapped out at once", "A8_what_came_and_went_is_unobservable", nothing_yet, come_and_go,
	  .never = NOT_THERE | TIDE_PAGE_SWAPPED, .claim = CLAIM_COMES, .reasons = REASON(CLEARED),
	  .touch = TOUCH_WRITE },
	{ "guard regions (MADV_GUARD_INSTALL)", "A1_guard_regions_are_idle", guarded, .must = TIDE_PAGE_SWAPPED,
	  .never = NOT_THERE, .claim = CLAIM_ABSENT, .touch = TOUCH_NOTHING },
	{ "write-protected by userfaultfd", "A1_memory_whose_writes_are_tracked", protected,
	  .must = TIDE_PAGE_PRESENT | TIDE_PAGE_WPALLOWED, .never = OTHERS, .claim = CLAIM_SEEN, .touch = TOUCH_WRITE,
	  .dirty = true },
	{ "write-protected ahead, nothing there", "A1_markers_of_write_protection", protected_ahead,
	  .must = TIDE_PAGE_SWAPPED | TIDE_PAGE_WPALLOWED, .never = NOT_THERE, .claim = CLAIM_ABSENT,
	  .touch = TOUCH_WRITE },
	{ "poisoned by userfaultfd", "A1_poison_markers_are_idle", poisoned, .must = TIDE_PAGE_SWAPPED,
	  .never = NOT_THERE, .claim = CLAIM_ABSENT, .touch = TOUCH_NOTHING },
	{ "broken memory (hwpoison)", "A8_broken_memory_is_not_guessed_at", broken, .must = TIDE_PAGE_SWAPPED,
	  .never = NOT_THERE & ~(uint64_t)TIDE_PAGE_FILE, .claim = CLAIM_EITHER, .reasons = REASON(UNREAD),
	  .touch = TOUCH_NOTHING },
	{ "merged by KSM", "A8_merged_memory_is_unobservable", mergeable, .never = OTHERS, .must = TIDE_PAGE_PRESENT,
	  .claim = CLAIM_NONE, .reasons = REASON(SHARED), .touch = TOUCH_WRITE },
};

int main(int argc, char **argv)
{
	return kinds_main(kinds, sizeof(kinds) / sizeof(kinds[0]), argc, argv);
}
