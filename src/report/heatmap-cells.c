/* SPDX-License-Identifier: MIT */
/*
 * This file draws the cells of heatmaps as characters, and says what these mean. In colour the characters stay, so that
 * what is copied out of the terminal still says the same.
 */
#include <string.h>

#include "report/format.h"
#include "report/heatmap.h"

static const char glyphs[HEATMAP_NR_LEVELS + 1] = ".:-=*#@";
/* Dark to light, so that it also works for those who see no colours. */
static const uint8_t colors[HEATMAP_NR_LEVELS] = { 17, 54, 90, 126, 203, 215, 229 };
#define UNOBSERVABLE_COLOR 240

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
void heatmap_write_cells(const struct heatmap *heatmap, size_t row, bool color, FILE *out)
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

/* What a cell can be: the levels of its sample, and the word. */
struct legend_entry {
	int first;
	int last;
	const char *word;
};

static const struct legend_entry legend[] = {
	{ HEATMAP_COLD, HEATMAP_COLD, "cold" },  { HEATMAP_WARM, HEATMAP_WARM + 2, "warm" },
	{ HEATMAP_HOT, HEATMAP_HOT + 2, "hot" }, { HEATMAP_UNOBSERVABLE, HEATMAP_UNOBSERVABLE, "unobservable" },
	{ 0, -1, "blank: not mapped" },
};

void heatmap_write_legend(bool color, int width, FILE *out)
{
	int gap = width < 56 ? 1 : 3;
	int column = 0;

	for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
		const struct legend_entry *entry = &legend[i];
		int samples = entry->last - entry->first + 1;
		int length = samples + (samples > 0) + (int)strlen(entry->word);

		if (column > 0 && column + gap + length > width) {
			fputc('\n', out);
			column = 0;
		}
		if (column > 0)
			column += fprintf(out, "%*s", gap, "");
		for (int level = entry->first; level <= entry->last; level++)
			write_cell(level, color, out);
		fprintf(out, "%s%s%s", color && samples > 0 ? "\x1b[0m" : "", samples > 0 ? " " : "", entry->word);
		column += length;
	}
	fputc('\n', out);
	format_wrapped(out, "hot: accessed in at least half of the checks; cold: seen, and never accessed", width);
}
