/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that says what looking for pinned pages costs:
 *
 *     bench-pins [ROUNDS]
 *
 * Prints lines "NAME VALUE", medians of ROUNDS (9): nanoseconds a page for a plain sample of the walker, and for a look
 * at single pages, at pages of huge pages and at pages that are not there; microseconds for the question whether to
 * look at all; milliseconds to get ready.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pages/pinned.h"

#define PAGE     4096ul
#define NR_PAGES 32768ul
#define MAX      99

static uint64_t addresses[NR_PAGES];
static uint8_t answers[NR_PAGES];

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

typedef int round_fn(struct walker *walker, struct tide_error *err);

static int look(struct walker *walker, struct tide_error *err)
{
	return pinned_look(walker, addresses, NR_PAGES, answers, err);
}

static int sample(struct walker *walker, struct tide_error *err)
{
	struct walker_sample *samples = walker_samples(walker);
	int result = 0;

	for (size_t done = 0; done < NR_PAGES && result == 0; done += WALKER_MAX_SAMPLES) {
		for (size_t i = 0; i < WALKER_MAX_SAMPLES; i++)
			walker_ask(&samples[i], addresses[done + i], true);
		result = walker_sample(walker, WALKER_MAX_SAMPLES, err);
	}
	return result;
}

static int ask_flags(struct walker *walker, struct tide_error *err)
{
	uint64_t flags;

	return walker_mm_flags(walker, &flags, err);
}

static void measure(const char *name, struct walker *walker, round_fn *fn, unsigned rounds, double unit)
{
	double times[MAX];
	struct tide_error err = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		double began = now_ns();

		if (fn(walker, &err) < 0) {
			fprintf(stderr, "%s: %s\n", name, err.text);
			exit(1);
		}
		times[i] = (now_ns() - began) / unit;
	}
	qsort(times, rounds, sizeof(times[0]), by_size);
	printf("%s %.1f (%.1f to %.1f)\n", name, times[rounds / 2], times[0], times[rounds - 1]);
}

/* Points `addresses` at new memory; every page is written when `advice` is not negative. */
static void map_pages(int advice)
{
	char *memory = mmap(NULL, (NR_PAGES + 512) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	memory = (char *)(((uintptr_t)memory + 512 * PAGE - 1) & ~(512 * PAGE - 1));
	if (advice >= 0) {
		madvise(memory, NR_PAGES * PAGE, advice);
		memset(memory, 1, NR_PAGES * PAGE);
	}
	for (size_t i = 0; i < NR_PAGES; i++)
		addresses[i] = (uint64_t)(uintptr_t)memory + i * PAGE;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
	struct tide_target *target = NULL;
	struct walker *walker = NULL;
	struct tide_error err = { 0 };
	double began = now_ns();

	if (rounds == 0 || rounds > MAX || tide_target_open(&target, getpid(), &err) < 0 ||
	    walker_open(&walker, target, &err) < 0) {
		fprintf(stderr, "bench-pins: %s\n", err.text);
		return 1;
	}
	printf("open_ms %.1f\n", (now_ns() - began) / 1e6);
	measure("flags_us", walker, ask_flags, rounds, 1e3);
	map_pages(MADV_NOHUGEPAGE);
	measure("sample_ns", walker, sample, rounds, NR_PAGES);
	measure("look_ns", walker, look, rounds, NR_PAGES);
	map_pages(MADV_HUGEPAGE);
	measure("look_huge_ns", walker, look, rounds, NR_PAGES);
	map_pages(-1);
	measure("look_absent_ns", walker, look, rounds, NR_PAGES);
	walker_close(walker);
	tide_target_close(target);
	return 0;
}
