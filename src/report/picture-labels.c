/* SPDX-License-Identifier: MIT */
/* This file draws the labels of a heatmap's picture: addresses to the left, names and sizes of mappings to the right.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "report/format.h"
#include "report/palette.h"
#include "report/picture-heatmap.h"
#include "report/ticks.h"

/* Labels' distance, from baseline to baseline. */
#define LABEL_HEIGHT 13
/* Addresses are marked at least so far apart. */
#define MARK_DISTANCE 40

double heatmap_y_of(const struct heatmap_panel *panel, size_t row, uint64_t place)
{
	const struct axis_row *at = &panel->heatmap->axis.rows[row];

	return panel->tops[row] + (double)(place - at->from) / (double)(at->to - at->from) * panel->row_height;
}

static void draw_address(const struct heatmap_panel *panel, double y, uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	draw_line(panel->cr, panel->plot.x - 5, y, panel->plot.x - 2, y, PALETTE_FRAME);
	draw_text(panel->cr, &draw_mono_font, panel->plot.x - 8, y + 4, DRAW_RIGHT, text);
}

/* The first row behind `row` that begins anew after a gap. */
static size_t part_end(const struct axis *axis, size_t row)
{
	do
		row++;
	while (row < axis->nr_rows && axis->rows[row].gap == 0);
	return row;
}

/* Round addresses between the first one of a part and its end. */
static void draw_marks(const struct heatmap_panel *panel, size_t first, size_t end)
{
	const struct axis *axis = &panel->heatmap->axis;
	uint64_t row_bytes = axis->rows[first].to - axis->rows[first].from;
	uint64_t step = ticks_bytes_step((uint64_t)((double)row_bytes / panel->row_height * MARK_DISTANCE) + 1);
	double last = panel->tops[first] + 4;
	size_t hint = 0;

	for (size_t row = first; row < end; row++) {
		uint64_t address = ticks_first(axis->rows[row].start, step);
		double y;

		if (address < axis->rows[row].start || address >= axis->rows[row].end)
			continue;
		y = heatmap_y_of(panel, row, axis_squeeze(axis, address, &hint));
		if (y - last < LABEL_HEIGHT || panel->tops[end - 1] - y < LABEL_HEIGHT / 2.0)
			continue;
		draw_address(panel, y, address);
		last = y;
	}
}

void heatmap_draw_addresses(const struct heatmap_panel *panel)
{
	const struct axis *axis = &panel->heatmap->axis;
	size_t end;

	if (panel->label_width == 0)
		return;
	for (size_t row = 0; row < axis->nr_rows; row = end) {
		end = part_end(axis, row);
		/* Beside its part, not above it: the gap's torn edges end there. */
		draw_address(panel, panel->tops[row] + 4, axis->rows[row].start);
		draw_marks(panel, row, end);
	}
}

/* Rows of one name. */
struct band {
	size_t first;
	size_t end;
	double top;
	double bottom;
};

static int taller_first(const void *a, const void *b)
{
	const struct band *x = a;
	const struct band *y = b;
	double difference = (y->bottom - y->top) - (x->bottom - x->top);

	if (difference != 0)
		return difference > 0 ? 1 : -1;
	return x->first < y->first ? -1 : 1;
}

static size_t find_bands(const struct heatmap_panel *panel, struct band *bands)
{
	const struct heatmap *heatmap = panel->heatmap;
	size_t nr = 0;

	for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
		if (nr == 0 || heatmap->axis.rows[i].gap > 0 || strcmp(heatmap->names[i], heatmap->names[i - 1]) != 0)
			bands[nr++] = (struct band){ .first = i, .top = panel->tops[i] };
		bands[nr - 1].end = i + 1;
		bands[nr - 1].bottom = panel->tops[i] + panel->row_height;
	}
	return nr;
}

static bool is_free(const double *taken, size_t nr, double y)
{
	for (size_t i = 0; i < nr; i++)
		if (fabs(taken[i] - y) < LABEL_HEIGHT)
			return false;
	return true;
}

static void draw_band(const struct heatmap_panel *panel, const struct band *band, double y)
{
	const struct axis *axis = &panel->heatmap->axis;
	double x = panel->plot.x + panel->plot.width;
	double right = x + panel->name_width;
	struct format_text size = format_bytes(axis->rows[band->end - 1].to - axis->rows[band->first].from);
	double size_width = draw_text_width(panel->cr, &draw_faint_font, size.s);

	if (band->bottom - band->top > 4) {
		draw_line(panel->cr, x + 4, band->top + 1, x + 4, band->bottom - 1, PALETTE_FRAME);
		draw_line(panel->cr, x + 2, band->top + 1, x + 4, band->top + 1, PALETTE_FRAME);
		draw_line(panel->cr, x + 2, band->bottom - 1, x + 4, band->bottom - 1, PALETTE_FRAME);
	} else {
		draw_line(panel->cr, x + 2, y, x + 7, y, PALETTE_FRAME);
	}
	draw_mapping(panel->cr, &draw_font, x + 12, y + 4, right - size_width - x - 20,
	             panel->heatmap->names[band->first]);
	draw_text(panel->cr, &draw_faint_font, right, y + 4, DRAW_RIGHT, size.s);
}

int heatmap_draw_names(const struct heatmap_panel *panel)
{
	size_t nr_rows = panel->heatmap->axis.nr_rows;
	scope_free struct band *bands = calloc(nr_rows + 1, sizeof(*bands));
	scope_free double *taken = calloc(nr_rows + 1, sizeof(*taken));
	size_t nr_taken = 0;
	size_t nr;

	if (bands == NULL || taken == NULL)
		return -ENOMEM;
	if (panel->name_width == 0)
		return 0;
	nr = find_bands(panel, bands);
	qsort(bands, nr, sizeof(*bands), taller_first);
	for (size_t i = 0; i < nr; i++) {
		double y = (bands[i].top + bands[i].bottom) / 2;

		if (!is_free(taken, nr_taken, y))
			continue;
		draw_band(panel, &bands[i], y);
		taken[nr_taken++] = y;
	}
	return 0;
}
