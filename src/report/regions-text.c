/* SPDX-License-Identifier: MIT */
/*
 * This file writes regions as a table, hot ones first, neighbours that are alike in one row. A column that would say
 * nothing is left out. Sizes are of what is mapped: a region may span gaps that nobody uses.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "report/format.h"
#include "report/regions.h"

#define DEFAULT_TOP 20

struct columns {
	bool pid;
	bool accesses;
	bool writes;
	bool unobservable;
	int state;   /* width of the state word */
	int mapping; /* what is left for the name */
};

/* What is accessed in a check, on the average. */
static double used_bytes(const struct region_mean *mean)
{
	return mean->accesses * (double)mean->mapped_bytes;
}

/*
 * By what they are called, then by how much of them is used: else the few pages of a program's inner loops, accessed
 * all the time, would always come before its hot heap. Ties by address, so that the order is always the same.
 */
static int hottest_first(const void *a, const void *b)
{
	const struct region_mean *x = a;
	const struct region_mean *y = b;

	if (x->heat != y->heat)
		return x->heat > y->heat ? -1 : 1;
	if (used_bytes(x) != used_bytes(y))
		return used_bytes(x) > used_bytes(y) ? -1 : 1;
	if (x->mapped_bytes != y->mapped_bytes)
		return x->mapped_bytes > y->mapped_bytes ? -1 : 1;
	if (x->last.target != y->last.target)
		return x->last.target < y->last.target ? -1 : 1;
	return x->last.start < y->last.start ? -1 : 1;
}

static struct columns choose_columns(const struct regions *regions, size_t nr, struct record_reader *reader, int width)
{
	enum report_subject subject = report_subject(record_info(reader));
	const struct record_target *targets;
	struct columns columns = { .pid = record_targets(reader, &targets) > 1,
		                   .accesses = subject != REPORT_WRITES,
		                   .writes = subject != REPORT_ACCESSES,
		                   .state = 5 };

	for (size_t i = 0; i < nr; i++) {
		const struct region_mean *mean = &regions->items.items[i];

		columns.unobservable |= mean->unobservable_bytes > 0;
		if (mean->heat == HEAT_UNOBSERVABLE)
			columns.state = 12;
		else if (mean->heat == HEAT_UNMAPPED && columns.state < 8)
			columns.state = 8;
	}
	columns.mapping = width - 46 - columns.state - 9 * (columns.pid + columns.accesses + columns.unobservable) -
	                  8 * columns.writes;
	if (columns.mapping < 8)
		columns.mapping = 8;
	return columns;
}

static void write_head(const struct columns *columns, FILE *out)
{
	if (columns->pid)
		fprintf(out, "%7s  ", "pid");
	fprintf(out, "%-27s %9s", "address", "mapped");
	if (columns->accesses)
		fprintf(out, " %8s", "accessed");
	if (columns->writes)
		fprintf(out, " %7s", "written");
	fprintf(out, "  %-*s", columns->state, "state");
	fprintf(out, "%8s", "for");
	if (columns->unobservable)
		fprintf(out, " %8s", "unseen");
	fprintf(out, "  mapping\n");
}

static void write_row(const struct columns *columns, const struct region_mean *mean, int64_t pid, FILE *out)
{
	const struct tide_region *last = &mean->last;
	char range[40];

	snprintf(range, sizeof(range), "%" PRIx64 "-%" PRIx64, last->start, last->end);
	if (columns->pid)
		fprintf(out, "%7" PRId64 "  ", pid);
	fprintf(out, "%-27s %9s", range, format_bytes(mean->mapped_bytes).s);
	if (columns->accesses)
		fprintf(out, " %8s", format_percent(mean->accesses).s);
	if (columns->writes)
		fprintf(out, " %7s", mean->untold > 0.5 ? "?" : format_percent(mean->writes).s);
	fprintf(out, "  %-*s%8s", columns->state, heat_name(mean->heat), format_duration_short(mean->age_us).s);
	if (columns->unobservable)
		fprintf(out, " %8s", mean->unobservable_bytes > 0 ? format_bytes(mean->unobservable_bytes).s : "-");
	fprintf(out, "  %s\n",
	        mean->mapped_bytes > 0 ? format_mapping(mean->mapping, columns->mapping).s : "(not mapped)");
}

static void write_rest(const struct regions *regions, size_t shown, FILE *out)
{
	uint64_t bytes = 0;

	for (size_t i = shown; i < regions->items.nr; i++)
		bytes += regions->items.items[i].mapped_bytes;
	if (shown < regions->items.nr)
		fprintf(out, "and %s more, %s mapped, of which less is used, or which are colder\n",
		        format_count(regions->items.nr - shown).s, format_bytes(bytes).s);
}

void regions_write_text(struct regions *regions, struct record_reader *reader, const struct report_opts *opts,
                        FILE *out)
{
	const struct record_target *targets;
	size_t nr_targets = record_targets(reader, &targets);
	size_t nr = opts->top > 0 ? opts->top : DEFAULT_TOP;
	size_t nr_regions = regions->items.nr;
	struct columns columns;

	regions_join(regions);
	if (nr > regions->items.nr)
		nr = regions->items.nr;
	if (regions->items.nr > 0)
		qsort(regions->items.items, regions->items.nr, sizeof(regions->items.items[0]), hottest_first);
	columns = choose_columns(regions, nr, reader, report_width(opts));
	for (size_t i = 0; i < nr_targets; i++)
		fprintf(out, "%s%s (pid %" PRId64 ")", i > 0 ? ", " : "", format_name(targets[i].name, 40).s,
		        targets[i].pid);
	fprintf(out, ": %s regions", format_count(nr_regions).s);
	if (nr_regions > regions->items.nr)
		fprintf(out, " in %s rows", format_count(regions->items.nr).s);
	fprintf(out, ", %s first, means of the last %s\n\n", columns.accesses ? "hot ones" : "often written ones",
	        format_duration(regions->window.to_us - regions->window.from_us).s);
	write_head(&columns, out);
	for (size_t i = 0; i < nr; i++) {
		const struct tide_region *last = &regions->items.items[i].last;

		write_row(&columns, &regions->items.items[i], targets[last->target].pid, out);
	}
	write_rest(regions, nr, out);
}
