/* SPDX-License-Identifier: MIT */
/* This file draws texts, lines and areas on any cairo surface. */
#include "report/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/format.h"
#include "report/palette.h"

const struct draw_font draw_title_font = { .size = 18, .color = PALETTE_INK, .bold = true };
const struct draw_font draw_font = { .size = 12, .color = PALETTE_INK };
const struct draw_font draw_faint_font = { .size = 12, .color = PALETTE_FAINT_INK };
const struct draw_font draw_mono_font = { .size = 10.5, .color = PALETTE_FAINT_INK, .mono = true };

#define MAX_TEXT 640

static void use_font(cairo_t *cr, const struct draw_font *font)
{
	cairo_select_font_face(cr, font->mono ? "DejaVu Sans Mono" : "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
	                       font->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(cr, font->size);
}

/* cairo refuses to draw anything more after a text that is no UTF-8. */
static const char *repair(const char *text, char buf[MAX_TEXT])
{
	size_t length = 0;

	while (*text != 0 && length + 4 < MAX_TEXT) {
		size_t size = format_utf8(text);

		if (size == 0)
			buf[length++] = '?';
		else
			memcpy(buf + length, text, size);
		length += size;
		text += size > 0 ? size : 1;
	}
	buf[length] = 0;
	return buf;
}

double draw_text_width(cairo_t *cr, const struct draw_font *font, const char *text)
{
	cairo_text_extents_t extents;
	char buf[MAX_TEXT];

	use_font(cr, font);
	cairo_text_extents(cr, repair(text, buf), &extents);
	return extents.x_advance;
}

void draw_text(cairo_t *cr, const struct draw_font *font, double x, double y, enum draw_align align, const char *text)
{
	double width = draw_text_width(cr, font, text);
	char buf[MAX_TEXT];

	draw_color(cr, font->color);
	cairo_move_to(cr, round(align == DRAW_LEFT ? x : align == DRAW_CENTER ? x - width / 2 : x - width), round(y));
	cairo_show_text(cr, repair(text, buf));
	cairo_new_path(cr);
}

double draw_mapping(cairo_t *cr, const struct draw_font *font, double x, double y, double width, const char *name)
{
	for (int columns = 40; columns > 3; columns--) {
		struct format_name text = format_mapping(name, columns);

		if (draw_text_width(cr, font, text.s) > width)
			continue;
		draw_text(cr, font, x, y, DRAW_LEFT, text.s);
		return draw_text_width(cr, font, text.s);
	}
	return 0;
}

void draw_parts(cairo_t *cr, const struct draw_font *font, double x, double y, double width, const char *const *parts,
                size_t nr_parts)
{
	char line[MAX_TEXT] = "";
	char longer[MAX_TEXT];

	for (size_t i = 0; i < nr_parts; i++) {
		if (parts[i][0] == 0)
			continue;
		snprintf(longer, sizeof(longer), "%s%s%s", line, line[0] != 0 ? "  \xc2\xb7  " : "", parts[i]);
		if (draw_text_width(cr, font, longer) > width)
			continue;
		memcpy(line, longer, sizeof(line));
	}
	draw_text(cr, font, x, y, DRAW_LEFT, line);
}

void draw_color(cairo_t *cr, uint32_t color)
{
	cairo_set_source_rgb(cr, (color >> 16 & 0xff) / 255.0, (color >> 8 & 0xff) / 255.0, (color & 0xff) / 255.0);
}

void draw_fill(cairo_t *cr, const struct draw_box *box, uint32_t color)
{
	draw_color(cr, color);
	cairo_rectangle(cr, box->x, box->y, box->width, box->height);
	cairo_fill(cr);
}

void draw_frame(cairo_t *cr, const struct draw_box *box, uint32_t color)
{
	draw_color(cr, color);
	cairo_set_line_width(cr, 1);
	cairo_rectangle(cr, floor(box->x) - 0.5, floor(box->y) - 0.5, floor(box->width) + 1, floor(box->height) + 1);
	cairo_stroke(cr);
}

void draw_line(cairo_t *cr, double x1, double y1, double x2, double y2, uint32_t color)
{
	draw_color(cr, color);
	cairo_set_line_width(cr, 1);
	cairo_move_to(cr, floor(x1) + 0.5, floor(y1) + 0.5);
	cairo_line_to(cr, floor(x2) + 0.5, floor(y2) + 0.5);
	cairo_stroke(cr);
}

void draw_hatch(cairo_t *cr, const struct draw_box *box)
{
	/* Lines of equal x + y. */
	int first = (int)floor((box->x + box->y) / HATCH_PERIOD);
	int last = (int)ceil((box->x + box->width + box->y + box->height) / HATCH_PERIOD);

	cairo_save(cr);
	cairo_clip(cr);
	draw_color(cr, PALETTE_HATCH_PAPER);
	cairo_paint(cr);
	draw_color(cr, PALETTE_HATCH);
	cairo_set_line_width(cr, HATCH_WIDTH * M_SQRT1_2);
	for (int i = first; i <= last; i++) {
		double sum = i * HATCH_PERIOD + HATCH_WIDTH / 2.0;

		cairo_move_to(cr, sum - box->y, box->y);
		cairo_line_to(cr, sum - box->y - box->height, box->y + box->height);
	}
	cairo_stroke(cr);
	cairo_restore(cr);
}
