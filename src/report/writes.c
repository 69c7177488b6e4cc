/* SPDX-License-Identifier: MIT */
/* This file sums written runs up, by mapping, by epoch and in all, and has them printed. */
#include "report/writes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Programs that map and unmap all the time: beyond so many, those least written are forgotten by the summary. */
#define MAX_MAPPINGS 10000

static const struct format {
	int (*begin)(const struct writes *writes);
	int (*run)(const struct writes *writes, const struct tide_run *run, const char *mapping);
	int (*lost)(const struct writes *writes, uint64_t start, uint64_t end, const char *mapping);
	int (*epoch)(const struct writes *writes, const struct writes_verified *verified, bool blind_is_new);
	int (*end)(const struct writes *writes, const char *ended);
} formats[] = {
	{ writes_text_begin, writes_text_run, writes_text_lost, writes_text_epoch, writes_text_end },
	{ writes_json_begin, writes_json_run, writes_json_lost, writes_json_epoch, writes_json_end },
};

static const struct format *format_of(const struct writes *writes)
{
	return &formats[writes->opts.json];
}

/* The result of printing; what was printed is on its way at once. */
static int print(const struct writes *writes, int result, struct tide_error *err)
{
	if (result == -ENOMEM)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result < 0 || fflush(writes->out) != 0 || ferror(writes->out))
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the report could not be written");
	return 0;
}

int writes_begin(struct writes *writes, const struct writes_opts *opts, const struct tide_target *target, FILE *out,
                 struct tide_error *err)
{
	*writes = (struct writes){
		.opts = *opts,
		.out = out,
		.pid = tide_target_pid(target),
		.name = tide_target_name(target),
	};
	return print(writes, format_of(writes)->begin(writes), err);
}

static void free_mappings(writes_mapping_vec *mappings)
{
	for (size_t i = 0; i < mappings->nr; i++)
		free(mappings->items[i].name);
	mappings->nr = 0;
}

void writes_fini(struct writes *writes)
{
	free_mappings(&writes->mappings);
	free_mappings(&writes->all_mappings);
	vec_free(&writes->mappings);
	vec_free(&writes->all_mappings);
}

static void add_sum(struct writes_sum *sum, const struct writes_sum *other)
{
	sum->written_bytes += other->written_bytes;
	sum->over_bytes += other->over_bytes;
	sum->pinned_bytes += other->pinned_bytes;
}

static int compare(const struct writes_mapping *mapping, uint64_t start, const char *name)
{
	if (mapping->start != start)
		return mapping->start < start ? -1 : 1;
	return strcmp(mapping->name, name);
}

/* Adds to the mapping that begins at `start` and has this name. Runs come in ascending order: mostly it is the last. */
static int add(writes_mapping_vec *mappings, uint64_t start, uint64_t end, const char *name,
               const struct writes_sum *sum)
{
	struct writes_mapping new = { start, end, NULL, *sum };
	size_t low = 0;
	size_t high = mappings->nr;

	if (high > 0 && compare(&mappings->items[high - 1], start, name) <= 0)
		low = high - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&mappings->items[middle], start, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < mappings->nr && compare(&mappings->items[low], start, name) == 0) {
		add_sum(&mappings->items[low].sum, sum);
		mappings->items[low].end = end;
		return 0;
	}
	new.name = strdup(name);
	if (new.name == NULL || vec_reserve(mappings, mappings->nr + 1) < 0) {
		free(new.name);
		return -ENOMEM;
	}
	memmove(&mappings->items[low + 1], &mappings->items[low], (mappings->nr - low) * sizeof(new));
	mappings->items[low] = new;
	mappings->nr++;
	return 0;
}

/* A run, or the part of it that lies in one mapping (NULL: in none any more). */
static int add_run(struct writes *writes, const struct tide_mapping *mapping, const struct tide_run *run)
{
	uint64_t bytes = run->end - run->start;
	struct writes_sum sum = { .written_bytes = bytes };
	const char *name = mapping != NULL ? mapping->name : "(not mapped any more)";
	int result;

	if (run->certainty == TIDE_OVER)
		sum.over_bytes = bytes;
	else if (run->certainty == TIDE_PINNED)
		sum.pinned_bytes = bytes;
	if (run->why < TIDE_NR_WHYS)
		writes->whys[run->why] += bytes;
	result = add(&writes->mappings, mapping != NULL ? mapping->start : run->start,
	             mapping != NULL ? mapping->end : run->end, name, &sum);
	if (result == 0 && writes->opts.runs)
		result = format_of(writes)->run(writes, run, name);
	return result;
}

int writes_run(struct writes *writes, const struct tide_layout *layout, const struct tide_run *run,
               struct tide_error *err)
{
	struct tide_run part = *run;
	int result = 0;

	while (part.start < run->end && result == 0) {
		const struct tide_mapping *mapping = tide_layout_find(layout, part.start);

		part.end = mapping != NULL && mapping->end < run->end ? mapping->end : run->end;
		result = add_run(writes, mapping, &part);
		part.start = part.end;
	}
	if (result == -ENOMEM)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return result < 0 ? print(writes, result, err) : 0;
}

int writes_lost(struct writes *writes, const struct tide_layout *layout, const uint64_t *pages, size_t nr,
                struct tide_error *err)
{
	int result = 0;

	for (size_t i = 0; i < nr && result == 0;) {
		const struct tide_mapping *mapping = tide_layout_find(layout, pages[i]);
		uint64_t start = pages[i];
		uint64_t end = start;

		while (i < nr && pages[i] == end && (end == start || mapping == tide_layout_find(layout, end))) {
			end += 4096;
			i++;
		}
		result = format_of(writes)->lost(writes, start, end, mapping != NULL ? mapping->name : "");
	}
	return print(writes, result, err);
}

uint64_t writes_rate(uint64_t bytes, uint64_t us)
{
	return us > 0 ? (uint64_t)((double)bytes * 1e6 / (double)us + 0.5) : 0;
}

uint64_t writes_exact(const struct writes_sum *sum)
{
	return sum->written_bytes - sum->over_bytes - sum->pinned_bytes;
}

/* For certain, then by what is not. */
static int most_written_first(const void *a, const void *b, void *arg)
{
	const struct writes_mapping *x = (struct writes_mapping *)arg + *(const size_t *)a;
	const struct writes_mapping *y = (struct writes_mapping *)arg + *(const size_t *)b;

	if (writes_exact(&x->sum) != writes_exact(&y->sum))
		return writes_exact(&x->sum) > writes_exact(&y->sum) ? -1 : 1;
	if (x->sum.written_bytes != y->sum.written_bytes)
		return x->sum.written_bytes > y->sum.written_bytes ? -1 : 1;
	return x < y ? -1 : x > y;
}

size_t *writes_by_size(const writes_mapping_vec *mappings)
{
	size_t *order = calloc(mappings->nr + 1, sizeof(*order));

	if (order == NULL)
		return NULL;
	for (size_t i = 0; i < mappings->nr; i++)
		order[i] = i;
	qsort_r(order, mappings->nr, sizeof(*order), most_written_first, mappings->items);
	return order;
}

/* Keeps the half that is most written. */
static int forget_least(writes_mapping_vec *mappings)
{
	size_t *order = writes_by_size(mappings);
	size_t to = 0;

	if (order == NULL)
		return -ENOMEM;
	for (size_t i = mappings->nr / 2; i < mappings->nr; i++) {
		free(mappings->items[order[i]].name);
		mappings->items[order[i]].name = NULL;
	}
	for (size_t i = 0; i < mappings->nr; i++)
		if (mappings->items[i].name != NULL)
			mappings->items[to++] = mappings->items[i];
	mappings->nr = to;
	free(order);
	return 0;
}

/* Adds the epoch to the sum of all. */
static int add_epoch(struct writes *writes)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < writes->mappings.nr; i++) {
		const struct writes_mapping *mapping = &writes->mappings.items[i];

		if (writes->all_mappings.nr >= MAX_MAPPINGS)
			result = forget_least(&writes->all_mappings);
		if (result == 0)
			result = add(&writes->all_mappings, mapping->start, mapping->end, mapping->name, &mapping->sum);
		add_sum(&writes->all, &mapping->sum);
	}
	for (int i = 0; i < TIDE_NR_WHYS; i++)
		writes->all_whys[i] += writes->whys[i];
	return result;
}

int writes_epoch(struct writes *writes, const struct tide_epoch *epoch, uint64_t at_us,
                 const struct writes_verified *verified, struct tide_error *err)
{
	bool blind_is_new = (epoch->blind & ~writes->blind) != 0;
	uint64_t rate;
	int result;

	writes->length_us = at_us - writes->at_us;
	writes->at_us = at_us;
	writes->nr_epochs++;
	writes->nr_stops += epoch->stopped_ns > writes->last.stopped_ns;
	writes->last = *epoch;
	writes->blind |= epoch->blind;
	writes->cost_ns += epoch->cost_ns;
	if (epoch->cost_ns > writes->max_cost_ns)
		writes->max_cost_ns = epoch->cost_ns;
	rate = writes_rate(epoch->written_bytes - epoch->over_bytes - epoch->pinned_bytes, writes->length_us);
	/* An epoch that was cut short by an interrupt is too short for a rate, unless it is the only one. */
	if (rate > writes->max_rate && (writes->nr_epochs == 1 || writes->length_us >= writes->opts.interval_us / 2))
		writes->max_rate = rate;
	if (verified != NULL) {
		writes->verified.nr_pages += verified->nr_pages;
		writes->verified.nr_lost += verified->nr_lost;
		writes->verified.unreadable_bytes = verified->unreadable_bytes;
	}
	result = add_epoch(writes);
	if (result == 0)
		result = format_of(writes)->epoch(writes, verified, blind_is_new);
	free_mappings(&writes->mappings);
	memset(writes->whys, 0, sizeof(writes->whys));
	return print(writes, result, err);
}

int writes_end(struct writes *writes, const char *ended, struct tide_error *err)
{
	return print(writes, format_of(writes)->end(writes, ended), err);
}
