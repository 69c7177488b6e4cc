/* SPDX-License-Identifier: MIT */
/* This file turns numbers and names into text for people. */
#include "report/format.h"

#include <string.h>
#include <time.h>

const char *format_byte_unit(double *value, double limit)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	while (*value >= limit && unit + 1 < sizeof(units) / sizeof(units[0])) {
		*value /= 1024;
		unit++;
	}
	return units[unit];
}

struct format_text format_bytes(uint64_t bytes)
{
	struct format_text text;
	double value = (double)bytes;
	/* 1023.6 would be written as 1024, which is one of the next unit. */
	const char *unit = format_byte_unit(&value, 1023.5);

	/* What rounds to a whole number is written as one. */
	if (value >= 9.95 || value - (double)(uint64_t)value < 0.05 || value - (double)(uint64_t)value >= 0.95)
		snprintf(text.s, sizeof(text.s), "%.0f %s", value, unit);
	else
		snprintf(text.s, sizeof(text.s), "%.1f %s", value, unit);
	return text;
}

struct unit {
	const char *name;
	uint64_t us;
};

static const struct unit time_units[] = {
	{ "d", UINT64_C(86400000000) },
	{ "h", UINT64_C(3600000000) },
	{ "min", UINT64_C(60000000) },
	{ "s", 1000000 },
	{ "ms", 1000 },
	{ "us", 1 },
};

/* The largest unit that `us` has one of. */
static size_t find_unit(uint64_t us)
{
	size_t i = 0;

	while (i < 5 && us < time_units[i].us)
		i++;
	return i;
}

static struct format_text decimal(uint64_t us, const struct unit *unit)
{
	struct format_text text;
	uint64_t tenths = us / (unit->us / 10 > 0 ? unit->us / 10 : 1);

	if (unit->us == 1 || us >= 10 * unit->us || tenths % 10 == 0)
		snprintf(text.s, sizeof(text.s), "%llu %s", (unsigned long long)(us / unit->us), unit->name);
	else
		snprintf(text.s, sizeof(text.s), "%llu.%llu %s", (unsigned long long)(tenths / 10),
		         (unsigned long long)(tenths % 10), unit->name);
	return text;
}

struct format_text format_duration_short(uint64_t us)
{
	if (us == 0)
		return (struct format_text){ "0 s" };
	return decimal(us, &time_units[find_unit(us)]);
}

struct format_text format_duration(uint64_t us)
{
	size_t i = find_unit(us);
	struct format_text text;
	uint64_t rest;

	if (i > 2)
		return format_duration_short(us);
	rest = us % time_units[i].us / time_units[i + 1].us;
	if (rest == 0)
		snprintf(text.s, sizeof(text.s), "%llu %s", (unsigned long long)(us / time_units[i].us),
		         time_units[i].name);
	else
		snprintf(text.s, sizeof(text.s), "%llu %s %llu %s", (unsigned long long)(us / time_units[i].us),
		         time_units[i].name, (unsigned long long)rest, time_units[i + 1].name);
	return text;
}

struct format_text format_percent(double share)
{
	struct format_text text;
	double percent = share * 100;

	if (percent <= 0)
		snprintf(text.s, sizeof(text.s), "0 %%");
	else if (percent < 0.1)
		snprintf(text.s, sizeof(text.s), "<0.1 %%");
	else if (percent >= 100)
		snprintf(text.s, sizeof(text.s), "100 %%");
	else if (percent >= 99.5)
		snprintf(text.s, sizeof(text.s), percent < 99.9 ? "%.1f %%" : ">99.9 %%", percent);
	else
		snprintf(text.s, sizeof(text.s), percent < 9.95 ? "%.1f %%" : "%.0f %%", percent);
	return text;
}

struct format_text format_count(uint64_t number)
{
	struct format_text text;
	char digits[24];
	int nr = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	char *to = text.s;

	for (int i = 0; i < nr; i++) {
		if (i > 0 && (nr - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = 0;
	return text;
}

struct format_text format_time(uint64_t unix_us)
{
	struct format_text text = { "" };
	time_t seconds = (time_t)(unix_us / 1000000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(text.s, sizeof(text.s), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		text.s[0] = 0;
	return text;
}

void format_wrapped(FILE *out, const char *text, int width)
{
	int column = 0;

	while (*text != 0) {
		int word = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + word > width) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column > 0 ? " " : "", word, text);
		text += word;
		text += *text == ' ';
	}
	fputc('\n', out);
}
