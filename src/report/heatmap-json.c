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

/* Where a cell keeps what the list is of. */
static double member(const struct heatmap_cell *cell, size_t offset)
{
	return *(const double *)(const void *)((const char *)cell + offset);
}

/* One share of each of a row's cells; NULL when memory is out. */
static json_t *make_list(const struct heatmap *heatmap, size_t row, size_t offset)
{
	json_t *list = json_array();

	for (size_t c = 0; c < heatmap->nr_columns; c++) {
		const struct heatmap_cell *cell = &heatmap->cells[row * heatmap->nr_columns + c];

		if (json_array_append_new(list, cell_share(member(cell, offset), cell->all)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *make_row(const struct heatmap *heatmap, size_t i)
{
	const struct axis_row *row = &heatmap->axis.rows[i];
	bool has_writes = heatmap->info->writes != NULL;
	json_t *object = json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "target", (int)heatmap->target->index,
	                           "pid", (json_int_t)heatmap->target->pid, "start", json_address(row->start), "end",
	                           json_address(row->end), "mapped_bytes", json_number(row->to - row->from), "mapping",
	                           json_text(heatmap->names[i]), "accessed",
	                           make_list(heatmap, i, offsetof(struct heatmap_cell, accessed)), "unobservable",
	                           make_list(heatmap, i, offsetof(struct heatmap_cell, unobservable)));

	if (object == NULL || !has_writes)
		return object;
	if (json_object_set_new(object, "written", make_list(heatmap, i, offsetof(struct heatmap_cell, written))) ==
	            0 &&
	    json_object_set_new(object, "unobservable_writes",
	                        make_list(heatmap, i, offsetof(struct heatmap_cell, untold))) == 0)
		return object;
	json_decref(object);
	return NULL;
}

int heatmap_write_json(const struct heatmap *heatmap, FILE *out, struct tide_error *err)
{
	int result = 0;

	for (size_t i = 0; i < heatmap->axis.nr_rows && result == 0; i++)
		result = json_line(out, make_row(heatmap, i), err);
	return result;
}
