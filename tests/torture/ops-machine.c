/* SPDX-License-Identifier: MIT */
/* This file changes memory in ways that need something of the machine: several nodes, hugetlb pages, KSM, swap. */
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mutator.h"

/* Of the first line that `format` fits; 0: there is none. */
static unsigned long number_in(const char *path, const char *format)
{
	char line[128];
	unsigned long nr = 0;
	FILE *file = fopen(path, "r");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, format, &nr) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return nr;
}

static void migrate(struct mutator *m)
{
	void *pages[16];
	int nodes[16];
	int status[16];
	size_t size;
	char *at = pick(m, AREA_PRIVATE, sizeof(pages) / sizeof(pages[0]) * PAGE, PAGE, &size);
	int node = (int)draw_below(m, 2);

	for (size_t i = 0; i < size / PAGE; i++) {
		pages[i] = at + i * PAGE;
		nodes[i] = node;
	}
	agreed(m, syscall(SYS_move_pages, 0, size / PAGE, pages, nodes, status, MPOL_MF_MOVE) == 0);
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static const char *one_node(struct mutator *m)
{
	return access("/sys/devices/system/node/node1", F_OK) != 0
	               ? "pages can only migrate between memory nodes, and there is one"
	               : NULL;
}

static void write_hugetlb(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_HUGETLB, 64 << 10, PAGE, &size);

	if (at != NULL)
		touch(m, at, size);
}

static const char *no_hugetlb(struct mutator *m)
{
	return number_in("/proc/meminfo", "HugePages_Free: %lu") < 2 && pick_area(m, AREA_HUGETLB) == NULL
	               ? "fewer than two free hugetlb pages, and their number is the machine's"
	               : NULL;
}

static void setup(struct mutator *m)
{
	char *at;

	if (no_hugetlb(m) != NULL)
		return;
	at = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (at == MAP_FAILED)
		return;
	m->areas[m->nr_areas++] = (struct area){ .kinds = AREA_HUGETLB, .at = at, .size = HUGE, .fd = -1 };
}

/* Pages with the same contents, for KSM to merge; what other operations write there takes them apart. */
static void make_alike(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_ANON | AREA_THP, 64 << 10, PAGE, &size);

	memset(at, (int)draw_below(m, 4), size);
	agreed(m, madvise(at, size, MADV_MERGEABLE) == 0);
}

static void merge_no_more(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_ANON | AREA_THP, 64 << 10, PAGE, &size);

	agreed(m, madvise(at, size, MADV_UNMERGEABLE) == 0);
}

static const char *no_ksm(struct mutator *m)
{
	return number_in("/sys/kernel/mm/ksm/run", "%lu") != 1
	               ? "KSM does not run, by a setting of the whole machine: for a virtual one"
	               : NULL;
}

/* Out to swap, and for the most part back. */
static void swap_out(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_ANON | AREA_THP, 64 << 10, PAGE, &size);

	agreed(m, madvise(at, size, MADV_PAGEOUT) == 0);
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static const char *no_swap(struct mutator *m)
{
	return number_in("/proc/meminfo", "SwapFree: %lu") < 64 << 10 ? "this machine has no swap space to spare"
	                                                              : NULL;
}

static void compact(struct mutator *m)
{
	FILE *file = fopen("/proc/sys/vm/compact_memory", "w");

	agreed(m, file != NULL && fputs("1", file) >= 0);
	if (file != NULL)
		fclose(file);
}

/* Guests of tests/vm say which lane they are. */
static const char *not_ours(struct mutator *m)
{
	return getenv("TIDEMARK_LANE") == NULL ? "it compacts all memory of the machine: for a virtual one" : NULL;
}

static const struct op OPS[] = {
	{ .name = "migrate", .flags = OP_HUGE, .run = migrate, .lacks = one_node },
	{ .name = "hugetlb", .flags = OP_HUGE, .run = write_hugetlb, .lacks = no_hugetlb },
	{ .name = "alike", .flags = OP_HUGE, .run = make_alike, .lacks = no_ksm },
	{ .name = "unmergeable", .flags = OP_HUGE, .run = merge_no_more, .lacks = no_ksm },
	{ .name = "swap-out", .flags = OP_HUGE, .run = swap_out, .lacks = no_swap },
	{ .name = "compact", .flags = OP_HUGE, .run = compact, .lacks = not_ours },
	{ 0 },
};

const struct family family_machine = { .name = "machine", .ops = OPS, .setup = setup };
