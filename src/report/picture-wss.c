/* SPDX-License-Identifier: MIT */
/*
 * This file draws the picture of a working set over time. What was hot, what was warm and what nobody could see are
 * stacked: the working set ends somewhere within the last of them. What is mapped is a line above.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/palette.h"
#include "report/picture.h"
#include "report/ticks.h"
#include "report/wss.h"

#define MARGIN      20
#define LABEL_WIDTH 78
#define NOTE_WIDTH  150
#define MAX_COLUMNS 2000
/* When less than this share of what is mapped is in use, or may be, the scale is of what is in use. */
#define MIN_SHARE   0.2
#define NOTE_GAP    15
#define HEAD_HEIGHT 66
#define FOOT_HEIGHT 48

#define HOT_COLOR    0x932667u
#define WARM_COLOR   0xfcb040u
#define MAPPED_COLOR 0x2b5c8au
#define MARK_COLOR   PALETTE_INK
#define PEAK_COLOR   0xc07000u

static const struct picture_key keys[] = {
	{ SAMPLE_COLOR, HOT_COLOR, "hot: in at least half of the checks" },
	{ SAMPLE_COLOR, WARM_COLOR, "warm: less often" },
	{ SAMPLE_HATCH, 0, "unobservable: used or not" },
	{ SAMPLE_LINE, MAPPED_COLOR, "mapped" },
	{ SAMPLE_DASHES, MARK_COLOR, "median and most of the working set" },
	/* Only where a pixel is the mean of several intervals. */
	{ SAMPLE_LINE, PEAK_COLOR, "most in one interval" },
};
/* Of exact mode, which does not tell how often. */
static const struct picture_key exact_keys[] = {
	{ SAMPLE_COLOR, WARM_COLOR, "accessed in the interval" },
	{ SAMPLE_HATCH, 0, "unobservable: used or not" },
	{ SAMPLE_LINE, MAPPED_COLOR, "present" },
	{ SAMPLE_DASHES, MARK_COLOR, "median and most of the working set" },
	{ SAMPLE_LINE, PEAK_COLOR, "most in one interval" },
};
#define NR_KEYS(keys) (sizeof(keys) / sizeof((keys)[0]))

struct panel {
	cairo_t *cr;
	const struct wss *wss;
	const struct wss_usage *usage;
	struct wss_distribution sizes;
	struct draw_box plot;
	double top_bytes; /* what the upper edge stands for */
	bool cut;         /* what is mapped lies above it */
	bool peaks;       /* a column is many intervals' mean, and what stands out of it is shown */
};

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

static double y_of(const struct panel *panel, double bytes)
{
	return panel->plot.y + panel->plot.height * (1 - bytes / panel->top_bytes);
}

static double x_of(const struct panel *panel, size_t column)
{
	return panel->plot.x + panel->plot.width * (double)column / (double)panel->wss->nr_columns;
}

/* The largest of a column's values over all, where the target was there. */
static double largest(const struct panel *panel, double (*value)(const struct wss_column *))
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
static void choose_scale(struct panel *panel)
{
	double all = largest(panel, mapped);
	double most = fmax(largest(panel, possible), (double)panel->sizes.used[WSS_MOST]);

	panel->cut = most > 0 && most < MIN_SHARE * all;
	panel->top_bytes = fmax(4096, (panel->cut ? most : fmax(all, most)) * 1.08);
}

static void draw_size_axis(const struct panel *panel)
{
	const struct draw_box *plot = &panel->plot;
	uint64_t step = ticks_bytes_step((uint64_t)(panel->top_bytes * 60 / plot->height) + 1);

	for (uint64_t bytes = 0; (double)bytes <= panel->top_bytes; bytes += step) {
		double y = y_of(panel, (double)bytes);

		if (bytes > 0)
			draw_line(panel->cr, plot->x, y, plot->x + plot->width, y, PALETTE_GRID);
		draw_text(panel->cr, &draw_font, plot->x - 8, y + 4, DRAW_RIGHT, ticks_bytes(bytes).s);
	}
}

/* Columns from `first` on that the target was there in; the first one behind them. */
static size_t stretch_end(const struct panel *panel, size_t first)
{
	while (first < panel->wss->nr_columns && panel->usage->columns[first].time_us > 0)
		first++;
	return first;
}

/* Goes along column `i`, to the right or back; equal neighbours need no corner between them. */
static void trace_column(const struct panel *panel, size_t i, double (*value)(const struct wss_column *), bool back,
                         double *last_y)
{
	double y = y_of(panel, value(&panel->usage->columns[i]));

	if (y != *last_y) {
		cairo_line_to(panel->cr, x_of(panel, back ? i + 1 : i), *last_y >= 0 ? *last_y : y);
		cairo_line_to(panel->cr, x_of(panel, back ? i + 1 : i), y);
	}
	*last_y = y;
}

/* The outline of columns [first, end) between two values, as a path; without `low` its upper edge. */
static void trace(const struct panel *panel, size_t first, size_t end, double (*low)(const struct wss_column *),
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
static bool trace_area(const struct panel *panel, size_t first, size_t end, double (*low)(const struct wss_column *),
                       double (*high)(const struct wss_column *))
{
	bool any = false;

	for (size_t i = first; i < end && !any; i++)
		any = high(&panel->usage->columns[i]) > low(&panel->usage->columns[i]);
	if (any)
		trace(panel, first, end, low, high);
	return any;
}

static void draw_stretch(const struct panel *panel, size_t first, size_t end)
{
	if (trace_area(panel, first, end, used, possible))
		draw_hatch(panel->cr, &panel->plot);
	draw_color(panel->cr, WARM_COLOR);
	if (trace_area(panel, first, end, hot, used))
		cairo_fill(panel->cr);
	draw_color(panel->cr, HOT_COLOR);
	if (trace_area(panel, first, end, nothing, hot))
		cairo_fill(panel->cr);
	if (panel->peaks) {
		draw_color(panel->cr, PEAK_COLOR);
		cairo_set_line_width(panel->cr, 1);
		trace(panel, first, end, NULL, peak);
		cairo_stroke(panel->cr);
	}
	if (panel->cut)
		return;
	draw_color(panel->cr, MAPPED_COLOR);
	cairo_set_line_width(panel->cr, 2);
	trace(panel, first, end, NULL, mapped);
	cairo_stroke(panel->cr);
}

static void draw_curves(const struct panel *panel)
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

static void draw_dashes(const struct panel *panel, double bytes)
{
	static const double dashes[] = { 5, 3 };
	double y = floor(y_of(panel, bytes)) + 0.5;

	/* Seen on light and on dark. */
	draw_color(panel->cr, PALETTE_PAPER);
	cairo_set_line_width(panel->cr, 1);
	cairo_move_to(panel->cr, panel->plot.x, y);
	cairo_line_to(panel->cr, panel->plot.x + panel->plot.width, y);
	cairo_stroke(panel->cr);
	draw_color(panel->cr, MARK_COLOR);
	cairo_set_dash(panel->cr, dashes, 2, 0);
	cairo_move_to(panel->cr, panel->plot.x, y);
	cairo_line_to(panel->cr, panel->plot.x + panel->plot.width + 5, y);
	cairo_stroke(panel->cr);
	cairo_set_dash(panel->cr, NULL, 0, 0);
}

/* A word and a size to the right of the plot, at their height or as near to it as there is room. */
struct note {
	const char *word;
	uint64_t bytes;
	uint32_t color;
	double y;
};

/* Down from the first to where there is room, then up from the last, which must not leave the plot. */
static void spread(struct note *notes, size_t nr, double bottom)
{
	for (size_t i = 1; i < nr; i++)
		notes[i].y = fmax(notes[i].y, notes[i - 1].y + NOTE_GAP);
	for (size_t i = nr; i-- > 0;) {
		notes[i].y = fmin(notes[i].y, bottom);
		bottom = notes[i].y - NOTE_GAP;
	}
}

static void draw_notes(const struct panel *panel)
{
	const struct wss_distribution *sizes = &panel->sizes;
	bool exact = panel->wss->exact;
	const char *all = exact ? "\xe2\x86\x91 present" : "\xe2\x86\x91 mapped";
	struct note notes[] = {
		{ panel->cut ? all : strchr(all, ' ') + 1, panel->usage->mapped, MAPPED_COLOR, panel->plot.y },
		{ "most", sizes->used[WSS_MOST], MARK_COLOR, 0 },
		{ "median", sizes->used[WSS_MEDIAN], MARK_COLOR, 0 },
		{ "hot, median", sizes->hot[WSS_MEDIAN], HOT_COLOR, 0 },
	};
	size_t nr = sizeof(notes) / sizeof(notes[0]) - exact;
	char text[96];

	for (size_t i = panel->cut; i < nr; i++)
		notes[i].y = y_of(panel, (double)notes[i].bytes);
	spread(notes, nr, panel->plot.y + panel->plot.height);
	for (size_t i = 0; i < nr; i++) {
		struct draw_font font = draw_font;

		font.color = notes[i].color;
		snprintf(text, sizeof(text), "%s %s", notes[i].word, format_bytes(notes[i].bytes).s);
		draw_text(panel->cr, &font, panel->plot.x + panel->plot.width + 8, notes[i].y + 4, DRAW_LEFT, text);
	}
}

static void draw_head(const struct panel *panel, const uint64_t *reasons, const struct draw_box *box)
{
	const struct record_info *info = record_info(panel->wss->reader);
	char facts[240];
	struct picture_head head = { .info = info,
		                     .target = panel->usage->target,
		                     .what = "working set",
		                     .facts = facts,
		                     .window = &panel->wss->window,
		                     .reasons = reasons,
		                     .unobservable = wss_unobservable_share(panel->usage) };
	int length = snprintf(facts, sizeof(facts), "%s%s of %s used",
	                      head.unobservable >= PICTURE_LARGE_DOUBT ? "at least " : "",
	                      format_bytes(panel->sizes.used[WSS_MEDIAN]).s, format_bytes(panel->usage->mapped).s);

	if (panel->wss->exact)
		length += snprintf(facts + length, sizeof(facts) - (size_t)length, " (median; exact: every page)");
	else
		length += snprintf(facts + length, sizeof(facts) - (size_t)length, ", %s hot (medians)",
		                   format_bytes(panel->sizes.hot[WSS_MEDIAN]).s);
	if (info->cost.wall_ns > 0)
		snprintf(facts + length, sizeof(facts) - (size_t)length, "; watching cost %s CPU",
		         format_percent(wss_cpu_share(info)).s);
	picture_head(panel->cr, &head, box->x, box->y, box->width);
}

/* Where the plot lies in its panel; narrow ones have no notes beside it. */
static struct draw_box place_plot(const struct draw_box *box)
{
	return (struct draw_box){ .x = box->x + LABEL_WIDTH,
		                  .y = round(box->y + HEAD_HEIGHT),
		                  .width = (int)(box->width - LABEL_WIDTH - (is_wide(box) ? NOTE_WIDTH : MARGIN)),
		                  .height = (int)(box->height - HEAD_HEIGHT - FOOT_HEIGHT) };
}

static void draw_panel(struct panel *panel, const uint64_t *reasons, const struct draw_box *box)
{
	draw_head(panel, reasons, box);
	panel->plot = place_plot(box);
	choose_scale(panel);
	draw_size_axis(panel);
	draw_curves(panel);
	draw_dashes(panel, (double)panel->sizes.used[WSS_MOST]);
	draw_dashes(panel, (double)panel->sizes.used[WSS_MEDIAN]);
	if (is_wide(box))
		draw_notes(panel);
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
		struct panel panel = { .cr = cr, .wss = wss, .usage = &wss->usages[i], .peaks = peaks };

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
	struct wss wss = { .reader = reader };
	uint64_t reasons[TIDE_NR_REASONS];
	struct draw_box box = { .x = MARGIN, .y = 14 };
	const struct picture_key *legend_keys;
	double legend;
	size_t nr_keys;
	int result = report_window(&wss.window, reader, opts, UINT64_MAX, err);
	const struct record_target *targets;

	if (result == 0)
		result = record_reasons(reader, wss.window.from_us, wss.window.to_us, reasons, err);
	if (result == 0)
		result = picture_begin(picture, record_targets(reader, &targets), err);
	if (result < 0)
		return result;
	box.width = picture->width - 2 * MARGIN;
	wss.nr_columns = (size_t)fmin(place_plot(&box).width, MAX_COLUMNS);
	result = wss_init(&wss, err);
	if (result == 0) {
		legend_keys = wss.exact ? exact_keys : keys;
		nr_keys = (wss.exact ? NR_KEYS(exact_keys) : NR_KEYS(keys)) - !has_peaks(&wss);
		legend = picture_legend(picture->cr, legend_keys, nr_keys, MARGIN, 0, box.width, false) + 8;
		picture_legend(picture->cr, legend_keys, nr_keys, MARGIN, picture->height - legend, box.width, true);
		box.height = (picture->height - box.y - legend) / (double)wss.nr_targets;
		draw_all(&wss, picture->cr, box, reasons);
	}
	wss_fini(&wss);
	return result;
}
