/* SPDX-License-Identifier: MIT */
/* This file writes what was written as JSON: runs, then their epoch; at the end a summary. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "report/json.h"
#include "report/writes.h"

static int line(const struct writes *writes, json_t *object)
{
	if (object == NULL)
		return -ENOMEM;
	return json_line(writes->out, object, NULL);
}

int writes_json_begin(const struct writes *writes)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return line(writes,
	            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s*, s:i, s:b}", "schema", "tidemark/1",
	                      "report", "watch", "version", json_text(writes->opts.version), "pid",
	                      json_number((uint64_t)writes->pid), "name", json_text(writes->name), "started_unix_us",
	                      json_number((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000), "interval_us",
	                      json_number(writes->opts.interval_us), "pins", writes->opts.pins, "backend",
	                      writes->opts.backend, "page_bytes", 4096, "verify", writes->opts.verified));
}

int writes_json_run(const struct writes *writes, const struct tide_run *run, const char *mapping)
{
	return line(writes, json_pack("{s:o, s:o, s:s, s:s, s:o}", "start", json_address(run->start), "end",
	                              json_address(run->end), "certainty",
	                              tide_certainty_name((enum tide_certainty)run->certainty), "why",
	                              tide_why_name((enum tide_why)run->why), "mapping", json_text(mapping)));
}

int writes_json_lost(const struct writes *writes, uint64_t start, uint64_t end, const char *mapping)
{
	return line(writes, json_pack("{s:{s:o, s:o, s:o}}", "lost_write", "start", json_address(start), "end",
	                              json_address(end), "mapping", json_text(mapping)));
}

static json_t *blind_names(uint32_t blind)
{
	json_t *names = json_array();

	for (unsigned bit = 1; bit != 0; bit <<= 1)
		if ((blind & bit) != 0 && tide_blind_name(bit) != NULL)
			json_array_append_new(names, json_string(tide_blind_name(bit)));
	return names;
}

/* {"new":4096}: those with bytes only. */
static json_t *why_bytes(const uint64_t whys[TIDE_NR_WHYS])
{
	json_t *object = json_object();

	for (int i = TIDE_WHY_NONE + 1; i < TIDE_NR_WHYS; i++)
		if (whys[i] > 0)
			json_object_set_new(object, tide_why_name((enum tide_why)i), json_number(whys[i]));
	return object;
}

static json_t *mapping_object(const struct writes_mapping *mapping)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "mapping", json_text(mapping->name), "start",
	                 json_address(mapping->start), "end", json_address(mapping->end), "written_bytes",
	                 json_number(mapping->sum.written_bytes), "over_bytes", json_number(mapping->sum.over_bytes),
	                 "pinned_bytes", json_number(mapping->sum.pinned_bytes));
}

/* Most written first; at most `top` (0: all). */
static json_t *mapping_objects(const writes_mapping_vec *mappings, size_t top)
{
	size_t *order = writes_by_size(mappings);
	json_t *array = json_array();

	for (size_t i = 0; order != NULL && i < mappings->nr && (top == 0 || i < top); i++)
		json_array_append_new(array, mapping_object(&mappings->items[order[i]]));
	free(order);
	return array;
}

static void add_counts(json_t *object, const struct writes_sum *sum, uint64_t us)
{
	json_object_set_new(object, "written_bytes", json_number(sum->written_bytes));
	json_object_set_new(object, "over_bytes", json_number(sum->over_bytes));
	json_object_set_new(object, "pinned_bytes", json_number(sum->pinned_bytes));
	json_object_set_new(object, "exact_bytes", json_number(writes_exact(sum)));
	json_object_set_new(object, "exact_bytes_per_s", json_number(writes_rate(writes_exact(sum), us)));
}

static void add_verified(json_t *object, const struct writes_verified *verified)
{
	json_object_set_new(object, "verified_pages", json_number(verified->nr_pages));
	json_object_set_new(object, "lost_pages", json_number(verified->nr_lost));
	json_object_set_new(object, "unreadable_bytes", json_number(verified->unreadable_bytes));
}

/* What the tracker did to the target since the beginning. */
static void add_effects(json_t *object, const struct tide_epoch *epoch)
{
	json_object_set_new(object, "huge_lost_bytes", json_number(epoch->huge_lost_bytes));
	json_object_set_new(object, "table_bytes", json_number(epoch->table_bytes));
	json_object_set_new(object, "stopped_us", json_number(epoch->stopped_ns / 1000));
	json_object_set_new(object, "listed_bytes", json_number(epoch->listed_bytes));
	json_object_set_new(object, "faults", json_number(epoch->nr_faults));
	json_object_set_new(object, "max_stall_us", json_number(epoch->longest_stall_ns / 1000));
	json_object_set_new(object, "throttled_us", json_number(epoch->throttled_ns / 1000));
}

int writes_json_epoch(const struct writes *writes, const struct writes_verified *verified, bool blind_is_new)
{
	const struct tide_epoch *epoch = &writes->last;
	struct writes_sum sum = { epoch->written_bytes, epoch->over_bytes, epoch->pinned_bytes };
	json_t *object = json_pack("{s:o, s:o, s:o}", "epoch", json_number(epoch->number), "at_us",
	                           json_number(writes->at_us), "length_us", json_number(writes->length_us));

	add_counts(object, &sum, writes->length_us);
	json_object_set_new(object, "why_bytes", why_bytes(writes->whys));
	json_object_set_new(object, "blind", blind_names(epoch->blind));
	json_object_set_new(object, "cost_us", json_number(epoch->cost_ns / 1000));
	json_object_set_new(object, "nr_calls", json_number(epoch->nr_calls));
	json_object_set_new(object, "nr_looked", json_number(epoch->nr_looked));
	json_object_set_new(object, "nr_mappings", json_number(epoch->nr_mappings));
	json_object_set_new(object, "watched_bytes", json_number(epoch->watched_bytes));
	json_object_set_new(object, "armed_bytes", json_number(epoch->armed_bytes));
	add_effects(object, epoch);
	if (verified != NULL)
		add_verified(object, verified);
	json_object_set_new(object, "mappings", mapping_objects(&writes->mappings, writes->opts.top));
	return line(writes, object);
}

int writes_json_end(const struct writes *writes, const char *ended)
{
	json_t *object = json_pack("{s:s, s:o, s:o}", "ended", ended, "nr_epochs", json_number(writes->nr_epochs),
	                           "length_us", json_number(writes->at_us));

	add_counts(object, &writes->all, writes->at_us);
	json_object_set_new(object, "max_exact_bytes_per_s", json_number(writes->max_rate));
	json_object_set_new(object, "why_bytes", why_bytes(writes->all_whys));
	json_object_set_new(object, "blind", blind_names(writes->blind));
	json_object_set_new(object, "cost_us", json_number(writes->cost_ns / 1000));
	json_object_set_new(object, "max_cost_us", json_number(writes->max_cost_ns / 1000));
	add_effects(object, &writes->last);
	if (writes->opts.verified)
		add_verified(object, &writes->verified);
	json_object_set_new(object, "mappings", mapping_objects(&writes->all_mappings, writes->opts.top));
	return line(writes, json_pack("{s:o}", "summary", object));
}
