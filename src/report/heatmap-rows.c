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

static bool is_mapped(const struct heatmap *heatmap, struct record_reader *reader, size_t row, uint64_t at_us)
{
	const struct axis_row *place = &heatmap->axis.rows[row];

	return record_mapped_bytes(reader, heatmap->target->index, place->start, place->end, at_us) > 0;
}

/* Names those rows that have no name yet and were mapped at `at_us`. */
static int name_at(struct heatmap *heatmap, struct record_reader *reader, uint64_t at_us)
{
	for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
		const struct axis_row *row = &heatmap->axis.rows[i];

		if (heatmap->names[i] != NULL || !is_mapped(heatmap, reader, i, at_us))
			continue;
		heatmap->names[i] =
		        strdup(record_mapping_name(reader, heatmap->target->index, row->start, row->end, at_us));
		if (heatmap->names[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* What is there at the end gives the name; else what was there before. */
int heatmap_name_rows(struct heatmap *heatmap, struct record_reader *reader)
{
	const struct report_window *window = &heatmap->window;
	uint64_t step = (window->to_us - window->from_us) / 8;
	int result = 0;

	heatmap->names = calloc(heatmap->axis.nr_rows + 1, sizeof(*heatmap->names));
	if (heatmap->names == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; i < 8 && result == 0; i++)
		result = name_at(heatmap, reader, window->to_us - step * i);
	for (size_t i = 0; i < heatmap->axis.nr_rows && result == 0; i++) {
		if (heatmap->names[i] == NULL)
			heatmap->names[i] = strdup("");
		if (heatmap->names[i] == NULL)
			result = -ENOMEM;
	}
	return result;
}

/* Looks three times at each column, forward in time, for that is cheap. */
int heatmap_blank_unmapped(struct heatmap *heatmap, struct record_reader *reader)
{
	const struct report_window *window = &heatmap->window;
	double step = (double)(window->to_us - window->from_us) / (double)heatmap->nr_columns / 3;
	scope_free bool *mapped = calloc(heatmap->axis.nr_rows + 1, sizeof(*mapped));

	if (mapped == NULL)
		return -ENOMEM;
	for (size_t c = 0; c < heatmap->nr_columns; c++) {
		memset(mapped, 0, heatmap->axis.nr_rows);
		for (size_t look = 1; look <= 3; look++) {
			uint64_t at_us = window->from_us + (uint64_t)(step * (double)(3 * c + look));

			for (size_t i = 0; i < heatmap->axis.nr_rows; i++)
				mapped[i] = mapped[i] || is_mapped(heatmap, reader, i, at_us);
		}
		for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
			struct heatmap_cell *cell = &heatmap->cells[i * heatmap->nr_columns + c];

			/* What was accessed was there, if only between two looks. */
			if (!mapped[i] && !(cell->accessed > 0))
				*cell = (struct heatmap_cell){ 0 };
		}
	}
	return 0;
}
