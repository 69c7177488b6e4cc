/* SPDX-License-Identifier: MIT */
/*
 * This file draws heatmaps: time to the right, addresses downward, a character a cell. In colour the characters stay,
 * so that what is copied out of the terminal still says the same.
 */
#include <inttypes.h>
#include <string.h>

#include "report/format.h"
#include "report/heatmap.h"

/* Address, its size, a border on either side of the cells, a space before the name. */
#define LABEL_COLUMNS 26
#define FRAME_COLUMNS (LABEL_COLUMNS + 3)

static const char glyphs[HEATMAP_NR_LEVELS + 1] = ".:-=*#@";
/* Dark to light, so that it also works for those who see no colours. */
static const uint8_t colors[HEATMAP_NR_LEVELS] = { 17, 54, 90, 126, 203, 215, 229 };
#define UNOBSERVABLE_COLOR 240

static int name_columns(int width)
{
	if (width < 64)
		return 0;
	return width < 100 ? 13 : width < 160 ? 20 : 32;
}

size_t heatmap_columns(const struct report_opts *opts)
{
	int width = report_width(opts);
	int names = name_columns(width);
	/* The narrowest: no sizes either. */
	int frame = width < 56 ? FRAME_COLUMNS - 10 : FRAME_COLUMNS;

	int columns = width - frame - names + (names == 0);

	return (size_t)columns;
}

static void write_cell(int level, bool color, FILE *out)
{
	char glyph = level >= 0 ? glyphs[level] : level == HEATMAP_UNOBSERVABLE ? '?' : ' ';

	if (color && level != HEATMAP_NOTHING)
		fprintf(out, "\x1b[48;5;%d;38;5;%dm%c", level >= 0 ? colors[level] : UNOBSERVABLE_COLOR,
		        level >= HEATMAP_HOT ? 16 : 250, glyph);
	else
		fprintf(out, color ? "\x1b[0m%c" : "%c", glyph);
}

/* Runs of the same colour are written with one escape sequence. */
static void write_cells(const struct heatmap *heatmap, size_t row, bool color, FILE *out)
{
	int last = HEATMAP_NOTHING;

	for (size_t i = 0; i < heatmap->nr_columns; i++) {
		int level = heatmap_level(&heatmap->cells[row * heatmap->nr_columns + i]);

		write_cell(level, color && level != last, out);
		last = level;
	}
	if (color && last != HEATMAP_NOTHING)
		fputs("\x1b[0m", out);
}

static void write_gap(const struct heatmap *heatmap, uint64_t bytes, bool sizes, FILE *out)
{
	int columns = (sizes ? LABEL_COLUMNS : LABEL_COLUMNS - 10) + 2 + (int)heatmap->nr_columns;
	char text[80];
	int length = snprintf(text, sizeof(text), " %s not mapped ", format_bytes(bytes).s);
	int left = (columns - length) / 2;

	for (int i = 0; i < columns; i++) {
		if (i == left)
			i += fprintf(out, "%s", text);
		fputc('~', out);
	}
	fputc('\n', out);
}

static void write_row(const struct heatmap *heatmap, size_t i, const char *name, const struct report_opts *opts,
                      FILE *out)
{
	const struct axis_row *row = &heatmap->axis.rows[i];
	int width = report_width(opts);
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, row->start);
	fprintf(out, "%-15s", address);
	if (width >= 56)
		fprintf(out, " %9s", format_bytes(row->to - row->from).s);
	fputs(" |", out);
	write_cells(heatmap, i, opts->color, out);
	fputc('|', out);
	if (name[0] != 0)
		fprintf(out, " %s", name);
	fputc('\n', out);
}

static void write_rows(const struct heatmap *heatmap, struct record_reader *reader, const struct report_opts *opts,
                       FILE *out)
{
	int columns = name_columns(report_width(opts));
	struct format_name last = { "" };

	for (size_t i = 0; i < heatmap->axis.nr_rows; i++) {
		const struct axis_row *row = &heatmap->axis.rows[i];
		const char *mapping = record_mapping_name(reader, heatmap->target->index, row->start, row->end,
		                                          heatmap->window.to_us);
		struct format_name name = format_mapping(mapping, columns);
		bool again = strcmp(name.s, last.s) == 0 && row->gap == 0;

		if (row->gap > 0)
			write_gap(heatmap, row->gap, report_width(opts) >= 56, out);
		write_row(heatmap, i, columns == 0 || again ? "" : name.s, opts, out);
		last = name;
	}
}

static const uint64_t steps_us[] = {
	1000,        2000,        5000,        10000,        20000,        50000,      100000,     200000,
	500000,      1000000,     2000000,     5000000,      10000000,     20000000,   30000000,   60000000,
	120000000,   300000000,   600000000,   1200000000,   1800000000,   3600000000, 7200000000, 10800000000,
	21600000000, 43200000000, 86400000000, 172800000000, 604800000000,
};

/* The distance of the marks: the smallest that leaves room for the text at each. */
static uint64_t choose_step(uint64_t span_us, size_t nr_columns)
{
	size_t nr = sizeof(steps_us) / sizeof(steps_us[0]);

	for (size_t i = 0; i < nr; i++) {
		if ((double)steps_us[i] / (double)span_us * (double)nr_columns >= 11)
			return steps_us[i];
	}
	return span_us > 0 ? span_us : 1;
}

/* "3 min 20 s", or "28.25 s" for marks that stand between seconds. */
static struct format_text mark(uint64_t at_us)
{
	struct format_text text;
	int length;

	if (at_us % 1000000 == 0)
		return format_duration(at_us);
	length = snprintf(text.s, sizeof(text.s), "%" PRIu64 ".%03" PRIu64, at_us / 1000000, at_us / 1000 % 1000);
	while (text.s[length - 1] == '0')
		length--;
	snprintf(text.s + length, sizeof(text.s) - (size_t)length, " s");
	return text;
}

static void write_time_axis(const struct heatmap *heatmap, bool sizes, FILE *out)
{
	uint64_t from = heatmap->window.from_us;
	uint64_t span = heatmap->window.to_us - from;
	uint64_t step = choose_step(span, heatmap->nr_columns);
	int indent = sizes ? LABEL_COLUMNS + 1 : LABEL_COLUMNS - 9;
	char line[400];
	char labels[400];
	size_t used = 0;

	memset(line, '-', heatmap->nr_columns);
	memset(labels, ' ', sizeof(labels));
	for (uint64_t at = (from + step - 1) / step * step; at < from + span; at += step) {
		size_t column = (size_t)((double)(at - from) / (double)span * (double)heatmap->nr_columns);
		struct format_text label = mark(at);
		size_t length = strlen(label.s);

		line[column] = '+';
		if (column >= used && column + length <= heatmap->nr_columns) {
			memcpy(labels + column, label.s, length);
			used = column + length + 1;
		}
	}
	line[heatmap->nr_columns] = 0;
	labels[used > 0 ? used - 1 : 0] = 0;
	fprintf(out, "%*s%s\n", indent, "", line);
	fprintf(out, "%*s%s\n", indent, "", labels);
}

static void write_legend(bool color, int width, FILE *out)
{
	static const char *const words[] = { [HEATMAP_COLD] = " cold",
		                             [HEATMAP_WARM + 2] = " warm",
		                             [HEATMAP_HOT + 2] = " hot" };

	for (int i = 0; i < HEATMAP_NR_LEVELS; i++) {
		write_cell(i, color, out);
		if (words[i] != NULL)
			fprintf(out, "%s%s%s", color ? "\x1b[0m" : "", words[i], width < 56 ? " " : "   ");
	}
	write_cell(HEATMAP_UNOBSERVABLE, color, out);
	fprintf(out, "%s%s", color ? "\x1b[0m" : "",
	        width < 72 ? " unobservable\n" : " unobservable   blank: not mapped then\n");
	format_wrapped(out, "hot: accessed in at least half of the checks; cold: seen, and never accessed", width);
}

static void write_title(const struct heatmap *heatmap, int width, FILE *out)
{
	uint64_t span = heatmap->window.to_us - heatmap->window.from_us;
	uint64_t total = heatmap->axis.before[heatmap->axis.nr_ranges];
	char sentence[800];

	snprintf(sentence, sizeof(sentence),
	         "%s (pid %" PRId64
	         "): how often its memory was accessed, %s in all, during %s from %s; a column is %s",
	         format_name(heatmap->target->name, 40).s, heatmap->target->pid, format_bytes(total).s,
	         format_duration(span).s, format_time(heatmap->info->started_unix_us + heatmap->window.from_us).s,
	         format_duration_short(span / heatmap->nr_columns).s);
	format_wrapped(out, sentence, width);
}

void heatmap_write_text(const struct heatmap *heatmap, struct record_reader *reader, const struct report_opts *opts,
                        FILE *out)
{
	int width = report_width(opts);

	if (heatmap->axis.nr_rows == 0) {
		fprintf(out, "%s (pid %" PRId64 "): was not watched in this time\n",
		        format_name(heatmap->target->name, 40).s, heatmap->target->pid);
		return;
	}
	write_title(heatmap, width, out);
	fputc('\n', out);
	write_rows(heatmap, reader, opts, out);
	write_time_axis(heatmap, width >= 56, out);
	write_legend(opts->color, width, out);
}
