/* SPDX-License-Identifier: MIT */
/*
 * This file asks the recorded mappings about a heatmap's rows: what they are called, and when there was nothing. A
 * region may reach over addresses that are not mapped, or not yet; its silence there is not that of cold memory.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "report/heatmap.h"

/* In each column. */
#define LOOKS 3

static bool is_mapped(const struct heatmap *heatmap, struct record_reader *reader, size_t row, uint64_t at_us)
{
	const struct axis_row *place = &heatmap->axis.rows[row];

	return record_mapped_bytes(reader, heatmap->target->index, place->start, place->end, at_us) > 0;
}

/* Names the row, which is mapped at `at_us`, unless it has a name. 0 or -ENOMEM. */
static int name_row(struct heatmap *heatmap, struct record_reader *reader, size_t row, uint64_t at_us)
{
	const struct axis_row *place = &heatmap->axis.rows[row];

	if (heatmap->names[row] != NULL)
		return 0;
	heatmap->names[row] =
	        strdup(record_mapping_name(reader, heatmap->target->index, place->start, place->end, at_us));
	return heatmap->names[row] != NULL ? 0 : -ENOMEM;
}

static int look(struct heatmap *heatmap, struct record_reader *reader, uint64_t at_us, bool *mapped)
{
	int result = 0;

	for (size_t i = 0; i < heatmap->axis.nr_rows && result == 0; i++) {
		if (!is_mapped(heatmap, reader, i, at_us))
			continue;
		mapped[i] = true;
		result = name_row(heatmap, reader, i, at_us);
	}
	return result;
}

/* What was accessed was there, if only between two looks. */
static void blank(struct heatmap *heatmap, size_t column, const bool *mapped)
{
	for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
		struct heatmap_cell *cell = &heatmap->cells[i * heatmap->nr_columns + column];

		if (!mapped[i] && !(cell->accessed > 0) && !(cell->written > 0))
			*cell = (struct heatmap_cell){ 0 };
	}
}

/* Looks at the end first, for the names of then count; after that forward in time, which is cheap. */
int heatmap_ask_mappings(struct heatmap *heatmap, struct record_reader *reader)
{
	const struct report_window *window = &heatmap->window;
	double step = (double)(window->to_us - window->from_us) / (double)heatmap->nr_columns / LOOKS;
	scope_free bool *mapped = calloc(heatmap->axis.nr_rows + 1, sizeof(*mapped));
	int result;

	heatmap->names = calloc(heatmap->axis.nr_rows + 1, sizeof(*heatmap->names));
	if (mapped == NULL || heatmap->names == NULL)
		return -ENOMEM;
	result = look(heatmap, reader, window->to_us, mapped);
	for (size_t c = 0; c < heatmap->nr_columns && result == 0; c++) {
		memset(mapped, 0, heatmap->axis.nr_rows);
		for (size_t i = 1; i <= LOOKS && result == 0; i++)
			result = look(heatmap, reader, window->from_us + (uint64_t)(step * (double)(LOOKS * c + i)),
			              mapped);
		blank(heatmap, c, mapped);
	}
	for (size_t i = 0; i < heatmap->axis.nr_rows && result == 0; i++) {
		if (heatmap->names[i] == NULL)
			heatmap->names[i] = strdup("");
		result = heatmap->names[i] != NULL ? 0 : -ENOMEM;
	}
	return result;
}
