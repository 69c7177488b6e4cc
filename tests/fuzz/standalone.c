/* SPDX-License-Identifier: MIT */
/*
 * This file runs a fuzz test without libFuzzer, so that every compiler can: mutations of the seeds, the same ones for
 * the same arguments. Usage: PROGRAM [NUMBER [SEED]], or PROGRAM FILE to repeat one input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fuzz.h"

enum {
	MAX_SIZE = 4096,
	MAX_MUTATIONS = 8,
};

static void insert(uint8_t *data, size_t *size, size_t at, const uint8_t *piece, size_t nr)
{
	if (nr > MAX_SIZE - *size)
		nr = MAX_SIZE - *size;
	memmove(data + at + nr, data + at, *size - at);
	memcpy(data + at, piece, nr);
	*size += nr;
}

static void mutate(struct rng *rng, uint8_t *data, size_t *size)
{
	static const char telling[] = "\n :-()/\\09afrwxps\t\0\377";
	size_t at = rng_below(rng, *size + 1);
	size_t nr = rng_below(rng, *size - at + 1);
	uint8_t copy[MAX_SIZE];
	uint8_t byte = (uint8_t)telling[rng_below(rng, sizeof(telling))];

	switch (rng_below(rng, 6)) {
	case 0: /* flip a bit */
		if (at < *size)
			data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
		break;
	case 1: /* put a byte that means something */
		if (at < *size)
			data[at] = byte;
		break;
	case 2:
		insert(data, size, at, &byte, 1);
		break;
	case 3: /* repeat a piece */
		memcpy(copy, data + at, nr);
		insert(data, size, at, copy, nr);
		break;
	case 4: /* drop a few */
		nr = nr < 8 ? nr : 8;
		memmove(data + at, data + at + nr, *size - at - nr);
		*size -= nr;
		break;
	default: /* break off, seldom: it ends the other mutations' chances */
		if (rng_below(rng, 8) == 0)
			*size = at;
	}
}

/* In memory of just its size, so that a sanitizer sees a byte too many. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (exact == NULL)
		exit(1);
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void run_mutants(unsigned long nr, uint64_t seed)
{
	uint8_t data[MAX_SIZE];
	struct rng rng;
	size_t nr_seeds = 0;

	rng_init(&rng, seed);
	for (; fuzz_seeds[nr_seeds] != NULL; nr_seeds++)
		run((const uint8_t *)fuzz_seeds[nr_seeds], strlen(fuzz_seeds[nr_seeds]));
	for (unsigned long i = 0; i < nr; i++) {
		const char *from = fuzz_seeds[rng_below(&rng, nr_seeds)];
		size_t size = strlen(from);
		uint64_t mutations = 1 + rng_below(&rng, MAX_MUTATIONS);

		memcpy(data, from, size);
		for (uint64_t k = 0; k < mutations; k++)
			mutate(&rng, data, &size);
		run(data, size);
	}
	printf("%lu inputs, seed %lu\n", nr, (unsigned long)seed);
}

static int run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rbe");
	size_t size;

	if (file == NULL) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	run(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long nr = argc > 1 ? strtoul(argv[1], &end, 10) : 100000;

	if (end != NULL && *end != 0)
		return run_file(argv[1]);
	run_mutants(nr, argc > 2 ? strtoul(argv[2], NULL, 10) : 1);
	return 0;
}
