/* SPDX-License-Identifier: MIT */
/* This file keeps figures, and words them: the median and the spread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "series.h"

void series_add(struct series *series, double value)
{
	if (series->nr < MAX_PAIRS)
		series->values[series->nr++] = value;
}

void series_add_ratio(struct series *series, const struct series *above, const struct series *below)
{
	series_add(series, above->values[above->nr - 1] / below->values[below->nr - 1]);
}

static int lower_first(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double series_median(const struct series *series)
{
	struct series sorted = *series;

	if (sorted.nr == 0)
		return 0;
	qsort(sorted.values, sorted.nr, sizeof(sorted.values[0]), lower_first);
	return (sorted.values[(sorted.nr - 1) / 2] + sorted.values[sorted.nr / 2]) / 2;
}

/* Three digits that count. */
static int digits(double value)
{
	return value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
}

const char *series_text(const struct series *series, const char *unit)
{
	static char texts[16][96];
	static size_t next;
	double median = series_median(series), low = median, high = median;
	char *text = texts[next++ % 16];

	for (size_t i = 0; i < series->nr; i++) {
		low = series->values[i] < low ? series->values[i] : low;
		high = series->values[i] > high ? series->values[i] : high;
	}
	snprintf(text, sizeof(texts[0]), "%.*f%s (%.*f to %.*f)", digits(median), median, unit, digits(median), low,
	         digits(median), high);
	return text;
}
