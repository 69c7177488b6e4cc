/* SPDX-License-Identifier: MIT */
/* This file writes JSON, one object per line. */
#include "verify/json-line.h"

#include <errno.h>

#include "base/error.h"

int json_line(FILE *out, json_t *object, struct tide_error *err)
{
	int result;

	if (object == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for JSON");
	result = json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(10));
	json_decref(object);
	if (result < 0 || fputc('\n', out) == EOF)
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the report could not be written");
	return 0;
}
