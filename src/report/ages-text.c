/* SPDX-License-Identifier: MIT */
/* This file writes ages as a table of bands: few enough to read, each with its share and that of all older ones. */
#include <inttypes.h>

#include "report/ages.h"
#include "report/format.h"

#define LABEL_COLUMNS 20
#define TABLE_COLUMNS 48 /* of it and the numbers */

/* Ages in [least, below). */
struct band {
	uint64_t least_us;
	uint64_t below_us;
	const char *label;
};

static const struct band bands[] = {
	{ 0, 1, NULL },
	{ 1, 10000000, "up to 10 s ago" },
	{ 10000000, 60000000, "10 s to 1 min ago" },
	{ 60000000, 600000000, "1 min to 10 min ago" },
	{ 600000000, UINT64_C(3600000000), "10 min to 1 h ago" },
	{ UINT64_C(3600000000), UINT64_C(86400000000), "1 h to 1 day ago" },
	{ UINT64_C(86400000000), UINT64_MAX, "more than a day ago" },
};
#define NR_BANDS (sizeof(bands) / sizeof(bands[0]))

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

static void write_line(const char *label, uint64_t bytes, uint64_t longer, const struct ages_target *target, char mark,
                       int width, FILE *out)
{
	int bar = width - TABLE_COLUMNS - 4;

	fprintf(out, "%-*s %9s %7s", LABEL_COLUMNS, label, format_bytes(bytes).s,
	        format_percent(share(bytes, target->all_bytes)).s);
	if (bar >= 10) {
		int marked = (int)report_part((uint64_t)bar, bytes, target->all_bytes);

		/* What there is shows. */
		if (marked == 0 && bytes > 0)
			marked = 1;
		fprintf(out, " %9s  |", mark == '?' ? "" : format_percent(share(longer, target->all_bytes)).s);
		for (int i = 0; i < bar; i++)
			fputc(i < marked ? mark : ' ', out);
		fputc('|', out);
	}
	fputc('\n', out);
}

/* Sums what was accessed since watching began, and in *never what was not. */
static uint64_t sum_band(const struct ages *ages, const struct ages_target *target, const struct band *band,
                         uint64_t *never)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < target->ages.nr; i++) {
		const struct tide_age *age = &target->ages.items[i];

		if (age->idle_us < band->least_us || age->idle_us >= band->below_us)
			continue;
		if (ages_is_never(ages, age->idle_us))
			*never += age->bytes;
		else
			bytes += age->bytes;
	}
	return bytes;
}

static void write_table(const struct ages *ages, const struct ages_target *target, int width, FILE *out)
{
	uint64_t longer = target->all_bytes - target->unobservable_bytes;
	uint64_t never = 0;
	char label[64];

	fprintf(out, "%-*s %9s %7s%s\n", LABEL_COLUMNS, "last accessed", ages->exact ? "present" : "mapped", "share",
	        width - TABLE_COLUMNS - 4 >= 10 ? " or before" : "");
	snprintf(label, sizeof(label), "in the last %s", format_duration_short(ages->interval_us).s);
	for (size_t i = 0; i < NR_BANDS; i++) {
		uint64_t bytes = sum_band(ages, target, &bands[i], &never);

		/* Nothing is older than the record. */
		if (i < 2 || bands[i].least_us < ages->watched_us)
			write_line(i == 0 ? label : bands[i].label, bytes, longer, target, i == 0 ? '#' : '=', width,
			           out);
		longer -= bytes;
	}
	/* What samples did not find may have been accessed all the same. */
	snprintf(label, sizeof(label), "%s in %s", ages->exact ? "never" : "not seen",
	         format_duration_short(ages->watched_us).s);
	write_line(label, never, longer, target, '=', width, out);
	if (target->unobservable_bytes > 0)
		write_line("unobservable", target->unobservable_bytes, 0, target, '?', width, out);
}

static void write_headline(const struct ages *ages, const struct ages_target *target, int width, FILE *out)
{
	char sentence[800];

	if (ages->exact)
		snprintf(sentence, sizeof(sentence),
		         "%s (pid %" PRId64 "): when its memory was last accessed; %s present; exact: every page, each "
		         "%s, for %s",
		         format_name(target->target->name, 40).s, target->target->pid,
		         format_bytes(target->all_bytes).s, format_duration(ages->interval_us).s,
		         format_duration(ages->watched_us).s);
	else
		snprintf(sentence, sizeof(sentence),
		         "%s (pid %" PRId64 "): when its memory was last accessed; %s mapped; sampled, by regions: for "
		         "how long each has been as idle as now; watched for %s",
		         format_name(target->target->name, 40).s, target->target->pid,
		         format_bytes(target->all_bytes).s, format_duration(ages->watched_us).s);
	format_wrapped(out, sentence, width);
}

static void write_sentence(const struct ages *ages, const struct ages_target *target, int width, FILE *out)
{
	uint64_t threshold_us = ages_threshold_us(ages);
	uint64_t bytes = ages_idle_bytes(target, threshold_us);
	char sentence[800];

	snprintf(sentence, sizeof(sentence), "%s (%s) idle for at least %s: %s", format_bytes(bytes).s,
	         format_percent(share(bytes, target->all_bytes)).s,
	         threshold_us == 60000000 ? "60 s" : format_duration(threshold_us).s,
	         ages->exact ? "so much could be reclaimed"
	                     : "at most so much could be reclaimed, less if not all of it is present");
	format_wrapped(out, sentence, width);
}

void ages_write_text(const struct ages *ages, const struct ages_target *target, int width, FILE *out)
{
	if (target->all_bytes == 0) {
		fprintf(out, "%s (pid %" PRId64 "): was not watched any more at the end\n",
		        format_name(target->target->name, 40).s, target->target->pid);
		return;
	}
	write_headline(ages, target, width, out);
	fputc('\n', out);
	write_table(ages, target, width, out);
	fputc('\n', out);
	write_sentence(ages, target, width, out);
}
