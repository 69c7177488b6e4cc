/* SPDX-License-Identifier: MIT */
/* This file makes and writes memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "write-tracking.h"

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

unsigned char *arena_map(uint64_t size, int advice)
{
	/* Room to begin at a huge page, and to keep neighbours from merging with it. */
	unsigned char *room = mmap(NULL, size + 2 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *arena;

	if (room == MAP_FAILED)
		fail("cannot map memory", 0);
	arena = room + (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE);
	if (mprotect(arena, size, PROT_READ | PROT_WRITE) != 0 || madvise(arena, size, advice) != 0)
		fail("cannot set memory up", 0);
	return arena;
}

void arena_populate(unsigned char *arena, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += PAGE)
		arena[at] = 1;
}

uint64_t arena_write(unsigned char *arena, uint64_t size, uint64_t per_10000, uint64_t seed)
{
	uint64_t nr = 0;

	for (uint64_t at = 0; at < size; at += PAGE) {
		if (mix(seed << 32 ^ at / PAGE) % 10000 >= per_10000)
			continue;
		arena[at + 8]++;
		nr++;
	}
	return nr;
}

uint32_t *arena_pages(uint64_t nr_pages, uint64_t nr, uint64_t seed)
{
	uint32_t *pages = malloc(nr_pages * sizeof(pages[0]));

	if (pages == NULL)
		fail("no memory", 0);
	for (uint64_t i = 0; i < nr_pages; i++)
		pages[i] = (uint32_t)i;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t other = i + mix(seed << 32 ^ i) % (nr_pages - i);
		uint32_t page = pages[i];

		pages[i] = pages[other];
		pages[other] = page;
	}
	return pages;
}

uint64_t huge_kib(pid_t pid)
{
	char path[48], line[128];
	unsigned long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (file == NULL)
		fail("cannot read smaps_rollup", 0);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "AnonHugePages:", 14) == 0)
			kib = strtoul(line + 14, NULL, 10);
	fclose(file);
	return kib;
}
