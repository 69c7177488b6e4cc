/* SPDX-License-Identifier: MIT */
/* This file writes JSON lines. */
#include "report/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "report/format.h"

/* Only of a record that has writes. Takes `header` over. */
static json_t *add_writes(json_t *header, const struct record_info *info)
{
	if (info->writes == NULL || header == NULL)
		return header;
	if (json_object_set_new(header, "writes", json_text(info->writes)) == 0)
		return header;
	json_decref(header);
	return NULL;
}

json_t *json_header(const char *report, const struct record_info *info, uint64_t from_us, uint64_t to_us)
{
	json_t *header =
	        json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "schema", "tidemark/1", "report",
	                  report, "version", json_text(info->tool_version), "sensor", json_text(info->sensor),
	                  "complete", info->complete != 0, "started_unix_us", json_number(info->started_unix_us),
	                  "from_us", json_number(from_us), "to_us", json_number(to_us), "sampling_us",
	                  json_number(info->sampling_us), "aggregation_us", json_number(info->aggregation_us));

	return add_writes(header, info);
}

json_t *json_address(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}

json_t *json_number(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *json_share(double value)
{
	json_int_t rounded = (json_int_t)(value * 10000 + 0.5);

	return rounded % 10000 == 0 ? json_integer(rounded / 10000) : json_real((double)rounded / 10000);
}

json_t *json_text(const char *text)
{
	scope_free char *clean = malloc(3 * strlen(text) + 1);
	char *to = clean;

	if (clean == NULL)
		return NULL;
	while (*text != 0) {
		size_t size = format_utf8(text);

		if (size == 0) {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			text++;
		} else {
			memcpy(to, text, size);
			to += size;
			text += size;
		}
	}
	*to = 0;
	return json_string(clean);
}
