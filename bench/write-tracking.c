/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that measures write tracking side by side with other ways to do it:
 *
 *     write-tracking [PAIRS [harvest|first|get|open]...]
 *
 * Prints Markdown tables: the median of PAIRS (9) interleaved runs, with the lowest and the highest, and ratios within
 * a pair. Needs about 8 GiB of memory and root.
 */
#include "write-tracking.h"

static const struct bench benches[] = {
	{ "harvest", bench_harvest },
	{ "first", bench_first },
	{ "get", bench_get },
	{ "open", bench_open },
};

int main(int argc, char **argv)
{
	return run_benches(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
