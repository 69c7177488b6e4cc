/* SPDX-License-Identifier: MIT */
/*
 * This file draws the picture of a working set over time. What was hot, what was warm and what nobody could see are
 * stacked: the working set ends somewhere within the last of them. What is mapped is a line above.
 */
#include "report/picture-wss.h"

#include <math.h>
#include <string.h>

#include "report/palette.h"
#include "report/ticks.h"

#define MARGIN      20
#define LABEL_WIDTH 78
#define NOTE_WIDTH  150
#define MAX_COLUMNS 2000
/* When less than this share of what is mapped is in use, or may be, the scale is of what is in use. */
#define MIN_SHARE   0.2
#define HEAD_HEIGHT 66
#define FOOT_HEIGHT 48

static bool is_wide(const struct draw_box *box)
{
	return box->width >= 480;
}

/* Means of a column. */
static double hot(const struct wss_column *column)
{
	return column->hot / column->time_us;
}

static double used(const struct wss_column *column)
{
	return column->used / column->time_us;
}

static double possible(const struct wss_column *column)
{
	return (column->used + column->unobservable) / column->time_us;
}

static double peak(const struct wss_column *column)
{
	return (double)column->most_used;
}

static double mapped(const struct wss_column *column)
{
	return column->mapped / column->time_us;
}

static double nothing(const struct wss_column *column)
{
	return 0;
}

double wss_y_of(const struct wss_panel *panel, double bytes)
{
	return panel->plot.y + panel->plot.height * (1 - bytes / panel->top_bytes);
}

static double x_of(const struct wss_panel *panel, size_t column)
{
	return panel->plot.x + panel->plot.width * (double)column / (double)panel->wss->nr_columns;
}

/* The largest of a column's values over all, where the target was there. */
static double largest(const struct wss_panel *panel, double (*value)(const struct wss_column *))
{
	double most = 0;

	for (size_t i = 0; i < panel->wss->nr_columns; i++) {
		const struct wss_column *column = &panel->usage->columns[i];

		if (column->time_us > 0)
			most = fmax(most, value(column));
	}
	return most;
}

/* A scale that holds what is mapped, unless what is used would be nothing but a line at the bottom of it. */
static void choose_scale(struct wss_panel *panel)
{
	double all = largest(panel, mapped);
	double most = fmax(largest(panel, possible), (double)panel->sizes.used[WSS_MOST]);

	panel->cut = most > 0 && most < MIN_SHARE * all;
	panel->top_bytes = fmax(4096, (panel->cut ? most : fmax(all, most)) * 1.08);
}

static void draw_size_axis(const struct wss_panel *panel)
{
	const struct draw_box *plot = &panel->plot;
	uint64_t step = ticks_bytes_step((uint64_t)(panel->top_bytes * 60 / plot->height) + 1);

	for (uint64_t bytes = 0; (double)bytes <= panel->top_bytes; bytes += step) {
		double y = wss_y_of(panel, (double)bytes);

		if (bytes > 0)
			draw_line(panel->cr, plot->x, y, plot->x + plot->width, y, PALETTE_GRID);
		draw_text(panel->cr, &draw_font, plot->x - 8, y + 4, DRAW_RIGHT, ticks_bytes(bytes).s);
	}
}

/* Columns from `first` on that the target was there in; the first one behind them. */
static size_t stretch_end(const struct wss_panel *panel, size_t first)
{
	while (first < panel->wss->nr_columns && panel->usage->columns[first].time_us > 0)
		first++;
	return first;
}

/* Goes along column `i`, to the right or back; equal neighbours need no corner between them. */
static void trace_column(const struct wss_panel *panel, size_t i, double (*value)(const struct wss_column *), bool back,
                         double *last_y)
{
	double y = wss_y_of(panel, value(&panel->usage->columns[i]));

	if (y != *last_y) {
		cairo_line_to(panel->cr, x_of(panel, back ? i + 1 : i), *last_y >= 0 ? *last_y : y);
		cairo_line_to(panel->cr, x_of(panel, back ? i + 1 : i), y);
	}
	*last_y = y;
}

/* The outline of columns [first, end) between two values, as a path; without `low` its upper edge. */
static void trace(const struct wss_panel *panel, size_t first, size_t end, double (*low)(const struct wss_column *),
                  double (*high)(const struct wss_column *))
{
	double y = -1;

	for (size_t i = first; i < end; i++)
		trace_column(panel, i, high, false, &y);
	cairo_line_to(panel->cr, x_of(panel, end), y);
	if (low == NULL)
		return;
	y = -1;
	for (size_t i = end; i > first; i--)
		trace_column(panel, i - 1, low, true, &y);
	cairo_line_to(panel->cr, x_of(panel, first), y);
}

/* The area between two values, as the current path; false where it is none. */
static bool trace_area(const struct wss_panel *panel, size_t first, size_t end,
                       double (*low)(const struct wss_column *), double (*high)(const struct wss_column *))
{
	bool any = false;

	for (size_t i = first; i < end && !any; i++)
		any = high(&panel->usage->columns[i]) > low(&panel->usage->columns[i]);
	if (any)
		trace(panel, first, end, low, high);
	return any;
}

static void draw_stretch(const struct wss_panel *panel, size_t first, size_t end)
{
	bool writes = panel->wss->writes;

	if (trace_area(panel, first, end, used, possible))
		draw_hatch(panel->cr, &panel->plot);
	draw_color(panel->cr, writes ? WSS_WRITTEN_WARM_COLOR : WSS_WARM_COLOR);
	if (trace_area(panel, first, end, hot, used))
		cairo_fill(panel->cr);
	draw_color(panel->cr, writes ? WSS_WRITTEN_HOT_COLOR : WSS_HOT_COLOR);
	if (trace_area(panel, first, end, nothing, hot))
		cairo_fill(panel->cr);
	if (panel->peaks) {
		draw_color(panel->cr, WSS_PEAK_COLOR);
		cairo_set_line_width(panel->cr, 1);
		trace(panel, first, end, NULL, peak);
		cairo_stroke(panel->cr);
	}
	if (panel->cut)
		return;
	draw_color(panel->cr, WSS_MAPPED_COLOR);
	cairo_set_line_width(panel->cr, 2);
	trace(panel, first, end, NULL, mapped);
	cairo_stroke(panel->cr);
}

static void draw_curves(const struct wss_panel *panel)
{
	size_t i = 0;

	cairo_save(panel->cr);
	cairo_rectangle(panel->cr, panel->plot.x, panel->plot.y, panel->plot.width, panel->plot.height);
	cairo_clip(panel->cr);
	while (i < panel->wss->nr_columns) {
		size_t end = stretch_end(panel, i);

		if (end > i)
			draw_stretch(panel, i, end);
		/* The column behind a stretch is none. */
		i = end + 1;
	}
	cairo_restore(panel->cr);
}

static void draw_dashes(const struct wss_panel *panel, double bytes)
{
	static const double dashes[] = { 5, 3 };
	double y = floor(wss_y_of(panel, bytes)) + 0.5;

	/* Seen on light and on dark. */
	draw_color(panel->cr, PALETTE_PAPER);
	cairo_set_line_width(panel->cr, 1);
	cairo_move_to(panel->cr, panel->plot.x, y);
	cairo_line_to(panel->cr, panel->plot.x + panel->plot.width, y);
	cairo_stroke(panel->cr);
	draw_color(panel->cr, WSS_MARK_COLOR);
	cairo_set_dash(panel->cr, dashes, 2, 0);
	cairo_move_to(panel->cr, panel->plot.x, y);
	cairo_line_to(panel->cr, panel->plot.x + panel->plot.width + 5, y);
	cairo_stroke(panel->cr);
	cairo_set_dash(panel->cr, NULL, 0, 0);
}

/* Where the plot lies in its panel; narrow ones have no notes beside it. */
static struct draw_box place_plot(const struct draw_box *box)
{
	return (struct draw_box){ .x = box->x + LABEL_WIDTH,
		                  .y = round(box->y + HEAD_HEIGHT),
		                  .width = (int)(box->width - LABEL_WIDTH - (is_wide(box) ? NOTE_WIDTH : MARGIN)),
		                  .height = (int)(box->height - HEAD_HEIGHT - FOOT_HEIGHT) };
}

static void draw_panel(struct wss_panel *panel, const uint64_t *reasons, const struct draw_box *box)
{
	wss_draw_head(panel, reasons, box);
	panel->plot = place_plot(box);
	choose_scale(panel);
	draw_size_axis(panel);
	draw_curves(panel);
	draw_dashes(panel, (double)panel->sizes.used[WSS_MOST]);
	draw_dashes(panel, (double)panel->sizes.used[WSS_MEDIAN]);
	if (is_wide(box))
		wss_draw_notes(panel);
	draw_frame(panel->cr, &panel->plot, PALETTE_FRAME);
	picture_time_axis(panel->cr, &panel->plot, &panel->wss->window);
}

static bool has_peaks(const struct wss *wss)
{
	for (size_t i = 0; i < wss->nr_targets; i++)
		if (wss->usages[i].nr_samples > 2 * wss->nr_columns)
			return true;
	return false;
}

static void draw_all(const struct wss *wss, cairo_t *cr, struct draw_box box, const uint64_t *reasons)
{
	bool peaks = has_peaks(wss);

	for (size_t i = 0; i < wss->nr_targets; i++) {
		struct wss_panel panel = { .cr = cr, .wss = wss, .usage = &wss->usages[i], .peaks = peaks };

		if (wss->usages[i].kept.nr == 0) {
			picture_absent(cr, wss->usages[i].target, &box);
		} else {
			wss_distribute(&wss->usages[i], &panel.sizes);
			draw_panel(&panel, reasons, &box);
		}
		box.y += box.height;
	}
}

int wss_draw(struct record_reader *reader, const struct report_opts *opts, struct picture *picture,
             struct tide_error *err)
{
	struct wss wss = { .reader = reader, .writes = wss_is_of_writes(record_info(reader), opts) };
	uint64_t reasons[TIDE_NR_REASONS];
	struct draw_box box = { .x = MARGIN, .y = 14 };
	const struct picture_key *keys;
	double legend;
	size_t nr_keys;
	int result = report_window(&wss.window, reader, opts, UINT64_MAX, err);
	const struct record_target *targets;

	if (result == 0)
		result = record_reasons(reader, wss.window.from_us, wss.window.to_us, reasons, err);
	/* Those are reasons why accesses could not be seen. */
	if (wss.writes && report_subject(record_info(reader)) != REPORT_WRITES)
		memset(reasons, 0, sizeof(reasons));
	if (result == 0)
		result = picture_begin(picture, record_targets(reader, &targets), err);
	if (result < 0)
		return result;
	box.width = picture->width - 2 * MARGIN;
	wss.nr_columns = (size_t)fmin(place_plot(&box).width, MAX_COLUMNS);
	result = wss_init(&wss, err);
	if (result == 0) {
		keys = wss_keys(&wss, &nr_keys);
		nr_keys -= !has_peaks(&wss);
		legend = picture_legend(picture->cr, keys, nr_keys, MARGIN, 0, box.width, false) + 8;
		picture_legend(picture->cr, keys, nr_keys, MARGIN, picture->height - legend, box.width, true);
		box.height = (picture->height - box.y - legend) / (double)wss.nr_targets;
		draw_all(&wss, picture->cr, box, reasons);
	}
	wss_fini(&wss);
	return result;
}
