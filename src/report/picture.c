/* SPDX-License-Identifier: MIT */
/* This file makes the sheet that a report is drawn on, and the bytes of a file out of it. */
#include "report/picture.h"

#include <cairo-svg.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "report/palette.h"

#define DEFAULT_WIDTH  1200
#define DEFAULT_HEIGHT 800
/* Of one panel, where there are several; and the least that shows anything. */
#define PANEL_HEIGHT     480
#define MIN_PANEL_HEIGHT 200

static cairo_status_t write_bytes(void *out, const unsigned char *data, unsigned int length)
{
	return fwrite(data, 1, length, out) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static cairo_surface_t *create_svg(FILE *out, int width, int height)
{
	cairo_surface_t *surface = cairo_svg_surface_create_for_stream(write_bytes, out, width, height);

	cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
	return surface;
}

static cairo_status_t finish_svg(cairo_surface_t *surface, FILE *out)
{
	cairo_surface_finish(surface);
	return cairo_surface_status(surface);
}

static cairo_surface_t *create_png(FILE *out, int width, int height)
{
	return cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
}

static cairo_status_t finish_png(cairo_surface_t *surface, FILE *out)
{
	return cairo_surface_write_to_png_stream(surface, write_bytes, out);
}

const struct picture_format picture_formats[] = {
	{ ".svg", create_svg, finish_svg },
	{ ".png", create_png, finish_png },
	{ 0 },
};

const struct picture_format *picture_format_of(const char *path)
{
	size_t length = strlen(path);

	for (const struct picture_format *format = picture_formats; format->ending != NULL; format++) {
		size_t ending = strlen(format->ending);

		if (length > ending && strcasecmp(path + length - ending, format->ending) == 0)
			return format;
	}
	return NULL;
}

static int failed(cairo_status_t status, struct tide_error *err)
{
	if (status == CAIRO_STATUS_SUCCESS)
		return 0;
	if (status == CAIRO_STATUS_NO_MEMORY)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the picture could not be drawn: %s",
	                 cairo_status_to_string(status));
}

int picture_begin(struct picture *picture, size_t nr_panels, struct tide_error *err)
{
	size_t height = nr_panels > 1 ? nr_panels * PANEL_HEIGHT : DEFAULT_HEIGHT;

	if (picture->width == 0)
		picture->width = DEFAULT_WIDTH;
	if (picture->height == 0)
		picture->height = (int)(height < PICTURE_MAX_SIZE ? height : PICTURE_MAX_SIZE);
	if (nr_panels > 1 && (size_t)picture->height < nr_panels * MIN_PANEL_HEIGHT)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "%zu processes do not fit into a picture %d pixels high: each takes %d at least",
		                 nr_panels, picture->height, MIN_PANEL_HEIGHT);
	picture->surface = picture->format->create(picture->out, picture->width, picture->height);
	picture->cr = cairo_create(picture->surface);
	draw_color(picture->cr, PALETTE_PAPER);
	cairo_paint(picture->cr);
	return failed(cairo_status(picture->cr), err);
}

static int end(struct picture *picture, struct tide_error *err)
{
	int result = failed(cairo_status(picture->cr), err);

	if (result < 0)
		return result;
	result = failed(picture->format->finish(picture->surface, picture->out), err);
	if (result == 0 && (fflush(picture->out) != 0 || ferror(picture->out)))
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the picture could not be written");
	return result;
}

int picture_draw(const struct report *report, struct record_reader *reader, const struct report_opts *opts,
                 struct picture *picture, struct tide_error *err)
{
	int result = report->draw(reader, opts, picture, err);

	if (result == 0)
		result = record_error(reader, err);
	if (result == 0)
		result = end(picture, err);
	cairo_destroy(picture->cr);
	cairo_surface_destroy(picture->surface);
	picture->cr = NULL;
	picture->surface = NULL;
	return result;
}
