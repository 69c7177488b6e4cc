/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that computes on memory and reports how fast it gets on:
 *
 *     bench-throughput HOT_MIB COLD_MIB
 *
 * It reads and writes random words of HOT_MIB, one dependent on the other, next to COLD_MIB that are populated and left
 * alone. Prints "READY", then every 20 ms "UNIX_US OPERATIONS", both counting up. Until killed, or its parent dies.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define PERIOD_NS 20000000u
#define BURST     4096

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t *map_words(const char *mib, uint64_t *nr_words)
{
	uint64_t size = strtoull(mib, NULL, 10) << 20;
	uint64_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (size == 0 || words == MAP_FAILED)
		return NULL;
	madvise(words, size, MADV_NOHUGEPAGE);
	*nr_words = size / sizeof(*words);
	for (uint64_t i = 0; i < *nr_words; i += 8)
		words[i] = i * 0x9e3779b97f4a7c15;
	return words;
}

int main(int argc, char **argv)
{
	uint64_t nr_operations = 0;
	uint64_t next_ns = 0;
	uint64_t nr_words = 0;
	uint64_t nr_cold = 0;
	uint64_t state = 1;
	uint64_t *words = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 3)
		words = map_words(argv[1], &nr_words);
	if (!words || !map_words(argv[2], &nr_cold)) {
		fprintf(stderr, "usage: bench-throughput HOT_MIB COLD_MIB\n");
		return 2;
	}
	puts("READY");
	for (;;) {
		for (int i = 0; i < BURST; i++) {
			uint64_t at = (uint64_t)((unsigned __int128)state * nr_words >> 64);

			state = (state ^ words[at]) * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
			if (i % 4 == 0)
				words[at] = state;
		}
		nr_operations += BURST;
		if (clock_now(CLOCK_MONOTONIC) < next_ns)
			continue;
		next_ns = clock_now(CLOCK_MONOTONIC) + PERIOD_NS;
		printf("%" PRIu64 " %" PRIu64 "\n", clock_now(CLOCK_REALTIME) / 1000, nr_operations);
		if (fflush(stdout) != 0)
			return 1;
	}
}
