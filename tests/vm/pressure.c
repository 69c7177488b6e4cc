/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that does a fixed work in memory and counts what it had to fetch back from swap:
 *
 *     vm-pressure HOT_MIB COLD_MIB ROUNDS PAUSE_MS
 *
 * It populates both, prints "READY" and waits for a line on standard input. In each round it touches every hot page,
 * then the next 256 cold pages, in a circle. Prints "RESULT hot_major=N cold_major=N minor=N sum=N".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define PAGE             4096u
#define COLD_PAGES_ROUND 256u

struct memory {
	uint8_t *start;
	uint64_t nr_pages;
};

static int map_memory(struct memory *memory, const char *mib)
{
	uint64_t size = strtoull(mib, NULL, 10) << 20;

	memory->nr_pages = size / PAGE;
	memory->start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (size == 0 || memory->start == MAP_FAILED)
		return -1;
	madvise(memory->start, size, MADV_NOHUGEPAGE);
	for (uint64_t page = 0; page < memory->nr_pages; page++)
		*(volatile uint64_t *)(memory->start + page * PAGE) = page + 1;
	return 0;
}

static uint64_t touch(const struct memory *memory, uint64_t page)
{
	return *(volatile uint64_t *)(memory->start + page % memory->nr_pages * PAGE);
}

static struct rusage usage(void)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	return now;
}

static void run(const struct memory *hot, const struct memory *cold, unsigned rounds, long pause_ms)
{
	struct timespec pause = { .tv_nsec = pause_ms * 1000000 };
	struct rusage begin = usage();
	uint64_t cold_page = 0;
	long hot_major = 0;
	uint64_t sum = 0;

	for (unsigned round = 0; round < rounds; round++) {
		long before = usage().ru_majflt;

		for (uint64_t page = 0; page < hot->nr_pages; page++)
			sum += touch(hot, page);
		hot_major += usage().ru_majflt - before;
		for (unsigned i = 0; i < COLD_PAGES_ROUND; i++)
			sum += touch(cold, cold_page++);
		nanosleep(&pause, NULL);
	}
	printf("RESULT hot_major=%ld cold_major=%ld minor=%ld sum=%" PRIu64 "\n", hot_major,
	       usage().ru_majflt - begin.ru_majflt - hot_major, usage().ru_minflt - begin.ru_minflt, sum);
}

int main(int argc, char **argv)
{
	struct memory hot;
	struct memory cold;
	char line[16];

	if (argc != 5 || map_memory(&cold, argv[2]) < 0 || map_memory(&hot, argv[1]) < 0) {
		fprintf(stderr, "usage: vm-pressure HOT_MIB COLD_MIB ROUNDS PAUSE_MS\n");
		return 2;
	}
	puts("READY");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	run(&hot, &cold, (unsigned)strtoul(argv[3], NULL, 10), strtol(argv[4], NULL, 10));
	return 0;
}
