/* SPDX-License-Identifier: MIT */
/* This file reads the values in a workload's file. */
#include "workload-values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/sensor.h>

#include "base/error.h"
#include "units.h"

#define REFUSE(err, ...) error_set(err, TIDE_CAUSE_USAGE, -EINVAL, __VA_ARGS__)

/* NULL after an error. */
static const char *read_string(const json_t *value, const char *example, struct tide_error *err)
{
	const char *text = json_string_value(value);

	if (text == NULL || strlen(text) != json_string_length(value)) {
		REFUSE(err, "it must be a string, like \"%s\"", example);
		return NULL;
	}
	return text;
}

int read_name(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "heap", err);

	if (text == NULL)
		return -EINVAL;
	*(char **)into = strdup(text);
	return *(char **)into != NULL ? 0 : error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

int read_size(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "64GiB", err);

	return text != NULL ? units_parse_size(text, into, err) : -EINVAL;
}

int read_time(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "5ms", err);
	uint64_t us = 0;
	int result = text != NULL ? units_parse_duration(text, 0, &us, err) : -EINVAL;

	if (result == 0)
		*(uint64_t *)into = us * 1000;
	return result;
}

int read_page(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	uint64_t bytes;
	int result = read_size(workload, value, &bytes, err);

	if (result < 0)
		return result;
	if (bytes != UINT64_C(1) << 12 && bytes != UINT64_C(1) << 21 && bytes != UINT64_C(1) << 30)
		return REFUSE(err, "pages are of 4KiB, 2MiB or 1GiB");
	*(unsigned *)into = (unsigned)__builtin_ctzll(bytes);
	return 0;
}

int read_address(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "0x7f0000000000", err);
	char *end;

	if (text == NULL)
		return -EINVAL;
	if (strncmp(text, "0x", 2) != 0 || text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] != 0 ||
	    strlen(text) < 3 || strlen(text) > 18)
		return REFUSE(err, "'%.40s' is not an address: write it like 0x7f0000000000", text);
	*(uint64_t *)into = strtoull(text + 2, &end, 16);
	return 0;
}

int read_share(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	double share = json_number_value(value);

	if (!json_is_number(value) || !(share >= 0.000001 && share <= 1))
		return REFUSE(err, "a share is a number from 0.000001 to 1");
	*(uint32_t *)into = (uint32_t)(share * WORKLOAD_ALL + 0.5);
	return 0;
}

int read_mapping(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "heap", err);

	if (text == NULL)
		return -EINVAL;
	for (size_t i = 0; i < workload->mappings.nr; i++) {
		if (strcmp(workload->mappings.items[i].name, text) == 0) {
			*(uint32_t *)into = (uint32_t)i;
			return 0;
		}
	}
	return REFUSE(err, "no mapping is called '%.40s'", text);
}

int read_reason(const struct workload *workload, const json_t *value, void *into, struct tide_error *err)
{
	const char *text = read_string(value, "shared", err);

	if (text == NULL)
		return -EINVAL;
	for (unsigned reason = TIDE_REASON_NONE + 1; reason < TIDE_NR_REASONS; reason++) {
		if (strcmp(tide_reason_name((enum tide_reason)reason), text) == 0) {
			*(uint8_t *)into = (uint8_t)reason;
			return 0;
		}
	}
	return REFUSE(err, "'%.40s' is no reason: shared, locked, hugetlb, special and guest are some", text);
}
