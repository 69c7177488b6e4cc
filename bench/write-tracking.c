/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that measures write tracking side by side with other ways to do it:
 *
 *     write-tracking [PAIRS [harvest|first|get|open]...]
 *
 * Prints Markdown tables: the median of PAIRS (9) interleaved runs, with the lowest and the highest, and ratios within
 * a pair. Needs about 8 GiB of memory and root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "write-tracking.h"

_Noreturn void fail(const char *what, int code)
{
	fprintf(stderr, "write-tracking: %s%s%s\n", what, code < 0 ? ": " : "", code < 0 ? strerror(-code) : "");
	exit(1);
}

_Noreturn void fail_error(const struct tide_error *err)
{
	fail(err->text, 0);
}

static uint64_t ask(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
	return ask(CLOCK_MONOTONIC);
}

uint64_t spent_ns(void)
{
	return ask(CLOCK_THREAD_CPUTIME_ID);
}

static const struct bench {
	const char *name;
	void (*run)(size_t nr_pairs);
} benches[] = {
	{ "harvest", bench_harvest },
	{ "first", bench_first },
	{ "get", bench_get },
	{ "open", bench_open },
};

int main(int argc, char **argv)
{
	size_t nr_pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 9;

	if (nr_pairs == 0 || nr_pairs > MAX_PAIRS) {
		fprintf(stderr, "usage: write-tracking [PAIRS (1 to %d) [harvest|first|get|open]...]\n", MAX_PAIRS);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		int is_wanted = argc <= 2;

		for (int j = 2; j < argc; j++)
			is_wanted |= strcmp(argv[j], benches[i].name) == 0;
		if (is_wanted)
			benches[i].run(nr_pairs);
	}
	return 0;
}
