/* SPDX-License-Identifier: MIT */
/* This file sums up processes of which it is known what they wrote, read and pinned. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "need.h"
#include "pages/summary.h"
#include "ring.h"

#define PAGE  4096ul
#define START 0x200000000000ul
#define STEP  (16ul << 20) /* from one area to the next */
#define HUGE  (2ul << 20)

enum area { WRITTEN, READ, EMPTY, SHARED, HUGE_PAGES, PINNED, NR_AREAS };

#define NR_PINNED 5u /* of the area's pages, the first not */

static const size_t nr_pages[NR_AREAS] = { 64, 32, 100, 8, 2 * HUGE / PAGE, 16 };

/* What the child tells; shared with it. */
struct report {
	int ring; /* 0, or why it cannot pin */
};

static char *area(enum area which)
{
	return (char *)START + which * STEP;
}

static void map_area(enum area which, int flags, int fd)
{
	size_t bytes = nr_pages[which] * PAGE;

	if (mmap(area(which), bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, 0) != area(which) ||
	    madvise(area(which), bytes, which == HUGE_PAGES ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
		_exit(1);
}

static int live(int in, int out, void *arg)
{
	struct report *report = arg;
	struct ring ring;
	struct iovec buffer = { area(PINNED) + PAGE, NR_PINNED * PAGE };
	struct timespec now;
	int fd = memfd_create("shared", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(nr_pages[SHARED] * PAGE)) != 0)
		return 1;
	for (int i = 0; i < NR_AREAS; i++)
		map_area(i, i == SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, i == SHARED ? fd : -1);
	clock_gettime(CLOCK_MONOTONIC, &now); /* reads the kernel's page of the time */
	for (size_t i = 0; i < nr_pages[READ]; i++)
		(void)*(volatile char *)(area(READ) + i * PAGE);
	memset(area(WRITTEN), 1, nr_pages[WRITTEN] * PAGE);
	memset(area(SHARED), 1, nr_pages[SHARED] * PAGE);
	memset(area(HUGE_PAGES), 1, nr_pages[HUGE_PAGES] * PAGE);
	child_say(out);
	child_pause(in);
	memset(area(PINNED), 1, nr_pages[PINNED] * PAGE);
	report->ring = ring_open(&ring);
	if (report->ring == 0)
		report->ring = ring_register(&ring, &buffer, 1);
	child_serve(in, out);
	return 0;
}

struct fixture {
	struct child child;
	struct tide_target *target;
	struct tide_pages *pages;
	struct summary summary;
	struct report *report;
	struct tide_error err;
};

static void begin(struct fixture *fix)
{
	memset(fix, 0, sizeof(*fix));
	fix->report = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fix->report, MAP_FAILED);
	child_start(&fix->child, live, fix->report);
	if (tide_target_open(&fix->target, fix->child.pid, &fix->err) < 0 ||
	    tide_pages_open(&fix->pages, fix->target, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

static void end(struct fixture *fix)
{
	tide_pages_close(fix->pages);
	tide_target_close(fix->target);
	child_end(&fix->child);
	munmap(fix->report, PAGE);
}

static void take(struct fixture *fix, const struct tide_range *ranges, size_t nr_ranges)
{
	if (summary_take(&fix->summary, fix->target, fix->pages, ranges, nr_ranges, NULL, NULL, &fix->err) != 0)
		fail_msg("%s", fix->err.text);
	if (fix->summary.lack.code != 0)
		fail_msg("%s", fix->summary.lack.text);
	assert_int_equal(fix->summary.told, (1u << NR_SUMMARY_COUNTS) - 1);
}

static const struct summary_row *row_at(const struct fixture *fix, const char *start)
{
	for (size_t i = 0; i < fix->summary.rows.nr; i++)
		if (fix->summary.rows.items[i].start == (uint64_t)(uintptr_t)start)
			return &fix->summary.rows.items[i];
	fail_msg("no row begins at %p", (const void *)start);
	return NULL;
}

/* Others may take the young mark away, nobody gives it. */
static void expect(const struct fixture *fix, enum area which, size_t present, size_t dirty, size_t pinned)
{
	const struct summary_row *row = row_at(fix, area(which));

	assert_int_equal(row->end - row->start, nr_pages[which] * PAGE);
	assert_int_equal(row->bytes[SUMMARY_PRESENT], present * PAGE);
	assert_int_equal(row->bytes[SUMMARY_SWAPPED], 0);
	assert_int_equal(row->bytes[SUMMARY_DIRTY], dirty * PAGE);
	assert_int_equal(row->bytes[SUMMARY_PINNED], pinned * PAGE);
	assert_true(row->bytes[SUMMARY_YOUNG] <= present * PAGE);
}

/* Neither source says anything of memory without struct pages. */
static void no_device_memory(const struct summary *summary)
{
	for (size_t i = 0; i < summary->rows.nr; i++) {
		const struct summary_row *row = &summary->rows.items[i];

		if (strncmp(summary_name(summary, row), "[vvar", 5) == 0)
			for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
				assert_int_equal(row->bytes[c], 0);
	}
}

static void each_mapping_is_summed_up(void **unused)
{
	struct fixture fix;
	uint64_t huge;

	(void)unused;
	begin(&fix);
	take(&fix, NULL, 0);
	expect(&fix, WRITTEN, nr_pages[WRITTEN], nr_pages[WRITTEN], 0);
	expect(&fix, READ, nr_pages[READ], 0, 0);
	expect(&fix, EMPTY, 0, 0, 0);
	expect(&fix, SHARED, nr_pages[SHARED], nr_pages[SHARED], 0);
	expect(&fix, HUGE_PAGES, nr_pages[HUGE_PAGES], nr_pages[HUGE_PAGES], 0);
	expect(&fix, PINNED, 0, 0, 0);
	assert_true(strstr(summary_name(&fix.summary, row_at(&fix, area(SHARED))), "shared") != NULL);
	if (vvar_with_pages() == 0)
		no_device_memory(&fix.summary);
	huge = row_at(&fix, area(HUGE_PAGES))->bytes[SUMMARY_HUGE];
	assert_true(huge == 0 || huge == HUGE || huge == 2 * HUGE);
	assert_int_equal(row_at(&fix, area(WRITTEN))->bytes[SUMMARY_HUGE], 0);
	summary_fini(&fix.summary);
	/* Without the kernel's word on it, huge pages are seen in the tables. */
	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	tide_pages_close(fix.pages);
	assert_int_equal(tide_pages_open(&fix.pages, fix.target, &fix.err), 0);
	unsetenv("TIDEMARK_FAULT");
	take(&fix, NULL, 0);
	assert_int_equal(row_at(&fix, area(HUGE_PAGES))->bytes[SUMMARY_HUGE], huge);
	assert_int_equal(row_at(&fix, area(WRITTEN))->bytes[SUMMARY_HUGE], 0);
	summary_fini(&fix.summary);
	end(&fix);
}

/* Pages are young after their use, as long as nobody takes the mark away; at some try nobody does. */
static void what_was_just_used_is_young(void **unused)
{
	uint64_t young = 0;

	(void)unused;
	for (unsigned try = 0; try < 20 && young == 0; try++) {
		struct fixture fix;

		begin(&fix);
		take(&fix, NULL, 0);
		young = row_at(&fix, area(WRITTEN))->bytes[SUMMARY_YOUNG];
		assert_int_equal(row_at(&fix, area(EMPTY))->bytes[SUMMARY_YOUNG], 0);
		summary_fini(&fix.summary);
		end(&fix);
	}
	assert_true(young > 0);
}

static void what_is_pinned_is_summed_up(void **unused)
{
	struct fixture fix;

	(void)unused;
	begin(&fix);
	child_step(&fix.child);
	if (fix.report->ring != 0) {
		print_message("the child cannot pin: io_uring says %d\n", fix.report->ring);
		end(&fix);
		skip();
	}
	take(&fix, NULL, 0);
	expect(&fix, PINNED, nr_pages[PINNED], nr_pages[PINNED], NR_PINNED);
	expect(&fix, WRITTEN, nr_pages[WRITTEN], nr_pages[WRITTEN], 0);
	expect(&fix, HUGE_PAGES, nr_pages[HUGE_PAGES], nr_pages[HUGE_PAGES], 0);
	summary_fini(&fix.summary);
	end(&fix);
}

/* Ranges that cut mappings and huge pages in two give rows of their own, of just what is in them. */
static void C2_parts_are_summed_up_alone(void **unused)
{
	const uint64_t written = (uint64_t)(uintptr_t)area(WRITTEN);
	const uint64_t huge = (uint64_t)(uintptr_t)area(HUGE_PAGES);
	const struct tide_range ranges[] = {
		{ written + 3 * PAGE, written + 10 * PAGE },
		{ written + 20 * PAGE, written + 21 * PAGE },
		{ huge + 5 * PAGE, huge + 600 * PAGE },
	};
	struct fixture fix;

	(void)unused;
	begin(&fix);
	take(&fix, ranges, 3);
	assert_int_equal(fix.summary.rows.nr, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct summary_row *row = &fix.summary.rows.items[i];

		assert_int_equal(row->start, ranges[i].start);
		assert_int_equal(row->end, ranges[i].end);
		assert_int_equal(row->bytes[SUMMARY_PRESENT], row->end - row->start);
		assert_int_equal(row->bytes[SUMMARY_DIRTY], row->end - row->start);
	}
	summary_fini(&fix.summary);
	end(&fix);
}

static int stop_at_second(void *arg, uint64_t done, uint64_t all)
{
	unsigned *nr = arg;

	assert_true(done <= all);
	return ++*nr == 2 ? 7 : 0;
}

/* What was not looked at to the end is not said. */
static void an_end_before_the_end_keeps_what_was_seen(void **unused)
{
	const struct tide_range range = { START, START + NR_AREAS * STEP };
	struct fixture fix;
	unsigned nr = 0;

	(void)unused;
	begin(&fix);
	assert_int_equal(summary_take(&fix.summary, fix.target, fix.pages, &range, 1, stop_at_second, &nr, &fix.err),
	                 7);
	assert_int_equal(fix.summary.told & 1u << SUMMARY_DIRTY, 0);
	assert_int_not_equal(fix.summary.lack.code, 0);
	expect(&fix, READ, nr_pages[READ], 0, 0);
	summary_fini(&fix.summary);
	child_kill(&fix.child);
	assert_true(summary_take(&fix.summary, fix.target, fix.pages, NULL, 0, NULL, NULL, &fix.err) < 0);
	assert_int_equal(fix.err.cause, TIDE_CAUSE_GONE);
	summary_fini(&fix.summary);
	end(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mapping_is_summed_up),
		cmocka_unit_test(what_was_just_used_is_young),
		cmocka_unit_test(what_is_pinned_is_summed_up),
		cmocka_unit_test(C2_parts_are_summed_up_alone),
		cmocka_unit_test(an_end_before_the_end_keeps_what_was_seen),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
