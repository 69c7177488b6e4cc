/* SPDX-License-Identifier: MIT */
/*
 * This file reports for how long memory has been idle, as of the end of a record. Exact mode recorded just that.
 * Otherwise the ages of the regions say it: one whose checks all said "not accessed" has been about as idle for its
 * age. There the sums are of what is mapped: nobody knows which pages of a region are present.
 */
#include "report/ages.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/json.h"

static int by_age(const void *a, const void *b)
{
	const struct tide_age *x = a;
	const struct tide_age *y = b;

	return x->idle_us < y->idle_us ? -1 : x->idle_us > y->idle_us;
}

/* Puts ages in order, each once. */
static void settle(struct ages_target *target)
{
	size_t nr = 0;

	if (target->ages.nr > 0)
		qsort(target->ages.items, target->ages.nr, sizeof(target->ages.items[0]), by_age);
	for (size_t i = 0; i < target->ages.nr; i++) {
		const struct tide_age *age = &target->ages.items[i];

		if (nr > 0 && target->ages.items[nr - 1].idle_us == age->idle_us)
			target->ages.items[nr - 1].bytes += age->bytes;
		else
			target->ages.items[nr++] = *age;
	}
	target->ages.nr = nr;
}

static int take_exact(struct ages_target *target, const struct tide_idle *idle)
{
	target->all_bytes = idle->present_bytes;
	target->accessed_bytes = idle->accessed_bytes;
	target->unobservable_bytes = idle->unobservable_bytes;
	for (size_t i = 0; i < idle->nr_ages; i++) {
		if (vec_push(&target->ages, idle->ages[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What was not seen has no age; where most was not, and nothing was accessed, nothing has. */
static int take_region(struct ages *ages, const struct record_sample *sample, const struct tide_region *region)
{
	struct ages_target *target = &ages->targets[region->target];
	uint64_t mapped = record_mapped_bytes(ages->reader, region->target, region->start, region->end, sample->end_us);
	uint64_t unseen = report_part(mapped, region->nr_unobservable, sample->nr_checks);
	uint64_t age = region->age > 0 ? region->age : 1;
	struct tide_age item = { 0 };

	if (heat_of(region->nr_accesses, region->nr_unobservable, sample->nr_checks) == HEAT_UNOBSERVABLE)
		unseen = mapped;
	if (region->nr_accesses == 0)
		item.idle_us = age * record_info(ages->reader)->aggregation_us;
	if (item.idle_us > ages->watched_us)
		item.idle_us = ages->watched_us;
	item.bytes = mapped - unseen;
	target->all_bytes += mapped;
	target->unobservable_bytes += unseen;
	if (region->nr_accesses > 0)
		target->accessed_bytes += item.bytes;
	return item.bytes > 0 && vec_push(&target->ages, item) < 0 ? -ENOMEM : 0;
}

static int take_sample(void *arg, const struct record_sample *sample)
{
	struct ages *ages = arg;
	int result = 0;

	ages->watched_us = sample->end_us;
	ages->interval_us = sample->end_us - sample->start_us;
	for (size_t i = 0; i < ages->nr_targets; i++) {
		struct ages_target *target = &ages->targets[i];

		target->ages.nr = 0;
		target->all_bytes = target->accessed_bytes = target->unobservable_bytes = 0;
		if (ages->exact && result == 0)
			result = take_exact(target, &sample->idle[i]);
	}
	for (size_t i = 0; !ages->exact && i < sample->nr_regions && result == 0; i++)
		result = take_region(ages, sample, &sample->regions[i]);
	for (size_t i = 0; i < ages->nr_targets; i++)
		settle(&ages->targets[i]);
	return result;
}

uint64_t ages_idle_bytes(const struct ages_target *target, uint64_t least_us)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < target->ages.nr; i++)
		bytes += target->ages.items[i].idle_us >= least_us ? target->ages.items[i].bytes : 0;
	return bytes;
}

uint64_t ages_threshold_us(const struct ages *ages)
{
	const uint64_t wanted[] = { 60000000, 10000000, 1000000 };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (ages->watched_us >= wanted[i])
			return wanted[i];
	}
	return ages->watched_us;
}

bool ages_is_never(const struct ages *ages, uint64_t idle_us)
{
	/* A region's age counts from the end of its first interval; a page's age is measured. */
	uint64_t slack = ages->exact ? ages->interval_us / 2 : ages->interval_us + ages->interval_us / 2;

	return idle_us > 0 && idle_us + slack >= ages->watched_us;
}

static double seconds(uint64_t us)
{
	return (double)us / 1000000;
}

static int write_json(const struct ages *ages, const struct ages_target *target, FILE *out, struct tide_error *err)
{
	json_int_t pid = target->target->pid;
	uint64_t threshold_us = ages_threshold_us(ages);
	int result = 0;

	for (size_t i = 0; i < target->ages.nr && result == 0; i++) {
		const struct tide_age *age = &target->ages.items[i];

		result = json_line(out,
		                   json_pack("{s:o, s:o, s:i, s:I}", "idle_s", json_share(seconds(age->idle_us)),
		                             "bytes", json_number(age->bytes), "target", (int)target->target->index,
		                             "pid", pid),
		                   err);
	}
	if (result < 0)
		return result;
	return json_line(
	        out,
	        json_pack("{s:b, s:i, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "summary", 1, "target",
	                  (int)target->target->index, "pid", pid, "name", json_text(target->target->name), "exact",
	                  ages->exact, ages->exact ? "present_bytes" : "mapped_bytes", json_number(target->all_bytes),
	                  "accessed_bytes", json_number(target->accessed_bytes), "unobservable_bytes",
	                  json_number(target->unobservable_bytes), "watched_s", json_share(seconds(ages->watched_us)),
	                  "idle_least_s", json_share(seconds(threshold_us)), "idle_bytes",
	                  json_number(ages_idle_bytes(target, threshold_us))),
	        err);
}

static int write_all(const struct ages *ages, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	int result = 0;

	if (opts->json)
		result = json_line(
		        out, json_header("ages", record_info(ages->reader), ages->window.from_us, ages->window.to_us),
		        err);
	for (size_t i = 0; i < ages->nr_targets && result == 0; i++) {
		if (opts->json) {
			result = write_json(ages, &ages->targets[i], out, err);
		} else {
			if (i > 0)
				fputc('\n', out);
			ages_write_text(ages, &ages->targets[i], report_width(opts), out);
		}
	}
	return result;
}

int report_ages(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	struct ages ages = { .reader = reader, .exact = record_info(reader)->exact != 0 };
	const struct record_target *targets;
	int result = report_window(&ages.window, reader, opts, UINT64_MAX, err);

	if (result == 0 && report_subject(record_info(reader)) == REPORT_WRITES)
		return error_set(
		        err, TIDE_CAUSE_USAGE, -ENODATA,
		        "the record has nothing but writes, and what is not written may be read: record accesses "
		        "too, with --writes instead of --sensor %.20s",
		        record_info(reader)->sensor);
	if (result < 0)
		return result;
	ages.nr_targets = record_targets(reader, &targets);
	ages.targets = calloc(ages.nr_targets + 1, sizeof(*ages.targets));
	if (ages.targets == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ages.nr_targets; i++)
		ages.targets[i].target = &targets[i];
	result = record_for_each(reader, ages.window.to_us - 1, ages.window.to_us, take_sample, &ages, err);
	if (result == -ENOMEM)
		error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result == 0)
		result = write_all(&ages, opts, out, err);
	for (size_t i = 0; i < ages.nr_targets; i++)
		vec_free(&ages.targets[i].ages);
	free(ages.targets);
	return result < 0 ? result : report_end(reader, out, err);
}
