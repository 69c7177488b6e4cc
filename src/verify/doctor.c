/* SPDX-License-Identifier: MIT */
/* This file puts all questions, and the sensors' own. */
#include "verify/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/sensor.h>

#include "base/error.h"
#include "verify/need.h"

static int add(struct doctor_report *report, const struct doctor_row *row, struct tide_error *err)
{
	if (vec_push(&report->rows, *row) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return 0;
}

static int ask_each(struct doctor_report *report, const struct doctor_question *questions, struct tide_error *err)
{
	int result = 0;

	for (; result == 0 && questions->name != NULL; questions++) {
		struct doctor_row row = { 0 };

		snprintf(row.name, sizeof(row.name), "%s", questions->name);
		questions->ask(&row);
		result = add(report, &row, err);
	}
	return result;
}

static bool answered_yes(const struct doctor_report *report, const char *name)
{
	for (size_t i = 0; i < report->rows.nr; i++)
		if (strcmp(report->rows.items[i].name, name) == 0)
			return report->rows.items[i].answer == DOCTOR_YES;
	return false;
}

/* Where a better one works, there is nothing to be done about a sensor that this kernel has not got. */
static void ask_sensor(struct doctor_row *row, const struct tide_sensor_ops *ops, bool better_works)
{
	struct tide_error why = { 0 };
	int result = ops->probe(&why);

	snprintf(row->name, sizeof(row->name), "sensor-%s", ops->name);
	if (result > 0)
		row_yes(row, "%s%s%s%s", ops->summary,
		        ops->flags & TIDE_SENSOR_WHOLE ? "; the process waits while all its memory is cleared" : "",
		        ops->flags & TIDE_SENSOR_DISTURBS_LRU ? "; disturbs reclaim: sampled pages move towards it"
		                                              : "",
		        ops->flags & TIDE_SENSOR_SEES_GUESTS ? "" : "; memory of virtual machines is unobservable");
	else if (result == 0)
		row_no(row, "%s", why.text);
	else
		row_unknown(row, "%s", why.text);
	if (row->answer != DOCTOR_NO)
		return;
	if (ops->flags & TIDE_SENSOR_WHOLE)
		row_remedy(row,
		           "%s needs no privileges for one's own processes, but a kernel with "
		           "CONFIG_PROC_PAGE_MONITOR, and a /proc that may be written to",
		           row->name);
	else if (why.cause == TIDE_CAUSE_DENIED && need_remedy(row, row->name, NEED_WALKER | NEED_CLEARING))
		return;
	else if (!better_works)
		row_remedy(row, "%s works when what the rows above say no to is dealt with", row->name);
}

static int ask_sensors(struct doctor_report *report, struct tide_error *err)
{
	bool works = false;
	int result = 0;

	for (const struct tide_sensor_ops *const *ops = tide_sensors(); result == 0 && *ops != NULL; ops++) {
		struct doctor_row row = { 0 };

		ask_sensor(&row, *ops, works);
		works |= row.answer == DOCTOR_YES;
		result = add(report, &row, err);
	}
	return result;
}

static void choose(struct doctor_report *report)
{
	const struct tide_sensor_ops *ops = NULL;
	struct tide_error why = { 0 };

	report->sensor = tide_sensor_choose(&ops, NULL, &why) < 0 ? NULL : ops->name;
	memcpy(report->why, why.text, sizeof(report->why));
}

int doctor_ask(struct doctor_report *report, struct tide_error *err)
{
	static const struct {
		const struct doctor_question *questions;
		const char *needs; /* the row without whose yes they cannot be put; NULL: none */
	} subjects[] = {
		{ questions_bpf, NULL },
		{ questions_memory, NULL },
		{ questions_caps, NULL },
		{ questions_place, NULL },
		{ questions_others, NULL },
		{ questions_ways, "walker" },
		{ questions_tracking, NULL },
		{ questions_tracked, "write-protect-tracking" },
		{ questions_soft_dirty, "soft-dirty" },
	};
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (subjects[i].needs == NULL || answered_yes(report, subjects[i].needs))
			result = ask_each(report, subjects[i].questions, err);
	if (result == 0)
		result = ask_sensors(report, err);
	if (result == 0)
		choose(report);
	return result;
}

void doctor_fini(struct doctor_report *report)
{
	vec_free(&report->rows);
}

int doctor_run(FILE *out, bool json, bool color, struct tide_error *err)
{
	struct doctor_report report = { 0 };
	int result = doctor_ask(&report, err);

	if (result == 0)
		result = json ? doctor_print_json(out, &report, err) : doctor_print_text(out, &report, color, err);
	if (result == 0)
		result = report.sensor != NULL;
	doctor_fini(&report);
	return result;
}
