/* SPDX-License-Identifier: MIT */
/* This file reads JSON lines. */
#include "input-lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

static int complain(const char *name, size_t number, const char *what)
{
	fprintf(stderr, "%s:%zu: %s\n", name, number, what);
	return -EINVAL;
}

static int read_object(const char *line, const char *name, size_t number, const char *schema, lines_fn *fn, void *arg)
{
	json_error_t error;
	json_t *object = json_loads(line, 0, &error);
	int rc;

	if (!object)
		return complain(name, number, error.text);
	if (number == 1 && strcmp(json_string_value(json_object_get(object, "schema")) ?: "", schema) != 0)
		rc = complain(name, number, "the first line does not have the expected \"schema\"");
	else
		rc = fn(arg, object, number);
	json_decref(object);
	return rc;
}

int lines_read(FILE *file, const char *name, const char *schema, lines_fn *fn, void *arg)
{
	scope_free char *line = NULL;
	size_t number = 0;
	size_t size = 0;
	int rc = 0;

	while (rc == 0 && getline(&line, &size, file) >= 0) {
		if (!strchr(line, '\n'))
			break;
		rc = read_object(line, name, ++number, schema, fn, arg);
	}
	return rc == 0 && number == 0 ? complain(name, number, "empty") : rc;
}

int lines_address(const json_t *object, const char *key, uint64_t *address)
{
	const char *text = json_string_value(json_object_get(object, key));
	char *rest = NULL;

	if (!text || strncmp(text, "0x", 2) != 0)
		return -EINVAL;
	errno = 0;
	*address = strtoull(text, &rest, 16);
	return errno || *rest ? -EINVAL : 0;
}

double lines_number(const json_t *object, const char *key, double otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}
