/* SPDX-License-Identifier: MIT */
/* What pictures are drawn with: texts that fit, lines that are sharp, hatching. Lengths are pixels, y grows downward.
 */
#ifndef REPORT_DRAW_H
#define REPORT_DRAW_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw_box {
	double x;
	double y;
	double width;
	double height;
};

struct draw_font {
	double size;
	uint32_t color;
	bool bold;
	bool mono;
};
extern const struct draw_font draw_title_font;
extern const struct draw_font draw_font;       /* words */
extern const struct draw_font draw_faint_font; /* words that are less important */
extern const struct draw_font draw_mono_font;  /* addresses */

enum draw_align {
	DRAW_LEFT,
	DRAW_CENTER,
	DRAW_RIGHT,
};

double draw_text_width(cairo_t *cr, const struct draw_font *font, const char *text);

/* `y` is the baseline. What is no UTF-8 is drawn as '?'. */
void draw_text(cairo_t *cr, const struct draw_font *font, double x, double y, enum draw_align align, const char *text);

/* The name of a mapping, as long as there is room. Returns its width. */
double draw_mapping(cairo_t *cr, const struct draw_font *font, double x, double y, double width, const char *name);

/* One line of parts with dots between: as many as there is room for, from the first on. */
void draw_parts(cairo_t *cr, const struct draw_font *font, double x, double y, double width, const char *const *parts,
                size_t nr_parts);

void draw_color(cairo_t *cr, uint32_t color);
void draw_fill(cairo_t *cr, const struct draw_box *box, uint32_t color);
void draw_frame(cairo_t *cr, const struct draw_box *box, uint32_t color);

/* One pixel wide. */
void draw_line(cairo_t *cr, double x1, double y1, double x2, double y2, uint32_t color);

/* Hatches the current path, whose extents lie in `box`, and forgets it. */
void draw_hatch(cairo_t *cr, const struct draw_box *box);

#endif
