/* SPDX-License-Identifier: MIT */
/* This file fills in rows. */
#include "verify/row.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void answer(struct doctor_row *row, enum doctor_answer answer, const char *fmt, va_list args)
{
	row->answer = answer;
	vsnprintf(row->reason, sizeof(row->reason), fmt, args);
}

void row_yes(struct doctor_row *row, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	answer(row, DOCTOR_YES, fmt, args);
	va_end(args);
}

void row_no(struct doctor_row *row, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	answer(row, DOCTOR_NO, fmt, args);
	va_end(args);
}

void row_unknown(struct doctor_row *row, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	answer(row, DOCTOR_UNKNOWN, fmt, args);
	va_end(args);
}

void row_remedy(struct doctor_row *row, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(row->remedy, sizeof(row->remedy), fmt, args);
	va_end(args);
}

void row_error(struct doctor_row *row, const struct tide_error *err)
{
	if (err->cause == TIDE_CAUSE_DENIED || err->cause == TIDE_CAUSE_UNSUPPORTED)
		row_no(row, "%s", err->text);
	else
		row_unknown(row, "%s", err->text);
}

void row_errno(struct doctor_row *row, int code, const char *what)
{
	struct tide_error err = { 0 };

	error_system(&err, code, "%s", what);
	row_error(row, &err);
}
