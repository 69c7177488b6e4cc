/* SPDX-License-Identifier: MIT */
/* This file is what the programs that measure write tracking have in common: clocks, an end, the choice of benches. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "write-tracking.h"

_Noreturn void fail(const char *what, int code)
{
	fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, code < 0 ? ": " : "",
	        code < 0 ? strerror(-code) : "");
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

static int usage(const struct bench *benches, size_t nr)
{
	fprintf(stderr, "usage: %s [PAIRS (1 to %d)", program_invocation_short_name, MAX_PAIRS);
	for (size_t i = 0; i < nr; i++)
		fprintf(stderr, "%s%s", i == 0 ? " [" : "|", benches[i].name);
	fputs("]...]\n", stderr);
	return 2;
}

int run_benches(int argc, char **argv, const struct bench *benches, size_t nr)
{
	size_t nr_pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 9;

	if (nr_pairs == 0 || nr_pairs > MAX_PAIRS)
		return usage(benches, nr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < nr; i++) {
		int is_wanted = argc <= 2;

		for (int j = 2; j < argc; j++)
			is_wanted |= strcmp(argv[j], benches[i].name) == 0;
		if (is_wanted)
			benches[i].run(nr_pairs);
	}
	return 0;
}
