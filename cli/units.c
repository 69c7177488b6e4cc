/* SPDX-License-Identifier: MIT */
/* This file reads and writes durations and sizes with their units. */
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* In microseconds. */
static const struct unit time_units[] = {
	{ "us", 1 },       { "µs", 1 },         { "ms", 1000 },      { "s", 1000000 },     { "sec", 1000000 },
	{ "m", 60000000 }, { "min", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 }, { NULL, 0 },
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "K", 1ull << 10 },
	{ "KiB", 1ull << 10 },
	{ "kB", 1000 },
	{ "M", 1ull << 20 },
	{ "MiB", 1ull << 20 },
	{ "MB", 1000000 },
	{ "G", 1ull << 30 },
	{ "GiB", 1ull << 30 },
	{ "GB", 1000000000 },
	{ "T", 1ull << 40 },
	{ "TiB", 1ull << 40 },
	{ "TB", 1000000000000 },
	{ NULL, 0 },
};

/* A decimal number as value / 10^decimals: exact, in any locale, and nothing like "inf", "0x10" or "1e9" gets in. */
struct decimal {
	uint64_t value;
	uint64_t scale;
};

/* Reads a number at `text`; returns where it ends, NULL when there is none or it has too many digits. */
static const char *read_decimal(const char *text, struct decimal *out)
{
	const char *at = text;
	size_t nr_digits = 0;
	int in_fraction = 0;

	*out = (struct decimal){ .scale = 1 };
	for (; (*at >= '0' && *at <= '9') || (*at == '.' && !in_fraction); at++) {
		if (*at == '.') {
			in_fraction = 1;
			continue;
		}
		if (++nr_digits > 18)
			return NULL;
		out->value = out->value * 10 + (uint64_t)(*at - '0');
		if (in_fraction)
			out->scale *= 10;
	}
	return nr_digits == 0 || at[-1] == '.' ? NULL : at;
}

static uint64_t find_factor(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++)
		if (strcmp(units->name, name) == 0)
			return units->factor;
	return 0;
}

int units_parse_duration(const char *text, uint64_t bare_us, uint64_t *out_us, struct tide_error *err)
{
	struct decimal number;
	const char *end = read_decimal(text, &number);
	unsigned __int128 us;
	uint64_t factor;

	if (end == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' is not a duration: write it like 5ms, 10s or 1.5m", text);
	if (*end == 0 && number.value == 0) {
		*out_us = 0;
		return 0;
	}
	if (*end == 0 && bare_us == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' lacks a unit: write %.20sms or %.20ss", text,
		                 text, text);
	factor = *end == 0 ? bare_us : find_factor(time_units, end);
	if (factor == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' has no unit of time that is known: use us, ms, s, m, h or d", text);
	us = (unsigned __int128)number.value * factor / number.scale;
	if (us == 0 && number.value != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is less than a microsecond", text);
	if (us > UNITS_MAX_DURATION_US)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is longer than a hundred years", text);
	*out_us = (uint64_t)us;
	return 0;
}

int units_parse_size(const char *text, uint64_t *out_bytes, struct tide_error *err)
{
	struct decimal number;
	const char *end = read_decimal(text, &number);
	unsigned __int128 bytes;
	uint64_t factor;

	if (end == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' is not a size: write it like 4096, 64KiB or 1.5GiB", text);
	factor = *end == 0 ? 1 : find_factor(size_units, end);
	if (factor == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' has no unit of size that is known: use B, KiB, MiB, GiB or TiB", text);
	bytes = (unsigned __int128)number.value * factor / number.scale;
	if (bytes > UINT64_MAX)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is more than a 64-bit number of bytes", text);
	*out_bytes = (uint64_t)bytes;
	return 0;
}

int units_parse_count(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out,
                      struct tide_error *err)
{
	struct decimal number;
	const char *end = read_decimal(text, &number);

	if (end == NULL || *end != 0 || number.scale != 1)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not %s: a whole number is wanted", text,
		                 what);
	if (number.value < min)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not %s: at least %llu is wanted", text,
		                 what, (unsigned long long)min);
	if (number.value > max)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not %s: at most %llu is wanted", text,
		                 what, (unsigned long long)max);
	*out = number.value;
	return 0;
}

const char *units_duration_text(char buf[UNITS_TEXT_SIZE], uint64_t us)
{
	uint64_t seconds = us / 1000000;

	if (us < 1000)
		snprintf(buf, UNITS_TEXT_SIZE, "%llu us", (unsigned long long)us);
	else if (us < 999500)
		snprintf(buf, UNITS_TEXT_SIZE, "%.3g ms", (double)us / 1e3);
	else if (seconds < 60)
		snprintf(buf, UNITS_TEXT_SIZE, "%.1f s", (double)us / 1e6);
	else if (seconds < 3600)
		snprintf(buf, UNITS_TEXT_SIZE, "%llu min %llu s", (unsigned long long)seconds / 60,
		         (unsigned long long)seconds % 60);
	else
		snprintf(buf, UNITS_TEXT_SIZE, "%llu h %llu min", (unsigned long long)seconds / 3600,
		         (unsigned long long)seconds % 3600 / 60);
	return buf;
}

const char *units_size_text(char buf[UNITS_TEXT_SIZE], uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(buf, UNITS_TEXT_SIZE, "%llu B", (unsigned long long)bytes);
		return buf;
	}
	while (value >= 1023.95 && unit + 1 < sizeof(names) / sizeof(names[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, UNITS_TEXT_SIZE, "%.1f %s", value, names[unit]);
	return buf;
}
