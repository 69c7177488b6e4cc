/* SPDX-License-Identifier: MIT */
/* This file decides which part of a record a report looks at, and what is called hot. */
#include "report/window.h"

#include <errno.h>

#include "base/error.h"

int report_window(struct report_window *out, struct record_reader *reader, const struct report_opts *opts,
                  uint64_t default_us, struct tide_error *err)
{
	const struct record_info *info = record_info(reader);
	uint64_t last_us = opts->last_us > 0 ? opts->last_us : default_us;
	struct format_text interval = format_duration(info->aggregation_us);

	if (info->nr_samples == 0 && info->complete)
		return error_set(err, TIDE_CAUSE_USAGE, -ENODATA,
		                 "the record is empty: the target ended before the first interval of %s was over, "
		                 "record for longer",
		                 interval.s);
	if (info->nr_samples == 0)
		return error_set(err, TIDE_CAUSE_CORRUPT, -ENODATA,
		                 "the record is empty: the recorder was stopped before it stored its first second");
	if (opts->writes && info->writes == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -ENODATA,
		                 "the record has no writes: make one with \"tidemark record --writes\"");
	out->to_us = info->duration_us;
	out->from_us = last_us < info->duration_us ? info->duration_us - last_us : 0;
	return 0;
}

struct format_text report_span(const struct report_window *window)
{
	uint64_t span = window->to_us - window->from_us;

	return format_duration(span < 10000000 ? span : (span + 500000) / 1000000 * 1000000);
}

int report_width(const struct report_opts *opts)
{
	int width = opts->width > 0 ? opts->width : 80;

	return width < 40 ? 40 : width > 300 ? 300 : width;
}

int report_end(struct record_reader *reader, FILE *out, struct tide_error *err)
{
	int result = record_error(reader, err);

	if (result < 0)
		return result;
	if (fflush(out) != 0 || ferror(out))
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the report could not be written");
	return 0;
}

uint64_t report_part(uint64_t bytes, uint64_t part, uint64_t whole)
{
	if (whole == 0 || part >= whole)
		return part == 0 ? 0 : bytes;
	return (uint64_t)((unsigned __int128)bytes * part / whole);
}

enum report_subject report_subject(const struct record_info *info)
{
	if (record_has_only_writes(info))
		return REPORT_WRITES;
	return info->writes != NULL ? REPORT_ACCESSES_AND_WRITES : REPORT_ACCESSES;
}

enum heat heat_of(double nr_accesses, double nr_unobservable, double nr_checks)
{
	if (nr_accesses * 2 >= nr_checks && nr_accesses > 0)
		return HEAT_HOT;
	if (nr_accesses > 0)
		return HEAT_WARM;
	return nr_unobservable * 2 > nr_checks ? HEAT_UNOBSERVABLE : HEAT_COLD;
}

const char *heat_name(enum heat heat)
{
	static const char *const names[] = {
		[HEAT_UNMAPPED] = "unmapped", [HEAT_UNOBSERVABLE] = "unobservable",
		[HEAT_COLD] = "cold",         [HEAT_WARM] = "warm",
		[HEAT_HOT] = "hot",
	};

	return names[heat];
}
