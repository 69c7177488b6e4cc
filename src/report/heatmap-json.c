/* SPDX-License-Identifier: MIT */
/* This file writes heatmaps as JSON: a row an object, its cells from the earliest to the latest. */
#include "report/heatmap.h"
#include "report/json.h"

/* null where nothing was mapped. */
static json_t *cell_share(double part, double all)
{
	double share = all > 0 ? part / all : 0;

	return all > 0 ? json_share(share < 1 ? share : 1) : json_null();
}

/* Adds one cell to both lists; false when memory is out. */
static bool add_cell(json_t *accessed, json_t *unobservable, const struct heatmap_cell *cell)
{
	return json_array_append_new(accessed, cell_share(cell->accessed, cell->all)) == 0 &&
	       json_array_append_new(unobservable, cell_share(cell->unobservable, cell->all)) == 0;
}

static json_t *make_row(const struct heatmap *heatmap, size_t i)
{
	const struct axis_row *row = &heatmap->axis.rows[i];
	json_t *accessed = json_array();
	json_t *unobservable = json_array();

	for (size_t c = 0; c < heatmap->nr_columns; c++) {
		if (add_cell(accessed, unobservable, &heatmap->cells[i * heatmap->nr_columns + c]))
			continue;
		json_decref(accessed);
		json_decref(unobservable);
		return NULL;
	}
	return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "target", (int)heatmap->target->index, "pid",
	                 (json_int_t)heatmap->target->pid, "start", json_address(row->start), "end",
	                 json_address(row->end), "mapped_bytes", json_number(row->to - row->from), "mapping",
	                 json_text(heatmap->names[i]), "accessed", accessed, "unobservable", unobservable);
}

int heatmap_write_json(const struct heatmap *heatmap, FILE *out, struct tide_error *err)
{
	int result = 0;

	for (size_t i = 0; i < heatmap->axis.nr_rows && result == 0; i++)
		result = json_line(out, make_row(heatmap, i), err);
	return result;
}
