/* SPDX-License-Identifier: MIT */
/* Figures of one thing, one for each round. */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stddef.h>

enum {
	MAX_PAIRS = 64,
};

struct series {
	double values[MAX_PAIRS];
	size_t nr;
};

void series_add(struct series *series, double value);
void series_add_ratio(struct series *series, const struct series *above, const struct series *below); /* of the last */
double series_median(const struct series *series);
const char *series_text(const struct series *series,
                        const char *unit); /* "median (low to high) unit"; a ring of texts */

#endif
