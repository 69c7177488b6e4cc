/* SPDX-License-Identifier: MIT */
/* This file reads sizes, durations and shares. */
#include "units.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static int read_number(const char *text, const struct unit *units, double *value)
{
	char *rest = NULL;
	double number = strtod(text, &rest);

	if (rest == text || !(number >= 0) || number > 1e18)
		return -EINVAL;
	for (const struct unit *unit = units; unit->name; unit++) {
		if (strcmp(rest, unit->name) == 0) {
			*value = number * unit->factor;
			return *value < 1e19 ? 0 : -EINVAL;
		}
	}
	return -EINVAL;
}

int units_bytes(const char *text, uint64_t whole, uint64_t *bytes)
{
	const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "KiB", 1024.0 },
		{ "MiB", 1048576.0 },
		{ "GiB", 1073741824.0 },
		{ whole ? "%" : NULL, (double)whole / 100 },
		{ NULL, 0 },
	};
	double value;

	if (read_number(text, units, &value) < 0)
		return -EINVAL;
	*bytes = (uint64_t)(value + 0.5);
	return 0;
}

int units_duration(const char *text, uint64_t *ns)
{
	static const struct unit units[] = { { "ns", 1 },  { "us", 1e3 },   { "ms", 1e6 },
		                             { "s", 1e9 }, { "min", 60e9 }, { NULL, 0 } };
	double value;

	if (strcmp(text, "forever") == 0) {
		*ns = UINT64_MAX;
		return 0;
	}
	if (strcmp(text, "0") == 0) {
		*ns = 0;
		return 0;
	}
	if (read_number(text, units, &value) < 0)
		return -EINVAL;
	*ns = (uint64_t)value;
	return 0;
}

int units_share(const char *text, double *share)
{
	static const struct unit units[] = { { "", 1 }, { "%", 0.01 }, { NULL, 0 } };

	if (read_number(text, units, share) < 0 || *share > 1)
		return -EINVAL;
	return 0;
}
