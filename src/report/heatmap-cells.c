/* SPDX-License-Identifier: MIT */
/*
 * This file draws the cells of heatmaps as characters, and says what these mean. In colour the characters stay, so that
 * what is copied out of the terminal still says the same.
 */
#include <string.h>

#include "report/format.h"
#include "report/heatmap.h"

/*
 * How each kind of cells looks, from cold to hot. Dark to light, so that it also works for those who see no colours;
 * what is read is blue and what is written orange, which the red-green blind tell apart. Beside the points and strokes
 * of what is read, letters stand out without colour too.
 */
struct look {
	char glyphs[HEATMAP_NR_LEVELS + 1];
	uint8_t colors[HEATMAP_NR_LEVELS];
	uint8_t ink; /* of what is not hot */
};

static const struct look looks[] = {
	[HEATMAP_ACCESSED] = { ".:-=*#@", { 17, 54, 90, 126, 203, 215, 229 }, 250 },
	[HEATMAP_READ] = { ".:-=*#@", { 236, 18, 25, 32, 75, 117, 153 }, 255 },
	[HEATMAP_BOTH] = { ".bbbBBB", { 236, 53, 89, 125, 168, 175, 218 }, 255 },
	[HEATMAP_WRITTEN] = { ".wwwWWW", { 236, 94, 130, 166, 208, 214, 222 }, 255 },
	[HEATMAP_UNTOLD] = { ".aaaAAA", { 236, 238, 240, 243, 246, 249, 252 }, 255 },
};
#define UNOBSERVABLE_COLOR 240
#define UNOBSERVABLE_INK   250
#define HOT_INK            16

static void write_cell(enum heatmap_kind kind, int level, bool color, FILE *out)
{
	const struct look *look = &looks[kind];
	char glyph = level >= 0 ? look->glyphs[level] : level == HEATMAP_UNOBSERVABLE ? '?' : ' ';

	if (color && level >= 0)
		fprintf(out, "\x1b[48;5;%d;38;5;%dm%c", look->colors[level], level >= HEATMAP_HOT ? HOT_INK : look->ink,
		        glyph);
	else if (color && level == HEATMAP_UNOBSERVABLE)
		fprintf(out, "\x1b[48;5;%d;38;5;%dm%c", UNOBSERVABLE_COLOR, UNOBSERVABLE_INK, glyph);
	else
		fprintf(out, color ? "\x1b[0m%c" : "%c", glyph);
}

/* Runs of the same colour are written with one escape sequence. */
void heatmap_write_cells(const struct heatmap *heatmap, size_t row, bool color, FILE *out)
{
	enum heatmap_kind last_kind = HEATMAP_ACCESSED;
	int last = HEATMAP_NOTHING;

	for (size_t i = 0; i < heatmap->nr_columns; i++) {
		const struct heatmap_cell *cell = &heatmap->cells[row * heatmap->nr_columns + i];
		enum heatmap_kind kind = heatmap_kind(heatmap, cell);
		int level = heatmap_level(cell);

		write_cell(kind, level, color && (level != last || kind != last_kind), out);
		last = level;
		last_kind = kind;
	}
	if (color && last != HEATMAP_NOTHING)
		fputs("\x1b[0m", out);
}

/* What a cell can be: the levels of its sample, and the word. */
struct legend_entry {
	enum heatmap_kind kind;
	int first;
	int last;
	const char *word;
};

struct legend {
	struct legend_entry entries[8]; /* ended by one without a word */
	const char *sentence;
};

#define SAME_IN_ALL                                                                                                    \
	{ HEATMAP_ACCESSED, HEATMAP_UNOBSERVABLE, HEATMAP_UNOBSERVABLE, "unobservable" },                              \
	{                                                                                                              \
		HEATMAP_ACCESSED, 0, -1, "blank: not mapped"                                                           \
	}
#define ACCESSED_ENTRIES                                                                                               \
	{ HEATMAP_ACCESSED, HEATMAP_COLD, HEATMAP_COLD, "cold" },                                                      \
	        { HEATMAP_ACCESSED, HEATMAP_WARM, HEATMAP_WARM + 2, "warm" },                                          \
	        { HEATMAP_ACCESSED, HEATMAP_HOT, HEATMAP_HOT + 2, "hot" }, SAME_IN_ALL

static const struct legend legends[] = {
	[REPORT_ACCESSES] = { { ACCESSED_ENTRIES },
	                      "hot: accessed in at least half of the checks; cold: seen, and never accessed" },
	[REPORT_WRITES] = { { ACCESSED_ENTRIES },
	                    "hot: written in at least half of the checks; cold: seen, and never written" },
	[REPORT_ACCESSES_AND_WRITES] = { { { HEATMAP_READ, HEATMAP_COLD, HEATMAP_COLD, "cold" },
	                                   { HEATMAP_READ, HEATMAP_WARM, HEATMAP_HOT + 2, "read" },
	                                   { HEATMAP_BOTH, HEATMAP_WARM, HEATMAP_HOT + 2, "both" },
	                                   { HEATMAP_WRITTEN, HEATMAP_WARM, HEATMAP_HOT + 2, "written" },
	                                   { HEATMAP_UNTOLD, HEATMAP_WARM, HEATMAP_HOT + 2, "unsure" },
	                                   SAME_IN_ALL },
	                                 "hot (*#@BWA): accessed in at least half of the checks; cold: seen, and never "
	                                 "accessed; read: under a quarter of the accesses wrote; written: three "
	                                 "quarters or more; unsure: accessed, but too little is known of the writes" },
};

void heatmap_write_legend(const struct heatmap *heatmap, bool color, int width, FILE *out)
{
	const struct legend *legend = &legends[report_subject(heatmap->info)];
	int gap = width < 56 ? 1 : 3;
	int column = 0;

	for (const struct legend_entry *entry = legend->entries; entry->word != NULL; entry++) {
		int samples = entry->last - entry->first + 1;
		int length = samples + (samples > 0) + (int)strlen(entry->word);

		if (column > 0 && column + gap + length > width) {
			fputc('\n', out);
			column = 0;
		}
		if (column > 0)
			column += fprintf(out, "%*s", gap, "");
		for (int level = entry->first; level <= entry->last; level++)
			write_cell(entry->kind, level, color, out);
		fprintf(out, "%s%s%s", color && samples > 0 ? "\x1b[0m" : "", samples > 0 ? " " : "", entry->word);
		column += length;
	}
	fputc('\n', out);
	format_wrapped(out, legend->sentence, width);
}
