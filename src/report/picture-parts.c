/* SPDX-License-Identifier: MIT */
/* This file draws what pictures have in common: the words above a plot, the time below it, the legend. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/format.h"
#include "report/palette.h"
#include "report/picture.h"
#include "report/ticks.h"

/* "6 % of it was unobservable: shared (mapped by ...)", the most frequent reason first, shares of several. */
static void describe_unobservable(const struct picture_head *head, char *buf, size_t size)
{
	uint64_t all = 0;
	int most = 1;

	if (!(head->unobservable > 0)) {
		snprintf(buf, size, "nothing was unobservable");
		return;
	}
	for (int i = 1; i < TIDE_NR_REASONS; i++) {
		all += head->reasons[i];
		most = head->reasons[i] > head->reasons[most] ? i : most;
	}
	if (all == 0)
		snprintf(buf, size, "%s unobservable", format_percent(head->unobservable).s);
	else
		snprintf(buf, size, "%s unobservable%s%s (%s)", format_percent(head->unobservable).s,
		         head->reasons[most] == all ? ": " : ", mostly: ", tide_reason_name((enum tide_reason)most),
		         tide_reason_sentence((enum tide_reason)most));
}

void picture_head(cairo_t *cr, const struct picture_head *head, double x, double y, double width)
{
	const struct record_info *info = head->info;
	struct draw_font title = draw_title_font;
	struct format_text when = format_time(info->started_unix_us + head->window->from_us);
	char unobservable[240];
	char line[480];
	char start[64];
	char how[700];
	const char *parts[] = { head->facts, start, how };
	struct draw_font doubtful = draw_faint_font;

	snprintf(line, sizeof(line), "%s (pid %" PRId64 "): %s over %s", format_name(head->target->name, 40).s,
	         head->target->pid, head->what, report_span(head->window).s);
	while (draw_text_width(cr, &title, line) > width && title.size > 10)
		title.size--;
	if (draw_text_width(cr, &title, line) > width)
		snprintf(line, sizeof(line), "%s: %s", format_name(head->target->name, 16).s, head->what);
	draw_text(cr, &title, x, y + 18, DRAW_LEFT, line);
	snprintf(start, sizeof(start), "%s%s", when.s[0] != 0 ? "from " : "", when.s);
	snprintf(how, sizeof(how), "sensor %s, Linux %s", format_name(info->sensor, 20).s,
	         format_name(info->kernel, 40).s);
	draw_parts(cr, &draw_faint_font, x, y + 38, width, parts, 3);
	describe_unobservable(head, unobservable, sizeof(unobservable));
	doubtful.bold = head->unobservable >= PICTURE_LARGE_DOUBT;
	doubtful.color = doubtful.bold ? PALETTE_INK : doubtful.color;
	if (draw_text_width(cr, &doubtful, unobservable) > width && strchr(unobservable, '(') != NULL)
		*strchr(unobservable, '(') = 0;
	draw_text(cr, &doubtful, x, y + 55, DRAW_LEFT, unobservable);
}

void picture_absent(cairo_t *cr, const struct record_target *target, const struct draw_box *box)
{
	char line[480];

	snprintf(line, sizeof(line), "%s (pid %" PRId64 ") was not watched in this time",
	         format_name(target->name, 40).s, target->pid);
	draw_text(cr, &draw_title_font, box->x, box->y + 18, DRAW_LEFT, line);
}

void picture_time_axis(cairo_t *cr, const struct draw_box *plot, const struct report_window *window)
{
	uint64_t from_us = window->from_us;
	uint64_t to_us = window->to_us;
	double us_per_pixel = (double)(to_us - from_us) / plot->width;
	uint64_t step = ticks_time_step((uint64_t)(us_per_pixel * 80) + 1);
	uint64_t first = ticks_first(from_us, step);
	double bottom = plot->y + plot->height;
	double used = 0;

	for (uint64_t at = first < to_us ? first : from_us; at <= to_us; at += step) {
		double x = plot->x + (double)(at - from_us) / us_per_pixel;
		struct format_text text = ticks_time(at);
		double half = draw_text_width(cr, &draw_font, text.s) / 2;

		draw_line(cr, x, bottom + 1, x, bottom + 5, PALETTE_FRAME);
		if (x - half < used + 8)
			continue;
		draw_text(cr, &draw_font, x, bottom + 18, DRAW_CENTER, text.s);
		used = x + half;
	}
	draw_text(cr, &draw_faint_font, plot->x + plot->width / 2, bottom + 35, DRAW_CENTER,
	          "time since recording began");
}

void picture_tear(cairo_t *cr, double x, double y, double width)
{
	draw_color(cr, PALETTE_FRAME);
	cairo_set_line_width(cr, 1);
	cairo_move_to(cr, x, y);
	for (int i = 0; i * 8 < (int)width; i++) {
		cairo_line_to(cr, x + fmin(i * 8 + 4, width), y - 2.5);
		cairo_line_to(cr, x + fmin(i * 8 + 8, width), y);
	}
	cairo_stroke(cr);
}

#define SAMPLE_WIDTH  26
#define SAMPLE_HEIGHT 13
#define RAMP_WIDTH    150
#define WRITES_WIDTH  72
#define LINE_HEIGHT   24
#define KEY_GAP       22

/* What a key takes beside its words. */
static double sample_width(cairo_t *cr, const struct picture_key *key)
{
	switch (key->sample) {
	case SAMPLE_RAMP:
		return draw_text_width(cr, &draw_font, "warm") + 14 + RAMP_WIDTH;
	case SAMPLE_READ:
	case SAMPLE_BOTH:
	case SAMPLE_WRITTEN:
	case SAMPLE_UNTOLD:
		return WRITES_WIDTH + 6;
	case SAMPLE_WORDS:
		return 0;
	default:
		return SAMPLE_WIDTH + 6;
	}
}

/* What is accessed at `rate` has this colour on a sample's scale. */
static uint32_t color_of(enum picture_sample sample, double rate)
{
	switch (sample) {
	case SAMPLE_RAMP:
		return palette_rate(rate);
	case SAMPLE_UNTOLD:
		return palette_untold(rate);
	default:
		return palette_writes(rate, (sample - SAMPLE_READ) / 2.0);
	}
}

/* From seldom to always, with a notch where hot begins. */
static void draw_scale(cairo_t *cr, const struct picture_key *key, double x, double y, int width)
{
	for (int i = 0; i < width; i++)
		draw_fill(cr, &(struct draw_box){ x + i, y, 1, SAMPLE_HEIGHT },
		          color_of(key->sample, (i + 0.5) / width));
	draw_line(cr, x + width / 2.0, y, x + width / 2.0, y + SAMPLE_HEIGHT - 1, PALETTE_PAPER);
}

static void draw_ramp(cairo_t *cr, const struct picture_key *key, double x, double y)
{
	draw_text(cr, &draw_font, x, y + 11, DRAW_LEFT, "warm");
	draw_scale(cr, key, floor(x + draw_text_width(cr, &draw_font, "warm") + 7), y, RAMP_WIDTH);
}

static void draw_sample(cairo_t *cr, const struct picture_key *key, double x, double y)
{
	static const double dashes[] = { 5, 3 };
	const struct draw_box box = { x, y, SAMPLE_WIDTH, SAMPLE_HEIGHT };

	switch (key->sample) {
	case SAMPLE_COLOR:
		draw_fill(cr, &box, key->color);
		break;
	case SAMPLE_HATCH:
		cairo_rectangle(cr, box.x, box.y, box.width, box.height);
		draw_hatch(cr, &box);
		break;
	case SAMPLE_GAP:
		picture_tear(cr, x, y + 5, SAMPLE_WIDTH);
		picture_tear(cr, x, y + 11, SAMPLE_WIDTH);
		return;
	case SAMPLE_LINE:
	case SAMPLE_DASHES:
		draw_color(cr, key->color);
		cairo_set_line_width(cr, key->sample == SAMPLE_LINE ? 2 : 1);
		if (key->sample == SAMPLE_DASHES)
			cairo_set_dash(cr, dashes, 2, 0);
		cairo_move_to(cr, x, y + SAMPLE_HEIGHT / 2.0);
		cairo_line_to(cr, x + SAMPLE_WIDTH, y + SAMPLE_HEIGHT / 2.0);
		cairo_stroke(cr);
		cairo_set_dash(cr, NULL, 0, 0);
		return;
	case SAMPLE_RAMP:
		draw_ramp(cr, key, x, y);
		return;
	case SAMPLE_READ:
	case SAMPLE_BOTH:
	case SAMPLE_WRITTEN:
	case SAMPLE_UNTOLD:
		draw_scale(cr, key, floor(x), y, WRITES_WIDTH);
		return;
	case SAMPLE_WORDS:
		return;
	case SAMPLE_BLANK:
		break;
	}
	draw_frame(cr, &box, PALETTE_FRAME);
}

double picture_legend(cairo_t *cr, const struct picture_key *keys, size_t nr_keys, double x, double y, double width,
                      bool draw)
{
	double at = x;
	double top = y;

	for (size_t i = 0; i < nr_keys; i++) {
		double sample = sample_width(cr, &keys[i]);
		double taken = sample + draw_text_width(cr, &draw_font, keys[i].text);

		if (at > x && at + taken > x + width) {
			at = x;
			top += LINE_HEIGHT;
		}
		if (draw) {
			draw_sample(cr, &keys[i], at, top);
			draw_text(cr, &draw_font, at + sample, top + 11, DRAW_LEFT, keys[i].text);
		}
		at += taken + KEY_GAP;
	}
	return top + LINE_HEIGHT - y;
}
