/* SPDX-License-Identifier: MIT */
/*
 * This file measures what watching does to the one who is watched: how long opening and closing take, how long the
 * target stands still, how long one call of ours holds the lock of its memory, and what becomes of its huge pages.
 */
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "write-tracking.h"

#define WRITE_EACH 8 /* one huge page of so many is written */

/*
 * The longest calls on a target's memory, in nanoseconds of processor time. A call holds the lock no longer than it
 * runs, when nobody takes the processor away from it.
 */
static struct {
	uint64_t registering, protecting, scanning, unregistering, collapsing;
} longest;

static uint64_t *longest_of(unsigned long request)
{
	switch (request) {
	case UFFDIO_REGISTER:
		return &longest.registering;
	case UFFDIO_WRITEPROTECT:
		return &longest.protecting;
	case UFFDIO_UNREGISTER:
		return &longest.unregistering;
	default:
		return &longest.scanning;
	}
}

static void note(uint64_t *most, uint64_t began_ns)
{
	uint64_t taken_ns = spent_ns() - began_ns;

	*most = taken_ns > *most ? taken_ns : *most;
}

static int timed_ioctl(int fd, unsigned long request, void *arg)
{
	uint64_t began_ns = spent_ns();
	int result = sys_table_linux.ioctl(fd, request, arg);

	note(longest_of(request), began_ns);
	return result;
}

static int timed_madvise(void *addr, size_t size, int advice)
{
	uint64_t began_ns = spent_ns();
	int result = sys_table_linux.madvise(addr, size, advice);

	note(&longest.collapsing, began_ns);
	return result;
}

static ssize_t timed_process_madvise(int pidfd, const struct iovec *ranges, size_t nr, int advice, unsigned flags)
{
	uint64_t began_ns = spent_ns();
	ssize_t result = sys_table_linux.process_madvise(pidfd, ranges, nr, advice, flags);

	note(&longest.collapsing, began_ns);
	return result;
}

enum hold { REGISTER, PROTECT, SCAN, UNREGISTER, COLLAPSE, NR_HOLDS };

struct opening {
	struct series open_ms, stopped_us, close_ms, first_us, plain_us, holds[NR_HOLDS];
	struct series huge[4]; /* MiB: before, armed, after writes, after close */
};

static void take_holds(struct opening *self)
{
	const uint64_t values[NR_HOLDS] = { longest.registering, longest.protecting, longest.scanning,
		                            longest.unregistering, longest.collapsing };

	for (int i = 0; i < NR_HOLDS; i++)
		series_add(&self->holds[i], (double)values[i] / 1e3);
	memset(&longest, 0, sizeof(longest));
}

/* The arena is our own, or that of a child. */
struct place {
	struct subject child;
	unsigned char *arena;
	pid_t pid;
};

static void make_place(struct place *place, int is_child, int advice)
{
	if (is_child) {
		subject_start(&place->child, GIB, advice);
		place->arena = place->child.arena;
		place->pid = place->child.pid;
		return;
	}
	place->arena = arena_map(GIB, advice);
	arena_populate(place->arena, GIB);
	place->pid = getpid();
}

static void end_place(struct place *place, int is_child)
{
	if (is_child)
		subject_end(&place->child);
	else
		munmap(place->arena, GIB);
}

/* Nanoseconds for the write of one page in every eighth huge page. */
static uint64_t write_some(struct place *place, int is_child)
{
	uint64_t nr = 0, began_ns = spent_ns();

	if (is_child)
		return subject_do(&place->child, ORDER_WRITE_HUGE, WRITE_EACH, 0);
	for (uint64_t at = 0; at < GIB; at += WRITE_EACH * HUGE_PAGE, nr++)
		place->arena[at + 8]++;
	return (spent_ns() - began_ns) / nr;
}

static void take_huge(struct opening *self, int when, const struct place *place)
{
	series_add(&self->huge[when], (double)huge_kib(place->pid) / 1024);
}

static void measure(struct opening *self, int is_child, int advice)
{
	struct place place = { 0 };
	struct watched watched;
	struct tide_epoch epoch;
	uint64_t began_ns;

	make_place(&place, is_child, advice);
	take_huge(self, 0, &place);
	series_add(&self->plain_us, (double)write_some(&place, is_child) / 1e3);
	memset(&longest, 0, sizeof(longest));
	began_ns = now_ns();
	watched_open(&watched, place.pid, place.arena, GIB, NULL);
	series_add(&self->open_ms, (double)(now_ns() - began_ns) / 1e6);
	take_huge(self, 1, &place);
	series_add(&self->first_us, (double)write_some(&place, is_child) / 1e3);
	take_huge(self, 2, &place);
	if (watched_collect(&watched) != GIB / HUGE_PAGE / WRITE_EACH)
		fail("the number of written pages is wrong", 0);
	tide_watch_epoch(watched.watch, &epoch);
	series_add(&self->stopped_us, (double)epoch.stopped_ns / 1e3);
	began_ns = now_ns();
	watched_close(&watched);
	series_add(&self->close_ms, (double)(now_ns() - began_ns) / 1e6);
	take_holds(self);
	take_huge(self, 3, &place);
	end_place(&place, is_child);
}

static void print(const struct opening *self, const char *name)
{
	printf("| %s | %s | %s | %s | %s | %s | %.0f, %.0f, %.0f, %.0f |\n", name, series_text(&self->open_ms, " ms"),
	       series_text(&self->stopped_us, " us"), series_text(&self->close_ms, " ms"),
	       series_text(&self->plain_us, " us"), series_text(&self->first_us, " us"), series_median(&self->huge[0]),
	       series_median(&self->huge[1]), series_median(&self->huge[2]), series_median(&self->huge[3]));
}

static void print_holds(const struct opening *self, const char *name)
{
	printf("| %s |", name);
	for (int i = 0; i < NR_HOLDS; i++)
		printf(" %s |", series_text(&self->holds[i], " us"));
	putchar('\n');
}

void bench_open(size_t nr_pairs)
{
	static const char *const names[4] = { "own process, 4 KiB pages", "another process, 4 KiB pages",
		                              "own process, huge pages", "another process, huge pages" };
	struct opening openings[4] = { 0 };
	struct sys_table timed = sys_table_linux;

	timed.ioctl = timed_ioctl;
	timed.madvise = timed_madvise;
	timed.process_madvise = timed_process_madvise;
	sys_table = &timed;
	for (size_t pair = 0; pair < nr_pairs; pair++)
		for (int i = 0; i < 4; i++) {
			int which = pair % 2 ? 3 - i : i;

			measure(&openings[which], which % 2, which < 2 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
		}
	sys_table = &sys_table_linux;
	puts("### Opening and closing over 1 GiB; between them one page in every eighth huge page is written\n\n"
	     "| 1 GiB of | open (wall time) | the target stood still | close (wall time) | untracked write | first "
	     "write | huge pages in MiB: "
	     "before, armed, written, closed |\n|---|---|---|---|---|---|---|");
	for (int i = 0; i < 4; i++)
		print(&openings[i], names[i]);
	puts("\n### The longest single call on the target's memory in open, collect and close (median over runs)\n\n"
	     "| 1 GiB of | register | write-protect | scan | unregister | collapse |\n|---|---|---|---|---|---|");
	for (int i = 0; i < 4; i++)
		print_holds(&openings[i], names[i]);
	putchar('\n');
}
