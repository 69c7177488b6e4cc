/* SPDX-License-Identifier: MIT */
/*
 * This file draws heatmaps: time to the right, addresses downward, a character a cell.
 *
 * The narrower the place, the less stands beside the cells: first the names of mappings shrink and go, then the sizes
 * of rows, at last their addresses. Cells and time are always there.
 */
#include <inttypes.h>
#include <string.h>

#include "report/format.h"
#include "report/heatmap.h"
#include "report/ticks.h"

#define MIN_WIDTH 20
#define MAX_WIDTH 1000

/* Columns of each part of a line; 0: it is not there. The frame takes one on either side of the cells. */
struct layout {
	int width;
	int address; /* with the blank behind it */
	int size;
	int name; /* with the blank before it */
	int cells;
};

static struct layout choose_layout(const struct report_opts *opts)
{
	int width = opts->width > 0 ? opts->width : 80;
	struct layout layout = { .width = width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width };

	width = layout.width;
	layout.address = width < 36 ? 0 : 16;
	layout.size = width < 56 ? 0 : 10;
	layout.name = width < 64 ? 0 : width < 100 ? 14 : width < 160 ? 21 : width < 240 ? 33 : 41;
	layout.cells = width - layout.address - layout.size - layout.name - 2;
	return layout;
}

size_t heatmap_columns(const struct report_opts *opts)
{
	return (size_t)choose_layout(opts).cells;
}

/* As much of the sentence as there is room for, in the middle of a torn line. */
static void write_gap(const struct layout *layout, uint64_t bytes, FILE *out)
{
	int columns = layout->width - layout->name;
	struct format_text size = format_bytes(bytes);
	char text[80];
	int length = snprintf(text, sizeof(text), " %s not mapped ", size.s);
	int left;

	if (length + 2 > columns)
		length = snprintf(text, sizeof(text), " %s ", size.s);
	left = (columns - length) / 2;
	for (int i = 0; i < columns; i++) {
		if (i == left)
			i += fprintf(out, "%s", text);
		fputc('~', out);
	}
	fputc('\n', out);
}

static void write_row(const struct heatmap *heatmap, size_t i, const struct layout *layout, const char *name,
                      bool color, FILE *out)
{
	const struct axis_row *row = &heatmap->axis.rows[i];
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, row->start);
	if (layout->address > 0)
		fprintf(out, "%-*s", layout->address - 1, address);
	if (layout->size > 0)
		fprintf(out, "%*s", layout->size, format_bytes(row->to - row->from).s);
	fputs(layout->address > 0 ? " |" : "|", out);
	heatmap_write_cells(heatmap, i, color, out);
	fputc('|', out);
	if (name[0] != 0)
		fprintf(out, " %s", name);
	fputc('\n', out);
}

static void write_rows(const struct heatmap *heatmap, const struct layout *layout, bool color, FILE *out)
{
	struct format_name last = { "" };

	for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
		const struct axis_row *row = &heatmap->axis.rows[i];
		struct format_name name = format_mapping(heatmap->names[i], layout->name - 1);
		bool again = strcmp(name.s, last.s) == 0 && row->gap == 0;

		if (row->gap > 0)
			write_gap(layout, row->gap, out);
		write_row(heatmap, i, layout, layout->name == 0 || again ? "" : name.s, color, out);
		last = name;
	}
}

/* The longest text of the marks between `from` and `to`. */
static size_t longest_mark(uint64_t from, uint64_t to, uint64_t step)
{
	size_t longest = 0;

	for (uint64_t at = ticks_first(from, step); at < to; at += step) {
		size_t length = strlen(ticks_time(at).s);

		longest = length > longest ? length : longest;
	}
	return longest;
}

/* The distance of the marks: the smallest that leaves two blanks behind each one's text. */
static uint64_t choose_step(uint64_t from, uint64_t to, int columns)
{
	double column_us = (double)(to - from) / columns;
	uint64_t step = ticks_time_step((uint64_t)(column_us * 5) + 1);

	while (step < to && (double)step < column_us * (double)(longest_mark(from, to, step) + 2))
		step = ticks_time_step(step + 1);
	return step;
}

static void write_time_axis(const struct heatmap *heatmap, const struct layout *layout, FILE *out)
{
	uint64_t from = heatmap->window.from_us;
	uint64_t to = heatmap->window.to_us;
	uint64_t step = choose_step(from, to, layout->cells);
	uint64_t first = ticks_first(from, step);
	int indent = layout->address + layout->size + 1;
	char line[MAX_WIDTH + 1];
	char labels[MAX_WIDTH + 1];
	int used = 0;

	memset(line, '-', (size_t)layout->cells);
	memset(labels, ' ', (size_t)layout->width);
	for (uint64_t at = first < to ? first : from; at < to; at += step) {
		int column = (int)((double)(at - from) / (double)(to - from) * layout->cells);
		struct format_text label = ticks_time(at);
		int length = (int)strlen(label.s);

		line[column] = '+';
		if (column >= used && indent + column + length <= layout->width) {
			memcpy(labels + column, label.s, (size_t)length);
			used = column + length + 1;
		}
	}
	line[layout->cells] = 0;
	labels[used > 0 ? used - 1 : 0] = 0;
	fprintf(out, "%*s%s\n", indent, "", line);
	fprintf(out, "%*s%s\n", indent, "", labels);
}

static void write_title(const struct heatmap *heatmap, int width, FILE *out)
{
	uint64_t span = heatmap->window.to_us - heatmap->window.from_us;
	uint64_t total = heatmap->axis.before[heatmap->axis.nr_ranges];
	char sentence[800];

	snprintf(sentence, sizeof(sentence),
	         "%s (pid %" PRId64 "): how often its memory was %s, %s in all, during %s from %s; a column is %s",
	         format_name(heatmap->target->name, width < 40 ? width : 40).s, heatmap->target->pid,
	         heatmap_verb(heatmap), format_bytes(total).s, report_span(&heatmap->window).s,
	         format_time(heatmap->info->started_unix_us + heatmap->window.from_us).s,
	         format_duration_short(span / heatmap->nr_columns).s);
	format_wrapped(out, sentence, width);
}

void heatmap_write_text(const struct heatmap *heatmap, const struct report_opts *opts, FILE *out)
{
	struct layout layout = choose_layout(opts);
	char absent[400];

	if (heatmap->axis.nr_rows == 0) {
		snprintf(absent, sizeof(absent), "%s (pid %" PRId64 "): was not watched in this time",
		         format_name(heatmap->target->name, layout.width < 40 ? layout.width : 40).s,
		         heatmap->target->pid);
		format_wrapped(out, absent, layout.width);
		return;
	}
	write_title(heatmap, layout.width, out);
	fputc('\n', out);
	write_rows(heatmap, &layout, opts->color, out);
	write_time_axis(heatmap, &layout, out);
	heatmap_write_legend(heatmap, opts->color, layout.width, out);
}
