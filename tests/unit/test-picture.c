/* SPDX-License-Identifier: MIT */
/*
 * This file tests pictures by what they show, not by their bytes: pixels of PNGs of known memory, and the texts of the
 * same drawing on cairo's script surface, which keeps them readable.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cairo-script.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/writer.h"
#include "report/palette.h"
#include "report/picture.h"
#include "report/ticks.h"
#include "synthetic.h"

#define MIB UINT64_C(0x100000)

struct made {
	struct record_writer *writer;
	struct record_reader *reader;
};

/* Two seconds of the same regions, of 20 checks each. */
static struct made make_of(const struct record_info *info, const struct record_source *sources, uint32_t nr_targets,
                           const struct tide_region *regions, size_t nr_regions)
{
	struct made made;

	assert_int_equal(record_create(&made.writer, NULL, info, NULL), 0);
	for (size_t i = 0; i < 20; i++) {
		struct tide_sample sample = { .start_ns = i * 100000000,
			                      .end_ns = (i + 1) * 100000000,
			                      .nr_targets = nr_targets,
			                      .nr_checks = 20,
			                      .nr_regions = nr_regions,
			                      .regions = regions };

		sample.reasons[TIDE_REASON_LOCKED] = 7;
		assert_int_equal(record_put(made.writer, &sample, sources, NULL), 0);
	}
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	return made;
}

static struct made make(const struct record_source *sources, uint32_t nr_targets, const struct tide_region *regions,
                        size_t nr_regions)
{
	return make_of(&synthetic_info, sources, nr_targets, regions, nr_regions);
}

static void unmake(struct made *made)
{
	record_close(made->reader);
	assert_int_equal(record_finish(made->writer, NULL), 0);
}

/* Four MiB side by side: hot, cold, unobservable, warm; and a stack far away. */
static const struct tide_region four_regions[] = {
	{ .start = 1 * MIB, .end = 2 * MIB, .nr_accesses = 20 },
	{ .start = 2 * MIB, .end = 3 * MIB },
	{ .start = 3 * MIB, .end = 4 * MIB, .nr_unobservable = 20 },
	{ .start = 4 * MIB, .end = 5 * MIB, .nr_accesses = 5 },
	{ .start = 0x7ff000000000, .end = 0x7ff000000000 + MIB, .nr_accesses = 20 },
};

static struct tide_mapping four_mappings[] = {
	{ .start = 1 * MIB, .end = 2 * MIB, .flags = TIDE_MAPPING_READ, .name = "/usr/bin/hot-one" },
	{ .start = 2 * MIB, .end = 5 * MIB, .flags = TIDE_MAPPING_READ, .name = "br\xffken\x1b[1m" },
	{ .start = 0x7ff000000000, .end = 0x7ff000000000 + MIB, .flags = TIDE_MAPPING_READ, .name = "[stack]" },
};

static struct made make_four(void)
{
	static const struct tide_layout layout = { .mappings = four_mappings, .nr_mappings = 3, .generation = 1 };
	static const struct record_source source = { .pid = 7, .name = "four\xc3", .layout = &layout };

	return make(&source, 1, four_regions, 5);
}

static const struct report *find(const char *name)
{
	const struct report *report = reports;

	while (report->name != NULL && strcmp(report->name, name) != 0)
		report++;
	assert_non_null(report->name);
	return report;
}

struct bytes {
	char *data;
	size_t size;
	size_t read;
};

static struct bytes draw_as(struct record_reader *reader, const char *name, const struct report_opts *opts,
                            const struct picture_format *format, int width, int height)
{
	struct picture picture = { .format = format, .width = width, .height = height };
	struct bytes bytes = { 0 };
	struct tide_error err = { 0 };

	picture.out = open_memstream(&bytes.data, &bytes.size);
	if (picture_draw(find(name), reader, opts, &picture, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	fclose(picture.out);
	assert_true(bytes.size > 0);
	return bytes;
}

static struct bytes draw(struct record_reader *reader, const char *name, const struct picture_format *format, int width,
                         int height)
{
	return draw_as(reader, name, &(struct report_opts){ 0 }, format, width, height);
}

static cairo_status_t read_bytes(void *arg, unsigned char *data, unsigned int length)
{
	struct bytes *bytes = arg;

	if (bytes->size - bytes->read < length)
		return CAIRO_STATUS_READ_ERROR;
	memcpy(data, bytes->data + bytes->read, length);
	bytes->read += length;
	return CAIRO_STATUS_SUCCESS;
}

/* As a program that gets the PNG sees it. */
static cairo_surface_t *draw_image_as(struct record_reader *reader, const char *name, const struct report_opts *opts,
                                      int width, int height)
{
	struct bytes bytes = draw_as(reader, name, opts, picture_format_of("x.png"), width, height);
	cairo_surface_t *image = cairo_image_surface_create_from_png_stream(read_bytes, &bytes);

	assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
	free(bytes.data);
	return image;
}

static cairo_surface_t *draw_image(struct record_reader *reader, const char *name, int width, int height)
{
	return draw_image_as(reader, name, &(struct report_opts){ 0 }, width, height);
}

static uint32_t pixel(cairo_surface_t *image, int x, int y)
{
	const unsigned char *data = cairo_image_surface_get_data(image);
	const uint32_t *line = (const void *)(data + (size_t)y * (size_t)cairo_image_surface_get_stride(image));

	return line[x] & 0xffffff;
}

/* Pixels of a column of the image that have one of two colours. */
static int count(cairo_surface_t *image, int x, uint32_t one, uint32_t other)
{
	int nr = 0;

	for (int y = 0; y < cairo_image_surface_get_height(image); y++)
		nr += pixel(image, x, y) == one || pixel(image, x, y) == other;
	return nr;
}

/* The first y at which the column has the colour, and has it for `least` pixels. */
static int first(cairo_surface_t *image, int x, uint32_t color, int least)
{
	int height = cairo_image_surface_get_height(image);

	for (int y = 0; y + least < height; y++) {
		int nr = 0;

		while (nr < least && pixel(image, x, y + nr) == color)
			nr++;
		if (nr == least)
			return y;
	}
	return -1;
}

static void a_heatmap_shows_what_was_hot_where(void **state)
{
	struct made made = make_four();
	cairo_surface_t *image = draw_image(made.reader, "heatmap", 0, 0);
	int x = 500;
	int hot = first(image, x, palette_rate(1), 90);
	int cold = first(image, x, PALETTE_COLD, 90);
	int warm = first(image, x, palette_rate(0.25), 90);

	assert_int_equal(cairo_image_surface_get_width(image), 1200);
	assert_int_equal(cairo_image_surface_get_height(image), 800);
	assert_true(hot > 60 && cold > hot && warm > cold);
	/* Between cold and warm nothing but hatching, and both of its colours. */
	assert_int_equal(pixel(image, x, cold + 20), PALETTE_COLD);
	for (int y = warm - 80; y < warm - 5; y++) {
		uint32_t color = pixel(image, x, y);

		assert_true(color == PALETTE_HATCH || color == PALETTE_HATCH_PAPER);
	}
	assert_in_range(count(image, x, PALETTE_HATCH, PALETTE_HATCH), 20, 60);
	/* Equal sizes, equal heights; the stack is as large as any of them, behind a gap. */
	assert_in_range(cold - hot, (warm - cold) / 2 - 3, (warm - cold) / 2 + 3);
	assert_true(first(image, x, palette_rate(1), 90) == hot);
	assert_in_range(count(image, x, palette_rate(1), palette_rate(1)), 2 * (cold - hot) - 18,
	                2 * (cold - hot) + 18);
	cairo_surface_destroy(image);
	unmake(&made);
}

/* Side by side: only read, read and written, written, cold; what was seen written and not accessed; and nothing. */
static const struct tide_region five_uses[] = {
	{ .start = 1 * MIB, .end = 2 * MIB, .nr_accesses = 15 },
	{ .start = 2 * MIB, .end = 3 * MIB, .nr_accesses = 15, .nr_writes = 9 },
	{ .start = 3 * MIB, .end = 4 * MIB, .nr_accesses = 15, .nr_writes = 15 },
	{ .start = 4 * MIB, .end = 5 * MIB },
	{ .start = 5 * MIB, .end = 6 * MIB, .nr_writes = 5, .nr_unobservable = 10, .nr_writes_unobservable = 10 },
};

static struct made make_five(const struct record_info *info)
{
	static const struct record_source source = { .pid = 7, .name = "five" };

	return make_of(info, &source, 1, five_uses, 5);
}

static void a_heatmap_tells_what_is_read_from_what_is_written(void **state)
{
	struct made made = make_five(&synthetic_writes_info);
	cairo_surface_t *image = draw_image(made.reader, "heatmap", 0, 0);
	const uint32_t colors[] = { palette_writes(0.75, 0), palette_writes(0.75, 0.6), palette_writes(0.75, 1),
		                    PALETTE_COLD_BESIDE, palette_writes(0.5, 1) };
	int last = 60;

	for (size_t i = 0; i < 5; i++) {
		int y = first(image, 500, colors[i], 90);

		assert_true(y > last);
		last = y;
	}
	/* No colour of records without writes is left, so none means two things. */
	assert_int_equal(count(image, 500, PALETTE_COLD, palette_rate(0.75)), 0);
	cairo_surface_destroy(image);
	unmake(&made);
}

static void a_picture_has_the_size_that_was_asked_for(void **state)
{
	static const int sizes[][2] = { { 480, 320 }, { 640, 480 }, { 2000, 400 }, { 500, 2000 } };
	struct made made = make_four();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int wss = 0; wss < 2; wss++) {
			cairo_surface_t *image =
			        draw_image(made.reader, wss ? "wss" : "heatmap", sizes[i][0], sizes[i][1]);

			assert_int_equal(cairo_image_surface_get_width(image), sizes[i][0]);
			assert_int_equal(cairo_image_surface_get_height(image), sizes[i][1]);
			cairo_surface_destroy(image);
		}
	}
	unmake(&made);
}

/* The lowest and the highest of the column's pixels that have one of the colours. */
static void extent(cairo_surface_t *image, int x, uint32_t one, uint32_t other, int *top, int *bottom)
{
	*top = *bottom = -1;
	for (int y = 0; y < cairo_image_surface_get_height(image) - 60; y++) {
		if (pixel(image, x, y) != one && pixel(image, x, y) != other)
			continue;
		*top = *top < 0 ? y : *top;
		*bottom = y;
	}
}

static void a_working_set_is_stacked_to_scale(void **state)
{
	struct made made = make_four();
	cairo_surface_t *image = draw_image(made.reader, "wss", 0, 0);
	int hot_top, hot_bottom, warm_top, warm_bottom, unseen_top, unseen_bottom, line_top, line_bottom;
	int x = 303; /* no mark's */

	extent(image, x, 0x932667, 0x932667, &hot_top, &hot_bottom);
	extent(image, x, 0xfcb040, 0xfcb040, &warm_top, &warm_bottom);
	extent(image, x, PALETTE_HATCH, PALETTE_HATCH_PAPER, &unseen_top, &unseen_bottom);
	extent(image, x, 0x2b5c8a, 0x2b5c8a, &line_top, &line_bottom);
	/* Hot are two of five MiB, warm one, unobservable one; mapped are all five. */
	assert_true(line_top > 60 && line_top < unseen_top && unseen_top < warm_top && warm_top < hot_top);
	assert_in_range(hot_bottom - hot_top, 2 * (warm_bottom - warm_top) - 6, 2 * (warm_bottom - warm_top) + 6);
	assert_in_range(unseen_bottom - unseen_top, warm_bottom - warm_top - 6, warm_bottom - warm_top + 6);
	assert_in_range(hot_bottom - line_top, 5 * (warm_bottom - warm_top) - 12, 5 * (warm_bottom - warm_top) + 12);
	cairo_surface_destroy(image);
	unmake(&made);
}

static void a_working_set_of_writes_is_drawn_as_one(void **state)
{
	struct made made = make_five(&synthetic_writes_info);
	const struct report_opts opts = { .writes = true };
	cairo_surface_t *image = draw_image_as(made.reader, "wss", &opts, 0, 0);
	int hot_top, hot_bottom, warm_top, warm_bottom, line_top, line_bottom;
	int x = 303; /* no mark's */

	extent(image, x, 0xa24c00, 0xa24c00, &hot_top, &hot_bottom);
	extent(image, x, 0xf6a45b, 0xf6a45b, &warm_top, &warm_bottom);
	extent(image, x, 0x2b5c8a, 0x2b5c8a, &line_top, &line_bottom);
	/* Of five MiB one is hot and one warm, and of half of the third that is written it was seen. */
	assert_true(hot_top > 0 && warm_top > 0 && warm_top < hot_top);
	assert_in_range(warm_bottom - warm_top, (hot_bottom - hot_top) * 3 / 2 - 6, (hot_bottom - hot_top) * 3 / 2 + 6);
	assert_in_range(hot_bottom - line_top, 5 * (hot_bottom - hot_top) - 16, 5 * (hot_bottom - hot_top) + 16);
	assert_int_equal(count(image, x, 0x932667, 0xfcb040), 0);
	cairo_surface_destroy(image);
	unmake(&made);
}

/* Of 5,000 intervals every tenth uses one of two MiB, and a single one both: a pixel's mean hides what one needs. */
static void peaks_are_not_averaged_away(void **state)
{
	static const struct record_source source = { .pid = 7, .name = "peaks" };
	struct made made;
	cairo_surface_t *image;
	int nr_peaks = 0;
	int top, bottom;

	assert_int_equal(record_create(&made.writer, NULL, &synthetic_info, NULL), 0);
	for (size_t i = 0; i < 5000; i++) {
		struct tide_region regions[] = {
			{ .start = MIB, .end = 2 * MIB, .nr_accesses = i % 10 == 0 ? 20 : 0 },
			{ .start = 2 * MIB, .end = 3 * MIB, .nr_accesses = i == 2500 ? 20 : 0 },
		};
		struct tide_sample sample = { .start_ns = i * 100000000,
			                      .end_ns = (i + 1) * 100000000,
			                      .nr_targets = 1,
			                      .nr_checks = 20,
			                      .nr_regions = 2,
			                      .regions = regions };

		assert_int_equal(record_put(made.writer, &sample, &source, NULL), 0);
	}
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	image = draw_image(made.reader, "wss", 600, 400);
	extent(image, 200, 0x932667, 0x932667, &top, &bottom);
	assert_in_range(bottom - top, 3, 40);
	/* Somewhere above, where the mean is far from, is a line; its edges may be soft. */
	for (int y = top - 150; y < top - 50; y++)
		nr_peaks += (int)(pixel(image, 200, y) >> 16) - (int)(pixel(image, 200, y) & 0xff) > 60;
	assert_in_range(nr_peaks, 1, 3);
	cairo_surface_destroy(image);
	unmake(&made);
}

static cairo_status_t write_bytes(void *out, const unsigned char *data, unsigned int length)
{
	return fwrite(data, 1, length, out) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* Texts stand in it as they are, in parentheses; their own parentheses are escaped. */
static cairo_surface_t *create_script(FILE *out, int width, int height)
{
	cairo_device_t *device = cairo_script_create_for_stream(write_bytes, out);
	cairo_surface_t *surface = cairo_script_surface_create(device, CAIRO_CONTENT_COLOR_ALPHA, width, height);

	cairo_device_destroy(device);
	return surface;
}

static cairo_status_t finish_script(cairo_surface_t *surface, FILE *out)
{
	cairo_surface_finish(surface);
	return cairo_surface_status(surface);
}

static const struct picture_format script = { ".cs", create_script, finish_script };

/* A string for all of the drawing's texts; the caller frees it. */
static char *texts_as(struct record_reader *reader, const char *name, const struct report_opts *opts, int width,
                      int height)
{
	struct bytes bytes = draw_as(reader, name, opts, &script, width, height);

	for (size_t i = 0; i < bytes.size; i++)
		bytes.data[i] = bytes.data[i] == 0 ? ' ' : bytes.data[i];
	return bytes.data;
}

static char *texts_of(struct record_reader *reader, const char *name, int width, int height)
{
	return texts_as(reader, name, &(struct report_opts){ 0 }, width, height);
}

static void assert_texts(const char *all, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		if (strstr(all, *texts) == NULL)
			fail_msg("the drawing does not say %s", *texts);
}

static void everything_has_its_name(void **state)
{
	static const char *const in_heatmap[] = { "(four? \\(pid 7\\): how often its memory was accessed over 2 s)",
		                                  "(5 MiB were mapped ",
		                                  "  from 2026-11-21 00:00:00 UTC  ",
		                                  "  sensor walk, Linux 6.18.0)",
		                                  "(20 % unobservable: locked \\(locked memory: the kernel does not "
		                                  "age it\\))",
		                                  "(0x100000)",
		                                  "(0x7ff000000000)",
		                                  "(hot-one)",
		                                  "(br?ken?[1m)",
		                                  "([stack])",
		                                  "(3 MiB)",
		                                  "(128 TiB not mapped)",
		                                  "(0 s)",
		                                  "(1 s)",
		                                  "(2 s)",
		                                  "(unobservable)",
		                                  "(not mapped then)",
		                                  "(cold: seen, never accessed)",
		                                  NULL };
	static const char *const in_wss[] = { "(four? \\(pid 7\\): working set over 2 s)",
		                              "(at least 3 MiB of 5 MiB used, 2 MiB hot \\(medians\\)",
		                              "(20 % unobservable: locked ",
		                              "(0 B)",
		                              "(1 MiB)",
		                              "(5 MiB)",
		                              "(mapped 5 MiB)",
		                              "(median 3 MiB)",
		                              "(most 3 MiB)",
		                              "(hot, median 2 MiB)",
		                              NULL };
	struct made made = make_four();
	char *text = texts_of(made.reader, "heatmap", 0, 0);

	assert_texts(text, in_heatmap);
	assert_null(strchr(text, '\x1b'));
	free(text);
	text = texts_of(made.reader, "wss", 0, 0);
	assert_texts(text, in_wss);
	free(text);
	/* Where there is no room for names there are none. */
	text = texts_of(made.reader, "heatmap", 450, 400);
	assert_null(strstr(text, "(hot-one)"));
	assert_non_null(strstr(text, "(1 s)"));
	free(text);
	unmake(&made);
}

static void the_legend_says_what_the_counts_are_of(void **state)
{
	static const char *const of_both[] = { "(five \\(pid 7\\): how often its memory was read and written over 2 s)",
		                               "(only read)",
		                               "(every other access a write)",
		                               "(every access a write)",
		                               "(darker: more often; from the notch on hot: in half of the checks or "
		                               "more)",
		                               "(cold: seen, never accessed)",
		                               "(unobservable)",
		                               "(not mapped then)",
		                               NULL };
	static const char *const of_writes[] = { "(five \\(pid 7\\): how often its memory was written over 2 s)",
		                                 "(cold: seen, never written)",
		                                 "(hot: written in at least half of the checks)", NULL };
	static const char *const of_wss[] = { "(five \\(pid 7\\): working set of writes over 2 s)",
		                              "(at least 2.5 MiB of 5 MiB written, 1 MiB hot \\(medians\\)",
		                              "(hot: written in at least half of the checks)",
		                              "(unobservable: written or not)",
		                              "(median and most of what was written)",
		                              NULL };
	struct record_info only = synthetic_writes_info;
	struct made made = make_five(&synthetic_writes_info);
	char *text = texts_of(made.reader, "heatmap", 0, 0);

	assert_texts(text, of_both);
	assert_null(strstr(text, "(warm)"));
	free(text);
	text = texts_as(made.reader, "wss", &(struct report_opts){ .writes = true }, 0, 0);
	assert_texts(text, of_wss);
	assert_null(strstr(text, "used"));
	free(text);
	unmake(&made);
	only.sensor = "writes";
	made = make_five(&only);
	text = texts_of(made.reader, "heatmap", 0, 0);
	assert_texts(text, of_writes);
	assert_null(strstr(text, "accessed"));
	free(text);
	unmake(&made);
}

/* After a text that is no UTF-8 cairo draws nothing any more. */
static void broken_texts_break_no_drawing(void **state)
{
	static const char *const texts[] = { "\xff", "a\xc3", "\xed\xa0\x80", "\xc3\xa4\xe2\x86\x91", "" };
	cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 100, 20);
	cairo_t *cr = cairo_create(image);
	char *endless = calloc(1, 10001);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		draw_text(cr, &draw_font, 0, 15, DRAW_LEFT, texts[i]);
		assert_int_equal(cairo_status(cr), CAIRO_STATUS_SUCCESS);
	}
	assert_non_null(endless);
	memset(endless, 0xc3, 10000);
	draw_text(cr, &draw_font, 0, 15, DRAW_RIGHT, endless);
	draw_mapping(cr, &draw_font, 0, 15, 50, endless);
	assert_int_equal(cairo_status(cr), CAIRO_STATUS_SUCCESS);
	free(endless);
	cairo_destroy(cr);
	cairo_surface_destroy(image);
}

static void svg_and_png_come_from_one_drawing(void **state)
{
	struct made made = make_four();
	struct bytes bytes = draw(made.reader, "heatmap", picture_format_of("x.SVG"), 700, 500);

	assert_non_null(strstr(bytes.data, "width=\"700px\" height=\"500px\""));
	assert_non_null(strstr(bytes.data, "<image"));
	assert_non_null(strstr(bytes.data, "</svg>"));
	free(bytes.data);
	assert_null(picture_format_of("svg"));
	assert_null(picture_format_of(".png"));
	assert_null(picture_format_of("x.png.gz"));
	unmake(&made);
}

static void each_process_has_a_panel(void **state)
{
	static const char *const names[] = { "(one \\(pid 1\\): ", "(two \\(pid 2\\): ",
		                             "(three \\(pid 3\\) was not watched in this time)", NULL };
	static const struct record_source sources[] = { { .pid = 1, .name = "one" },
		                                        { .pid = 2, .name = "two" },
		                                        { .pid = 3, .name = "three" } };
	static const struct tide_region regions[] = {
		{ .start = MIB, .end = 2 * MIB, .nr_accesses = 20 },
		{ .start = MIB, .end = 2 * MIB, .target = 1 },
	};
	struct made made = make(sources, 3, regions, 2);
	cairo_surface_t *image = draw_image(made.reader, "heatmap", 0, 0);
	struct picture small = { .format = picture_format_of("x.png"), .width = 400, .height = 400, .out = stderr };
	struct tide_error err = { 0 };
	char *text = texts_of(made.reader, "heatmap", 0, 0);

	assert_int_equal(cairo_image_surface_get_height(image), 3 * 480);
	assert_true(first(image, 500, palette_rate(1), 100) < 480);
	assert_true(first(image, 500, PALETTE_COLD, 100) > 480);
	assert_texts(text, names);
	cairo_surface_destroy(image);
	free(text);
	text = texts_of(made.reader, "wss", 0, 0);
	assert_texts(text, names);
	free(text);
	assert_int_equal(picture_draw(find("wss"), made.reader, &(struct report_opts){ 0 }, &small, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(err.text, "3 processes do not fit"));
	unmake(&made);
}

static void a_picture_of_writes_that_were_not_recorded_is_a_sentence(void **state)
{
	struct made made = make_four();
	struct picture picture = { .format = picture_format_of("x.png"), .out = stderr };
	struct tide_error err = { 0 };

	assert_int_equal(
	        picture_draw(find("wss"), made.reader, &(struct report_opts){ .writes = true }, &picture, &err),
	        -ENODATA);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(err.text, "the record has no writes"));
	unmake(&made);
}

static void a_picture_of_nothing_is_a_sentence(void **state)
{
	struct made made = make(NULL, 0, NULL, 0);
	struct made empty;
	struct picture picture = { .format = picture_format_of("x.png"), .out = stderr };
	struct tide_error err = { 0 };

	assert_int_equal(record_create(&empty.writer, NULL, &synthetic_info, NULL), 0);
	assert_int_equal(record_open_writer(&empty.reader, empty.writer, NULL), 0);
	assert_int_equal(picture_draw(find("heatmap"), empty.reader, &(struct report_opts){ 0 }, &picture, &err),
	                 -ENODATA);
	assert_non_null(strstr(err.text, "the record is empty"));
	unmake(&empty);
	/* Nobody was watched: an empty sheet with its legend. */
	cairo_surface_destroy(draw_image(made.reader, "heatmap", 0, 0));
	cairo_surface_destroy(draw_image(made.reader, "wss", 0, 0));
	unmake(&made);
}

static void a_full_disk_is_told(void **state)
{
	struct made made = make_four();

	for (const struct picture_format *format = picture_formats; format->ending != NULL; format++) {
		struct picture picture = { .format = format, .out = fopen("/dev/full", "w") };
		struct tide_error err = { 0 };

		assert_int_equal(picture_draw(find("wss"), made.reader, &(struct report_opts){ 0 }, &picture, &err),
		                 -EIO);
		assert_int_equal(err.cause, TIDE_CAUSE_SYSTEM);
		fclose(picture.out);
	}
	unmake(&made);
}

/* Relative luminance times 1000, as grey prints and WCAG have it, roughly. */
static unsigned brightness(uint32_t color)
{
	return (color >> 16 & 0xff) * 299 + (color >> 8 & 0xff) * 587 + (color & 0xff) * 114;
}

static void the_hotter_the_darker(void **state)
{
	unsigned last = brightness(PALETTE_COLD);

	assert_int_equal(palette_rate(0), PALETTE_COLD);
	assert_true(brightness(PALETTE_PAPER) > last + 25000);
	for (int i = 1; i <= 20; i++) {
		unsigned now = brightness(palette_rate(i / 20.0));

		assert_true(now < last);
		last = now;
	}
	/* In grey, what is hot has less than half of the brightness of what is cold. */
	assert_true(brightness(palette_rate(0.5)) * 2 < brightness(PALETTE_COLD));
}

/* How much more yellow than blue: what red-green blindness leaves of a colour beside its brightness. */
static int yellow(uint32_t color)
{
	return (int)((color >> 16 & 0xff) + (color >> 8 & 0xff)) / 2 - (int)(color & 0xff);
}

static void reads_and_writes_differ_by_blue_and_orange_and_in_nothing_else(void **state)
{
	for (double written = 0; written <= 1; written += 0.125) {
		unsigned last = brightness(PALETTE_COLD_BESIDE);

		assert_int_equal(palette_writes(0, written), PALETTE_COLD_BESIDE);
		for (int i = 1; i <= 20; i++) {
			unsigned now = brightness(palette_writes(i / 20.0, written));
			unsigned read = brightness(palette_writes(i / 20.0, 0));

			assert_true(now < last);
			assert_in_range(now, read - 8000 < read ? read - 8000 : 0, read + 20000);
			last = now;
		}
	}
	assert_true(brightness(PALETTE_PAPER) > brightness(PALETTE_COLD_BESIDE) + 25000);
	for (int i = 1; i <= 20; i++) {
		int read = yellow(palette_writes(i / 20.0, 0));
		int both = yellow(palette_writes(i / 20.0, 0.5));
		int written = yellow(palette_writes(i / 20.0, 1));

		assert_true(read < -50 && written > 50);
		assert_true(both > read + 50 && both < written - 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heatmap_shows_what_was_hot_where),
		cmocka_unit_test(a_heatmap_tells_what_is_read_from_what_is_written),
		cmocka_unit_test(a_picture_has_the_size_that_was_asked_for),
		cmocka_unit_test(a_working_set_is_stacked_to_scale),
		cmocka_unit_test(a_working_set_of_writes_is_drawn_as_one),
		cmocka_unit_test(peaks_are_not_averaged_away),
		cmocka_unit_test(everything_has_its_name),
		cmocka_unit_test(the_legend_says_what_the_counts_are_of),
		cmocka_unit_test(broken_texts_break_no_drawing),
		cmocka_unit_test(svg_and_png_come_from_one_drawing),
		cmocka_unit_test(each_process_has_a_panel),
		cmocka_unit_test(a_picture_of_writes_that_were_not_recorded_is_a_sentence),
		cmocka_unit_test(a_picture_of_nothing_is_a_sentence),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(the_hotter_the_darker),
		cmocka_unit_test(reads_and_writes_differ_by_blue_and_orange_and_in_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
