/* SPDX-License-Identifier: MIT */
/* This file asks by which ways accesses can be forgotten in bulk. */
#include "sensor/way_damon.h"
#include "verify/row.h"

static void ask_damon(struct doctor_row *row)
{
	struct tide_error why = { 0 };
	int result = way_damon_probe(&why);

	if (result > 0)
		row_yes(row, "DAMON made pages of our own old that had been used; nobody else uses it");
	else if (result == 0)
		row_no(row, "%s", why.text);
	else
		row_unknown(row, "%s", why.text);
}

const struct doctor_question questions_ways[] = {
	{ "way-damon", ask_damon },
	{ 0 },
};
