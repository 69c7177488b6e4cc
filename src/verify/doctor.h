/* SPDX-License-Identifier: MIT */
/*
 * What this kernel and these privileges let tidemark do: a table of questions, each put to the kernel itself, wherever
 * possible by making the event happen and seeing it reported. A version number is never an answer, only a hint.
 */
#ifndef VERIFY_DOCTOR_H
#define VERIFY_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <tidemark/error.h>

#include "base/vec.h"
#include "verify/row.h"

struct doctor_report {
	VEC(struct doctor_row) rows;
	const char *sensor; /* the chosen one's name; NULL: none works here */
	char why[240];
};

/*
 * Asks everything and writes the table to `out`, as JSON or as text. 1 a sensor works here, 0 none does, negative: the
 * table could not be made or written (LIMIT, SYSTEM). Takes a fraction of a second; changes nothing that lasts: the
 * kernel's DAMON, if nobody uses it, is claimed for some milliseconds.
 */
int doctor_run(FILE *out, bool json, bool color, struct tide_error *err);

/* The two halves of it. 0 or negative. An all-zero report is empty; doctor_fini releases one. */
int doctor_ask(struct doctor_report *report, struct tide_error *err);
int doctor_print_text(FILE *out, const struct doctor_report *report, bool color, struct tide_error *err);
int doctor_print_json(FILE *out, const struct doctor_report *report, struct tide_error *err);
void doctor_fini(struct doctor_report *report);

#endif
