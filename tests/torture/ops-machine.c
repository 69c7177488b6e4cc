/* SPDX-License-Identifier: MIT */
/* This file changes memory in ways that need something of the machine: several nodes, hugetlb pages, KSM. */
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mutator.h"

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
	char line[128];
	unsigned long nr = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "HugePages_Free: %lu", &nr) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return nr < 2 && pick_area(m, AREA_HUGETLB) == NULL
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

static const char *ksm(struct mutator *m)
{
	return "KSM runs by a setting of the whole machine: for a virtual one";
}

static const struct op OPS[] = {
	{ .name = "migrate", .flags = OP_HUGE, .run = migrate, .lacks = one_node },
	{ .name = "hugetlb", .flags = OP_HUGE, .run = write_hugetlb, .lacks = no_hugetlb },
	{ .name = "ksm", .flags = OP_HUGE, .run = migrate, .lacks = ksm },
	{ 0 },
};

const struct family family_machine = { .name = "machine", .ops = OPS, .setup = setup };
