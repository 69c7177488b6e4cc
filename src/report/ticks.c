/* SPDX-License-Identifier: MIT */
/* This file chooses the marks of axes: times that clocks have, sizes that are powers of two. */
#include "report/ticks.h"

#include <inttypes.h>
#include <stddef.h>

static const uint64_t steps_us[] = {
	1000,        2000,        5000,        10000,        20000,        50000,      100000,     200000,
	500000,      1000000,     2000000,     5000000,      10000000,     20000000,   30000000,   60000000,
	120000000,   300000000,   600000000,   1200000000,   1800000000,   3600000000, 7200000000, 10800000000,
	21600000000, 43200000000, 86400000000, 172800000000, 604800000000,
};

uint64_t ticks_time_step(uint64_t least_us)
{
	size_t nr = sizeof(steps_us) / sizeof(steps_us[0]);
	uint64_t step;

	for (size_t i = 0; i < nr; i++)
		if (steps_us[i] >= least_us)
			return steps_us[i];
	for (step = steps_us[nr - 1]; step < least_us && step <= UINT64_MAX / 2;)
		step *= 2;
	return step;
}

uint64_t ticks_first(uint64_t at, uint64_t step)
{
	return at % step == 0 ? at : at - at % step + step;
}

/* Every unit that is not zero, so that no two marks are written alike. */
static struct format_text whole_seconds(uint64_t seconds)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
	struct format_text text = { "0 s" };
	size_t length = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t nr = seconds / units[i].seconds;

		seconds %= units[i].seconds;
		if (nr > 0)
			length += (size_t)snprintf(text.s + length, sizeof(text.s) - length, "%s%" PRIu64 " %s",
			                           length > 0 ? " " : "", nr, units[i].name);
	}
	return text;
}

struct format_text ticks_time(uint64_t at_us)
{
	struct format_text text;
	int length;

	if (at_us % 1000000 == 0)
		return whole_seconds(at_us / 1000000);
	length = snprintf(text.s, sizeof(text.s), "%" PRIu64 ".%03" PRIu64, at_us / 1000000, at_us / 1000 % 1000);
	while (text.s[length - 1] == '0')
		length--;
	if (text.s[length - 1] == '.')
		length--; /* less than a millisecond */
	snprintf(text.s + length, sizeof(text.s) - (size_t)length, " s");
	return text;
}

struct format_text ticks_bytes(uint64_t bytes)
{
	struct format_text text;
	double value = (double)bytes;
	const char *unit = format_byte_unit(&value, 1024);

	snprintf(text.s, sizeof(text.s), "%.6g %s", value, unit);
	return text;
}

uint64_t ticks_bytes_step(uint64_t least_bytes)
{
	uint64_t step = 1;

	while (step < least_bytes && step <= UINT64_MAX / 2)
		step *= 2;
	return step;
}
