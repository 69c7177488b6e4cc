/* SPDX-License-Identifier: MIT */
/* This file writes the doctor's table for people: the answers, what to do about them, and the sensor that is left. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "verify/doctor.h"

#define WIDTH        100
#define ANSWER_WIDTH 15 /* "could not ask" and two blanks */

#define GREEN  "\033[32m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* Writes `text` from column `indent` on, where the cursor is; further lines begin there too. */
static void wrapped(FILE *out, const char *text, int indent)
{
	int column = indent;

	while (*text != 0) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, (size_t)word, out);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* What wants attention is red, whichever the answer; a no that does no harm is not. */
static const char *color_of(const struct doctor_row *row)
{
	if (row->answer == DOCTOR_UNKNOWN)
		return YELLOW;
	return row->remedy[0] != 0 ? RED : GREEN;
}

static void print_row(FILE *out, const struct doctor_row *row, int name_width, bool color)
{
	static const char *const answers[] = {
		[DOCTOR_NO] = "no",
		[DOCTOR_YES] = "yes",
		[DOCTOR_UNKNOWN] = "could not ask",
	};
	const char *answer = answers[row->answer];

	fprintf(out, "%-*s%s%s%s%*s", name_width, row->name, color ? color_of(row) : "", answer, color ? PLAIN : "",
	        ANSWER_WIDTH - (int)strlen(answer), "");
	wrapped(out, row->reason, name_width + ANSWER_WIDTH);
}

static int widest_name(const struct doctor_report *report)
{
	size_t width = 0;

	for (size_t i = 0; i < report->rows.nr; i++)
		if (strlen(report->rows.items[i].name) > width)
			width = strlen(report->rows.items[i].name);
	return (int)width;
}

/* One lack shows in several rows, and is told once. */
static bool told_before(const struct doctor_report *report, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(report->rows.items[i].remedy, report->rows.items[index].remedy) == 0)
			return true;
	return false;
}

static void print_remedies(FILE *out, const struct doctor_report *report)
{
	bool begun = false;

	for (size_t i = 0; i < report->rows.nr; i++) {
		const struct doctor_row *row = &report->rows.items[i];

		if (row->remedy[0] == 0 || told_before(report, i))
			continue;
		fprintf(out, begun ? "- " : "\nWhat to do:\n- ");
		begun = true;
		wrapped(out, row->remedy, 2);
	}
}

int doctor_print_text(FILE *out, const struct doctor_report *report, bool color, struct tide_error *err)
{
	int name_width = widest_name(report) + 2;

	for (size_t i = 0; i < report->rows.nr; i++)
		print_row(out, &report->rows.items[i], name_width, color);
	print_remedies(out, report);
	fputc('\n', out);
	if (report->sensor == NULL)
		fprintf(out, "%sno sensor works here%s: ", color ? RED : "", color ? PLAIN : "");
	else
		fprintf(out, "sensor: ");
	wrapped(out, report->why, 8);
	if (ferror(out))
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the table could not be written");
	return 0;
}
