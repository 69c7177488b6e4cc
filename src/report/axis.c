/* SPDX-License-Identifier: MIT */
/* This file squeezes addresses and cuts what remains into rows. */
#include "report/axis.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "report/window.h"

/* Row boundaries stay on pages. */
#define PAGE_BYTES UINT64_C(4096)

static uint64_t gap_before(const struct axis *axis, size_t i)
{
	return axis->ranges[i].start - axis->ranges[i - 1].end;
}

static int larger_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/*
 * The smallest gap that is drawn: more than what a row shows, and so large that there are not too many. 0 when memory
 * is out.
 */
static uint64_t choose_gap(const struct axis *axis, const struct axis_shape *shape)
{
	uint64_t least = axis->before[axis->nr_ranges] / shape->height + 1;
	uint64_t *gaps;

	if (axis->nr_ranges < 2)
		return UINT64_MAX;
	gaps = calloc(axis->nr_ranges - 1, sizeof(*gaps));
	if (gaps == NULL)
		return 0;
	for (size_t i = 1; i < axis->nr_ranges; i++)
		gaps[i - 1] = gap_before(axis, i);
	qsort(gaps, axis->nr_ranges - 1, sizeof(*gaps), larger_first);
	if (axis->nr_ranges - 1 > shape->max_gaps && gaps[shape->max_gaps] >= least)
		least = gaps[shape->max_gaps] + 1;
	free(gaps);
	return least;
}

/* The address at a squeezed place; with `last` the one behind the byte before it. */
static uint64_t unsqueeze(const struct axis *axis, uint64_t at, bool last)
{
	size_t low = 0;
	size_t high = axis->nr_ranges;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (axis->before[middle] + last <= at)
			low = middle;
		else
			high = middle;
	}
	return axis->ranges[low].start + (at - axis->before[low]);
}

/* Cuts the squeezed [from, to) into `nr` rows, of which some may be none where it is too short. */
static void cut(struct axis *axis, uint64_t from, uint64_t to, size_t nr, uint64_t gap)
{
	uint64_t at = from;

	for (size_t i = 1; i <= nr; i++) {
		uint64_t end =
		        i == nr ? to
		                : from + (uint64_t)((unsigned __int128)(to - from) * i / nr / PAGE_BYTES) * PAGE_BYTES;

		if (end <= at)
			continue;
		axis->rows[axis->nr_rows++] = (struct axis_row){ .from = at,
			                                         .to = end,
			                                         .start = unsqueeze(axis, at, false),
			                                         .end = unsqueeze(axis, end, true),
			                                         .gap = gap };
		at = end;
		gap = 0;
	}
}

/* Each segment between drawn gaps gets the least number of rows, and its share of the rest by size. */
static void make_rows(struct axis *axis, const struct axis_shape *shape, uint64_t least_gap, size_t nr_segments)
{
	uint64_t total = axis->before[axis->nr_ranges];
	size_t least = shape->min_rows > 0 ? shape->min_rows : 1;
	size_t taken = nr_segments * least + (nr_segments - 1) * shape->gap_rows;
	uint64_t rest = shape->height > taken ? shape->height - taken : 0;
	size_t first = 0;
	uint64_t given = 0;

	for (size_t i = 1; i <= axis->nr_ranges; i++) {
		uint64_t upto;

		if (i < axis->nr_ranges && gap_before(axis, i) < least_gap)
			continue;
		upto = report_part(rest, axis->before[i], total);
		cut(axis, axis->before[first], axis->before[i], least + (size_t)(upto - given),
		    first > 0 ? gap_before(axis, first) : 0);
		given = upto;
		first = i;
	}
}

int axis_init(struct axis *axis, const struct tide_range *ranges, size_t nr_ranges, const struct axis_shape *shape)
{
	size_t least_rows = shape->min_rows > 0 ? shape->min_rows : 1;
	uint64_t least_gap;
	size_t nr_segments = 1;

	*axis = (struct axis){ .ranges = ranges, .nr_ranges = nr_ranges };
	axis->before = calloc(nr_ranges + 1, sizeof(*axis->before));
	if (axis->before == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < nr_ranges; i++)
		axis->before[i + 1] = axis->before[i] + (ranges[i].end - ranges[i].start);
	if (axis->before[nr_ranges] == 0)
		return 0;
	least_gap = choose_gap(axis, shape);
	for (size_t i = 1; i < nr_ranges; i++)
		nr_segments += gap_before(axis, i) >= least_gap;
	axis->rows = least_gap > 0 ? calloc(shape->height + nr_segments * least_rows, sizeof(*axis->rows)) : NULL;
	if (axis->rows == NULL) {
		axis_fini(axis);
		return -ENOMEM;
	}
	make_rows(axis, shape, least_gap, nr_segments);
	return 0;
}

void axis_fini(struct axis *axis)
{
	free(axis->before);
	free(axis->rows);
	*axis = (struct axis){ 0 };
}

uint64_t axis_squeeze(const struct axis *axis, uint64_t addr, size_t *hint)
{
	size_t i = *hint;

	while (i > 0 && axis->ranges[i - 1].end > addr)
		i--;
	while (i < axis->nr_ranges && axis->ranges[i].end <= addr)
		i++;
	*hint = i < axis->nr_ranges ? i : axis->nr_ranges - 1;
	if (i == axis->nr_ranges || addr <= axis->ranges[i].start)
		return axis->before[i];
	return axis->before[i] + (addr - axis->ranges[i].start);
}
