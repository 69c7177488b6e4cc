/* SPDX-License-Identifier: MIT */
/*
 * This file draws the picture of a heatmap: a panel for each target, a pixel for each cell. The cells go into an image,
 * for as areas of their own they would make an SVG of megabytes, with seams between them.
 */
#include "report/picture-heatmap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/scope.h"
#include "report/format.h"
#include "report/palette.h"

/* More cells than that say nothing more, and take memory. */
#define MAX_COLUMNS 2000
#define MAX_ROWS    1500
#define MARGIN      20
#define MAX_GAPS    10
#define HEAD_HEIGHT 66
#define FOOT_HEIGHT 48

#define SAME_IN_ALL                                                                                                    \
	{ SAMPLE_HATCH, 0, "unobservable" }, { SAMPLE_BLANK, 0, "not mapped then" },                                   \
	{                                                                                                              \
		SAMPLE_GAP, 0, "addresses left out"                                                                    \
	}

static const struct picture_key accesses_keys[] = {
	{ SAMPLE_COLOR, PALETTE_COLD, "cold: seen, never accessed" },
	{ SAMPLE_RAMP, 0, "hot: in at least half of the checks" },
	SAME_IN_ALL,
};
static const struct picture_key writes_keys[] = {
	{ SAMPLE_COLOR, PALETTE_COLD, "cold: seen, never written" },
	{ SAMPLE_RAMP, 0, "hot: written in at least half of the checks" },
	SAME_IN_ALL,
};
static const struct picture_key both_keys[] = {
	{ SAMPLE_READ, 0, "only read" },
	{ SAMPLE_BOTH, 0, "every other access a write" },
	{ SAMPLE_WRITTEN, 0, "every access a write" },
	{ SAMPLE_UNTOLD, 0, "accessed, written or not" },
	{ SAMPLE_WORDS, 0, "darker: more often; from the notch on hot: in half of the checks or more" },
	{ SAMPLE_COLOR, PALETTE_COLD_BESIDE, "cold: seen, never accessed" },
	SAME_IN_ALL,
};
#define NR_KEYS(keys) (sizeof(keys) / sizeof((keys)[0]))

static const struct {
	const struct picture_key *keys;
	size_t nr;
} legends[] = {
	[REPORT_ACCESSES] = { accesses_keys, NR_KEYS(accesses_keys) },
	[REPORT_ACCESSES_AND_WRITES] = { both_keys, NR_KEYS(both_keys) },
	[REPORT_WRITES] = { writes_keys, NR_KEYS(writes_keys) },
};

static uint32_t pixel(const struct heatmap *heatmap, const struct heatmap_cell *cell, int x, int y)
{
	double rate = heatmap_rate(cell);

	if (rate > 0 && heatmap_kind(heatmap, cell) == HEATMAP_UNTOLD)
		return 0xff000000u | palette_untold(rate);
	if (rate >= 0 && report_subject(heatmap->info) == REPORT_ACCESSES_AND_WRITES)
		return 0xff000000u | palette_writes(rate, heatmap_written(cell));
	if (rate >= 0)
		return 0xff000000u | palette_rate(rate);
	if (rate < HEATMAP_UNOBSERVABLE)
		return 0;
	return 0xff000000u | ((x + y) % HATCH_PERIOD < HATCH_WIDTH ? PALETTE_HATCH : PALETTE_HATCH_PAPER);
}

static void fill_image(const struct heatmap_panel *panel, unsigned char *data, int stride, int width, int height)
{
	const struct heatmap *heatmap = panel->heatmap;
	size_t row = 0;

	for (int y = 0; y < height; y++) {
		uint32_t *line = (uint32_t *)(void *)(data + (size_t)y * (size_t)stride);
		double at = panel->plot.y + y + 0.5;

		while (row + 1 < heatmap->axis.nr_rows && at >= panel->tops[row + 1])
			row++;
		if (at < panel->tops[row] || at >= panel->tops[row] + panel->row_height)
			continue; /* in a gap */
		for (int x = 0; x < width; x++) {
			size_t column = (size_t)x * heatmap->nr_columns / (size_t)width;
			const struct heatmap_cell *cell = &heatmap->cells[row * heatmap->nr_columns + column];

			line[x] = pixel(heatmap, cell, (int)panel->plot.x + x, (int)panel->plot.y + y);
		}
	}
}

static int draw_cells(const struct heatmap_panel *panel)
{
	int width = (int)panel->plot.width;
	int height = (int)panel->plot.height;
	cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
	int result = cairo_surface_status(image) == CAIRO_STATUS_SUCCESS ? 0 : -ENOMEM;

	if (result == 0) {
		fill_image(panel, cairo_image_surface_get_data(image), cairo_image_surface_get_stride(image), width,
		           height);
		cairo_surface_mark_dirty(image);
		cairo_set_source_surface(panel->cr, image, panel->plot.x, panel->plot.y);
		cairo_pattern_set_filter(cairo_get_source(panel->cr), CAIRO_FILTER_NEAREST);
		cairo_paint(panel->cr);
	}
	cairo_surface_destroy(image);
	return result;
}

static double gap_height(const struct heatmap_panel *panel, uint64_t gap)
{
	return gap == 0 ? 0 : gap >= panel->wide_gap ? GAP_HEIGHT : NARROW_GAP_HEIGHT;
}

static void draw_gap(const struct heatmap_panel *panel, uint64_t gap, double top)
{
	const struct draw_box *plot = &panel->plot;
	struct draw_font font = draw_faint_font;
	char text[80];

	if (gap < panel->wide_gap) {
		picture_tear(panel->cr, plot->x, top + NARROW_GAP_HEIGHT / 2.0 + 1.5, plot->width);
		return;
	}
	font.size = 11;
	picture_tear(panel->cr, plot->x, top + 4, plot->width);
	picture_tear(panel->cr, plot->x, top + GAP_HEIGHT - 2, plot->width);
	snprintf(text, sizeof(text), "%s not mapped", format_bytes(gap).s);
	draw_fill(panel->cr, &(struct draw_box){ plot->x + plot->width / 2 - 80, top + 1, 160, GAP_HEIGHT - 2 },
	          PALETTE_PAPER);
	draw_text(panel->cr, &font, plot->x + plot->width / 2, top + 14, DRAW_CENTER, text);
}

/* Frames what lies between gaps, and says how wide each gap is. */
static void draw_parts_and_gaps(const struct heatmap_panel *panel)
{
	const struct axis *axis = &panel->heatmap->axis;
	const struct draw_box *plot = &panel->plot;
	size_t first = 0;

	for (size_t i = 1; i <= axis->nr_rows; i++) {
		double bottom = panel->tops[i - 1] + panel->row_height;

		if (i < axis->nr_rows && axis->rows[i].gap == 0)
			continue;
		draw_frame(panel->cr,
		           &(struct draw_box){ plot->x, panel->tops[first], plot->width, bottom - panel->tops[first] },
		           PALETTE_FRAME);
		if (i == axis->nr_rows)
			break;
		draw_gap(panel, axis->rows[i].gap, bottom);
		first = i;
	}
}

/* Shares the height out: to the gaps what they need, to the rows the rest. */
static int place_rows(struct heatmap_panel *panel)
{
	const struct axis *axis = &panel->heatmap->axis;
	double y = panel->plot.y;
	double gaps = 0;

	panel->wide_gap = (uint64_t)((double)axis->before[axis->nr_ranges] / panel->plot.height * GAP_HEIGHT);
	panel->tops = calloc(axis->nr_rows + 1, sizeof(*panel->tops));
	if (panel->tops == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < axis->nr_rows; i++)
		gaps += gap_height(panel, axis->rows[i].gap);
	panel->row_height = (panel->plot.height - gaps) / (double)axis->nr_rows;
	for (size_t i = 0; i < axis->nr_rows; i++) {
		y += gap_height(panel, axis->rows[i].gap);
		panel->tops[i] = y;
		y += panel->row_height;
	}
	panel->tops[axis->nr_rows] = y;
	return 0;
}

/* Gaps that are too narrow for words are notches in the frame. */
static void draw_notches(const struct heatmap_panel *panel)
{
	const struct axis *axis = &panel->heatmap->axis;
	size_t row = 0;

	for (size_t i = 1; i < axis->nr_ranges; i++) {
		uint64_t gap = axis->ranges[i].start - axis->ranges[i - 1].end;
		double y;

		while (row + 1 < axis->nr_rows && axis->rows[row].to <= axis->before[i])
			row++;
		if (gap <= axis->rows[row].to - axis->rows[row].from || axis->rows[row].gap == gap)
			continue;
		y = heatmap_y_of(panel, row, axis->before[i]);
		picture_tear(panel->cr, panel->plot.x - 4, y + 1, 8);
		picture_tear(panel->cr, panel->plot.x + panel->plot.width - 4, y + 1, 8);
	}
}

static int draw_plot(struct heatmap_panel *panel)
{
	int result = place_rows(panel);

	if (result == 0)
		result = draw_cells(panel);
	if (result == 0) {
		draw_parts_and_gaps(panel);
		draw_notches(panel);
		picture_time_axis(panel->cr, &panel->plot, &panel->heatmap->window);
		heatmap_draw_addresses(panel);
		result = heatmap_draw_names(panel);
	}
	free(panel->tops);
	return result;
}

static double unobservable_share(const struct heatmap *heatmap)
{
	double all = 0;
	double unobservable = 0;

	for (size_t i = 0; i < heatmap->axis.nr_rows * heatmap->nr_columns; i++) {
		all += heatmap->cells[i].all;
		unobservable += heatmap->cells[i].unobservable;
	}
	return all > 0 ? unobservable / all : 0;
}

static void draw_head(const struct heatmap *heatmap, cairo_t *cr, const uint64_t *reasons, const struct draw_box *box)
{
	char what[80];
	char facts[160];
	struct picture_head head = { .info = heatmap->info,
		                     .target = heatmap->target,
		                     .what = what,
		                     .facts = facts,
		                     .window = &heatmap->window,
		                     .reasons = reasons,
		                     .unobservable = unobservable_share(heatmap) };

	snprintf(what, sizeof(what), "how often its memory was %s", heatmap_verb(heatmap));
	snprintf(facts, sizeof(facts), "%s were mapped", format_bytes(heatmap->axis.before[heatmap->axis.nr_ranges]).s);
	picture_head(cr, &head, box->x, box->y, box->width);
}

/* Where the plot lies in its panel. Narrow pictures have no addresses, very narrow ones no names. */
static void place_plot(struct heatmap_panel *panel, const struct draw_box *box)
{
	panel->label_width = box->width < 600 ? 0 : 108;
	panel->name_width = box->width < 430 ? 0 : box->width < 900 ? 120 : 190;
	panel->plot = (struct draw_box){ .x = box->x + panel->label_width,
		                         .y = (int)(box->y + HEAD_HEIGHT),
		                         .width = (int)(box->width - panel->label_width - panel->name_width),
		                         .height = (int)(box->height - HEAD_HEIGHT - FOOT_HEIGHT) };
}

static int draw_panel(struct heatmap *heatmap, struct record_reader *reader, cairo_t *cr, const struct draw_box *box,
                      const uint64_t *reasons, struct tide_error *err)
{
	struct heatmap_panel panel = { .cr = cr, .heatmap = heatmap };
	struct axis_shape shape = { .min_rows = PART_HEIGHT, .gap_rows = GAP_HEIGHT };
	int result;

	place_plot(&panel, box);
	shape.max_gaps = panel.plot.height > 60 * MAX_GAPS ? MAX_GAPS : (size_t)panel.plot.height / 60;
	shape.height = panel.plot.height < MAX_ROWS ? (size_t)panel.plot.height : MAX_ROWS;
	heatmap->nr_columns = panel.plot.width < MAX_COLUMNS ? (size_t)panel.plot.width : MAX_COLUMNS;
	result = heatmap_init(heatmap, reader, &shape, err);
	if (result == 0 && heatmap->axis.nr_rows == 0) {
		picture_absent(cr, heatmap->target, box);
	} else if (result == 0) {
		draw_head(heatmap, cr, reasons, box);
		if (draw_plot(&panel) < 0)
			result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	heatmap_fini(heatmap);
	return result;
}

int heatmap_draw(struct record_reader *reader, const struct report_opts *opts, struct picture *picture,
                 struct tide_error *err)
{
	const struct record_target *targets;
	size_t nr_targets = record_targets(reader, &targets);
	uint64_t reasons[TIDE_NR_REASONS];
	struct report_window window;
	struct draw_box box = { .x = MARGIN, .y = 14 };
	enum report_subject subject = report_subject(record_info(reader));
	double legend;
	int result = report_window(&window, reader, opts, UINT64_MAX, err);

	if (result == 0)
		result = record_reasons(reader, window.from_us, window.to_us, reasons, err);
	if (result == 0)
		result = picture_begin(picture, nr_targets, err);
	if (result < 0)
		return result;
	box.width = picture->width - 2 * MARGIN;
	legend = picture_legend(picture->cr, legends[subject].keys, legends[subject].nr, MARGIN, 0, box.width, false) +
	         8;
	box.height = (picture->height - box.y - legend) / (double)nr_targets;
	picture_legend(picture->cr, legends[subject].keys, legends[subject].nr, MARGIN, picture->height - legend,
	               box.width, true);
	for (size_t i = 0; i < nr_targets && result == 0; i++) {
		struct heatmap heatmap = { .info = record_info(reader), .target = &targets[i], .window = window };

		result = draw_panel(&heatmap, reader, picture->cr, &box, reasons, err);
		box.y += box.height;
	}
	return result;
}
