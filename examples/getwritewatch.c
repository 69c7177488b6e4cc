/* SPDX-License-Identifier: MIT */
/*
 * This file is an example: a garbage collector that learns from tide_watch_get, as from GetWriteWatch, where references
 * into its young generation may have been stored, instead of from a barrier in every store.
 * cc getwritewatch.c $(pkg-config --cflags --libs libtidemark) -o getwritewatch
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tidemark/watch.h>

enum {
	OLD_BYTES = 64 << 20, /* the old generation: nothing but references */
	NR_REFS = OLD_BYTES / sizeof(void *),
	NR_ROUNDS = 5,
	NR_STORES = 1000,
	AT_ONCE = 256,
};

static void **old;
static char young[NR_ROUNDS][4096]; /* each round has a young generation of its own */

static int is_young(const void *ref, int round)
{
	return (const char *)ref >= young[round] && (const char *)ref < young[round] + sizeof(young[round]);
}

/* A minor collection: looks for references on the pages that were written since the last, on no others. */
static int collect(struct tide_watch *watch, int round, size_t *nr_pages, size_t *nr_found, struct tide_error *err)
{
	uint64_t at = (uint64_t)(uintptr_t)old;
	uint64_t end = at + OLD_BYTES;
	uint64_t pages[AT_ONCE];
	uint64_t page_bytes;
	int more = 1;

	while (more > 0) {
		size_t nr = AT_ONCE;

		more = tide_watch_get(watch, TIDE_GET_RESET, at, end, pages, &nr, &page_bytes, err);
		if (more < 0)
			return more;
		for (size_t i = 0; i < nr; i++)
			for (size_t ref = 0; ref < page_bytes / sizeof(void *); ref++)
				*nr_found += (size_t)is_young(((void **)(uintptr_t)pages[i])[ref], round);
		*nr_pages += nr;
		if (nr > 0)
			at = pages[nr - 1] + page_bytes;
	}
	return 0;
}

static int run(struct tide_watch *watch, struct tide_error *err)
{
	for (int round = 0; round < NR_ROUNDS; round++) {
		size_t nr_stored = 0;
		size_t nr_pages = 0;
		size_t nr_found = 0;

		for (int i = 0; i < NR_STORES; i++) {
			void **slot = &old[(size_t)random() % NR_REFS];

			nr_stored += (size_t)!is_young(*slot, round);
			*slot = &young[round][(size_t)random() % sizeof(young[round])];
		}
		if (collect(watch, round, &nr_pages, &nr_found, err) < 0)
			return -1;
		printf("round %d: %zu references stored, %zu found on %zu of %d pages\n", round + 1, nr_stored,
		       nr_found, nr_pages, OLD_BYTES / 4096);
		if (nr_found != nr_stored)
			return 1;
	}
	return 0;
}

int main(void)
{
	struct tide_range range;
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .arm_holes = 1 };
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_error err = { 0 };
	int result;

	old = mmap(NULL, OLD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (old == MAP_FAILED)
		return 1;
	range.start = (uint64_t)(uintptr_t)old;
	range.end = range.start + OLD_BYTES;
	result = tide_target_open(&target, getpid(), &err);
	if (result >= 0)
		result = tide_watch_open(&watch, target, &opts, &err);
	if (result >= 0)
		result = run(watch, &err);
	if (result < 0)
		fprintf(stderr, "getwritewatch: %s: %s\n", tide_cause_name(err.cause), err.text);
	tide_watch_close(watch);
	tide_target_close(target);
	return result != 0;
}
