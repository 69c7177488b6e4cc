/* SPDX-License-Identifier: MIT */
/* This file writes the doctor's table as JSON, one object per line. */
#include <errno.h>
#include <jansson.h>

#include "base/error.h"
#include "verify/json-line.h"
#include "verify/doctor.h"

static json_t *row_object(const struct doctor_row *row)
{
	static const char *const answers[] = { [DOCTOR_NO] = "no", [DOCTOR_YES] = "yes", [DOCTOR_UNKNOWN] = "unknown" };

	return json_pack("{s:s, s:s, s:s, s:s}", "name", row->name, "answer", answers[row->answer], "reason",
	                 row->reason, "remedy", row->remedy);
}

int doctor_print_json(FILE *out, const struct doctor_report *report, struct tide_error *err)
{
	int result = json_line(out, json_pack("{s:s, s:s}", "schema", "tidemark/1", "report", "doctor"), err);

	for (size_t i = 0; result == 0 && i < report->rows.nr; i++)
		result = json_line(out, row_object(&report->rows.items[i]), err);
	if (result == 0)
		result = json_line(out, json_pack("{s:s?, s:s}", "sensor", report->sensor, "why", report->why), err);
	return result;
}
