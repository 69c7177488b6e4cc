/* SPDX-License-Identifier: MIT */
/* A heatmap between its two halves: what is computed, and how it is written. */
#ifndef REPORT_HEATMAP_H
#define REPORT_HEATMAP_H

#include "report/axis.h"
#include "report/window.h"

/* Sums over what a cell covers, weighted by bytes x time. */
struct heatmap_cell {
	double all;          /* watched at all */
	double accessed;     /* of it, the share of checks that said so */
	double written;      /* likewise */
	double unobservable; /* of it, the share of checks that went unanswered */
	double untold;       /* likewise, as to writes */
};

struct heatmap {
	const struct record_info *info;
	const struct record_target *target;
	struct report_window window;
	struct axis axis;
	size_t nr_columns;
	struct tide_range *ranges;  /* what the axis is made of */
	struct heatmap_cell *cells; /* rows of columns */
	char **names;               /* of rows: the mapping that held most of it, "" when unnamed */
};

/*
 * Computes the map of `heatmap->target`; info, target, window and nr_columns are set. The axis has no rows when it was
 * never watched in the window. 0 or negative; heatmap_fini() in any case.
 */
int heatmap_init(struct heatmap *heatmap, struct record_reader *reader, const struct axis_shape *shape,
                 struct tide_error *err);
void heatmap_fini(struct heatmap *heatmap);

/* A cell in one number: what it is worth drawing as. */
enum heatmap_level {
	HEATMAP_NOTHING = -2,      /* not mapped, or not watched, then */
	HEATMAP_UNOBSERVABLE = -1, /* mostly; never cold */
	HEATMAP_COLD = 0,
	HEATMAP_WARM = 1, /* and 2, 3 */
	HEATMAP_HOT = 4,  /* and 5, 6 */
	HEATMAP_NR_LEVELS = 7
};
int heatmap_level(const struct heatmap_cell *cell);

/* The same, finer: the share of answered checks that found it accessed (or written, if that is more), in [0, 1]; or
 * NOTHING or UNOBSERVABLE. */
double heatmap_rate(const struct heatmap_cell *cell);

/* Of the checks that found it accessed, the share that found it written, in [0, 1]: at least so many. */
double heatmap_written(const struct heatmap_cell *cell);

/* The same in a word. A page that is written may be read as well: nobody can tell that it was not. */
enum heatmap_kind {
	HEATMAP_ACCESSED, /* of a record without writes */
	HEATMAP_READ,     /* less than a quarter */
	HEATMAP_BOTH,
	HEATMAP_WRITTEN, /* three quarters or more */
	HEATMAP_UNTOLD,  /* too many checks could not tell whether it was written, to say which */
};
enum heatmap_kind heatmap_kind(const struct heatmap *heatmap, const struct heatmap_cell *cell);

/* "accessed", "read and written" or "written": what the map shows of memory. */
const char *heatmap_verb(const struct heatmap *heatmap);

void heatmap_write_text(const struct heatmap *heatmap, const struct report_opts *opts, FILE *out);
int heatmap_write_json(const struct heatmap *heatmap, FILE *out, struct tide_error *err);

/* The part of `opts`' width that cells get. */
size_t heatmap_columns(const struct report_opts *opts);

/* heatmap-cells.c, for heatmap_write_text(): the cells of a row; what they mean, in lines of `width`. */
void heatmap_write_cells(const struct heatmap *heatmap, size_t row, bool color, FILE *out);
void heatmap_write_legend(const struct heatmap *heatmap, bool color, int width, FILE *out);

/*
 * heatmap-rows.c, for heatmap_init(): names the rows, and makes NOTHING of cells where nothing was mapped though a
 * region reached over them. 0 or -ENOMEM.
 */
int heatmap_ask_mappings(struct heatmap *heatmap, struct record_reader *reader);

#endif
