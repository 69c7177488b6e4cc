/* SPDX-License-Identifier: MIT */
/* This file computes heatmaps: one pass over the samples per target, each region shared out over the cells it overlaps.
 */
#include "report/heatmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "report/json.h"

#define DEFAULT_HEIGHT 20

/* What add_sample needs beside the map: the sample's columns, worked out once for all of its regions. */
struct painter {
	struct heatmap *heatmap;
	size_t first_column;
	size_t nr_columns;
	double *weights; /* time in each of them */
};

static double overlap(double a_start, double a_end, double b_start, double b_end)
{
	double start = a_start > b_start ? a_start : b_start;
	double end = a_end < b_end ? a_end : b_end;

	return end > start ? end - start : 0;
}

static size_t column_at(const struct heatmap *heatmap, double at_us)
{
	double span = (double)(heatmap->window.to_us - heatmap->window.from_us);
	double place = (at_us - (double)heatmap->window.from_us) / span * (double)heatmap->nr_columns;

	if (!(place > 0))
		return 0;
	return place < (double)heatmap->nr_columns ? (size_t)place : heatmap->nr_columns - 1;
}

static void find_columns(struct painter *painter, const struct record_sample *sample)
{
	const struct heatmap *heatmap = painter->heatmap;
	double start = (double)sample->start_us;
	double end = (double)sample->end_us;
	double step = (double)(heatmap->window.to_us - heatmap->window.from_us) / (double)heatmap->nr_columns;

	painter->first_column = column_at(heatmap, start);
	painter->nr_columns = column_at(heatmap, end) - painter->first_column + 1;
	for (size_t i = 0; i < painter->nr_columns; i++) {
		double from = (double)heatmap->window.from_us + step * (double)(painter->first_column + i);

		painter->weights[i] = overlap(start, end, from, from + step);
	}
}

/* The row that holds the squeezed place, sought from `row` on in either direction. */
static size_t row_at(const struct axis *axis, uint64_t place, size_t row)
{
	while (row > 0 && axis->rows[row].from > place)
		row--;
	while (row + 1 < axis->nr_rows && axis->rows[row].to <= place)
		row++;
	return row;
}

/* `shares` are those of one unit of bytes x time. */
static void paint(const struct painter *painter, size_t row, double bytes, const struct heatmap_cell *shares)
{
	struct heatmap *heatmap = painter->heatmap;
	struct heatmap_cell *cells = &heatmap->cells[row * heatmap->nr_columns + painter->first_column];

	for (size_t i = 0; i < painter->nr_columns; i++) {
		double weight = bytes * painter->weights[i];

		cells[i].all += weight;
		cells[i].accessed += weight * shares->accessed;
		cells[i].written += weight * shares->written;
		cells[i].unobservable += weight * shares->unobservable;
		cells[i].untold += weight * shares->untold;
	}
}

static int add_sample(void *arg, const struct record_sample *sample)
{
	struct painter *painter = arg;
	const struct axis *axis = &painter->heatmap->axis;
	double checks = (double)sample->nr_checks;
	size_t range = 0;
	size_t row = 0;

	find_columns(painter, sample);
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];
		const struct heatmap_cell shares = { .accessed = region->nr_accesses / checks,
			                             .written = region->nr_writes / checks,
			                             .unobservable = region->nr_unobservable / checks,
			                             .untold = region->nr_writes_unobservable / checks };
		uint64_t from;
		uint64_t to;

		if (region->target != painter->heatmap->target->index)
			continue;
		from = axis_squeeze(axis, region->start, &range);
		to = axis_squeeze(axis, region->end, &range);
		for (row = row_at(axis, from, row); from < to; row++) {
			uint64_t end = axis->rows[row].to < to ? axis->rows[row].to : to;

			paint(painter, row, (double)(end - from), &shares);
			from = end;
			if (from == to)
				break;
		}
	}
	return 0;
}

/* Where the accessed bit could not be seen and the write was, it was accessed all the same. */
static double seen_in(const struct heatmap_cell *cell)
{
	return cell->written > cell->accessed ? cell->written : cell->accessed;
}

static enum heatmap_kind kind_of(double written)
{
	return written < 0.25 ? HEATMAP_READ : written < 0.75 ? HEATMAP_BOTH : HEATMAP_WRITTEN;
}

/* Of what was seen to be accessed, the share that was written, if `more` was written besides what was seen to be. */
static double written_with(const struct heatmap_cell *cell, double more)
{
	double seen = seen_in(cell);
	double share = seen > 0 ? (cell->written + more) / seen : 0;

	return share < 1 ? share : 1;
}

double heatmap_written(const struct heatmap_cell *cell)
{
	return written_with(cell, 0);
}

enum heatmap_kind heatmap_kind(const struct heatmap *heatmap, const struct heatmap_cell *cell)
{
	enum heatmap_kind least = kind_of(written_with(cell, 0));

	if (report_subject(heatmap->info) != REPORT_ACCESSES_AND_WRITES)
		return HEATMAP_ACCESSED;
	return kind_of(written_with(cell, cell->untold)) == least ? least : HEATMAP_UNTOLD;
}

const char *heatmap_verb(const struct heatmap *heatmap)
{
	static const char *const verbs[] = { [REPORT_ACCESSES] = "accessed",
		                             [REPORT_ACCESSES_AND_WRITES] = "read and written",
		                             [REPORT_WRITES] = "written" };

	return verbs[report_subject(heatmap->info)];
}

double heatmap_rate(const struct heatmap_cell *cell)
{
	double answered = cell->all - cell->unobservable;
	double seen = seen_in(cell);
	double rate;

	if (!(cell->all > 0))
		return HEATMAP_NOTHING;
	/* The same rule as for regions: accesses that were seen count, silence that was not heard does not. */
	if (answered * 2 < cell->all && seen * 2 < cell->all)
		return HEATMAP_UNOBSERVABLE;
	rate = seen / (answered > 0 ? answered : cell->all);
	return rate > 0 ? rate < 1 ? rate : 1 : 0;
}

int heatmap_level(const struct heatmap_cell *cell)
{
	double rate = heatmap_rate(cell);

	if (!(rate > 0))
		return (int)rate; /* HEATMAP_COLD, or one of those that are no rate */
	if (rate < 0.5)
		return HEATMAP_WARM + (int)(rate * 6);
	return HEATMAP_HOT + (rate < 1 ? (int)((rate - 0.5) * 6) : 2);
}

static int compute(struct heatmap *heatmap, struct record_reader *reader, struct tide_error *err)
{
	scope_free double *weights = calloc(heatmap->nr_columns, sizeof(*weights));
	struct painter painter = { .heatmap = heatmap, .weights = weights };

	heatmap->cells = calloc(heatmap->axis.nr_rows * heatmap->nr_columns + 1, sizeof(*heatmap->cells));
	if (heatmap->cells == NULL || weights == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (heatmap->axis.nr_rows == 0)
		return 0;
	return record_for_each(reader, heatmap->window.from_us, heatmap->window.to_us, add_sample, &painter, err);
}

int heatmap_init(struct heatmap *heatmap, struct record_reader *reader, const struct axis_shape *shape,
                 struct tide_error *err)
{
	size_t nr_ranges = 0;
	int result = record_ranges(reader, heatmap->target->index, heatmap->window.from_us, heatmap->window.to_us,
	                           &heatmap->ranges, &nr_ranges, err);

	if (result == 0 && axis_init(&heatmap->axis, heatmap->ranges, nr_ranges, shape) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result == 0)
		result = compute(heatmap, reader, err);
	if (result == 0 && heatmap_ask_mappings(heatmap, reader) < 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return result;
}

void heatmap_fini(struct heatmap *heatmap)
{
	for (size_t i = 0; heatmap->names != NULL && i < heatmap->axis.nr_rows; i++)
		free(heatmap->names[i]);
	free(heatmap->names);
	axis_fini(&heatmap->axis);
	free(heatmap->cells);
	free(heatmap->ranges);
}

static int report_target(struct heatmap *heatmap, struct record_reader *reader, const struct report_opts *opts,
                         FILE *out, struct tide_error *err)
{
	size_t height = opts->height > 0 ? opts->height < 1000 ? (size_t)opts->height : 1000 : DEFAULT_HEIGHT;
	const struct axis_shape shape = { .height = height, .max_gaps = height / 3 };
	int result = heatmap_init(heatmap, reader, &shape, err);

	if (result == 0 && opts->json)
		result = heatmap_write_json(heatmap, out, err);
	else if (result == 0)
		heatmap_write_text(heatmap, opts, out);
	heatmap_fini(heatmap);
	return result;
}

int report_heatmap(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(reader);
	const struct record_target *targets;
	size_t nr_targets = record_targets(reader, &targets);
	struct report_window window;
	int result = report_window(&window, reader, opts, UINT64_MAX, err);

	if (result == 0 && opts->json)
		result = json_line(out, json_header("heatmap", info, window.from_us, window.to_us), err);
	for (size_t i = 0; i < nr_targets && result == 0; i++) {
		struct heatmap heatmap = {
			.info = info, .target = &targets[i], .window = window, .nr_columns = heatmap_columns(opts)
		};

		if (i > 0 && !opts->json)
			fputc('\n', out);
		result = report_target(&heatmap, reader, opts, out, err);
	}
	return result < 0 ? result : report_end(reader, out, err);
}
