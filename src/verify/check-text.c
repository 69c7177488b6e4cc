/* SPDX-License-Identifier: MIT */
/* This file tells people whether model and kernel agree. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "verify/check.h"

#define COLUMNS 3

typedef unsigned long long number;

static void print_operations(FILE *out, const struct check *check)
{
	int nr = 0;

	fprintf(out, "\nOperations:\n");
	for (int i = 0; i < NR_MODEL_OPS; i++)
		if (check->lockstep.nr_by_kind[i] > 0)
			fprintf(out, "  %-16s%8llu%s", model_op_name((enum model_op_kind)i),
			        (number)check->lockstep.nr_by_kind[i], ++nr % COLUMNS == 0 ? "\n" : "  ");
	if (nr % COLUMNS != 0)
		fprintf(out, "\n");
}

/* Kinds that lack for the same reason stand on one line. */
static void print_lacking(FILE *out, const struct powers *powers)
{
	bool begun = false;

	for (int i = 0; i < FIRST_MODEL_OP; i++) {
		const char *why = powers->why_not[i];
		bool told = false;

		for (int k = 0; k < i && why != NULL; k++)
			told |= powers->why_not[k] != NULL && strcmp(powers->why_not[k], why) == 0;
		if (why == NULL || told)
			continue;
		fprintf(out, "%s  ", begun ? "" : "\nNot tried here:\n");
		begun = true;
		for (int k = i; k < FIRST_MODEL_OP; k++)
			if (powers->why_not[k] != NULL && strcmp(powers->why_not[k], why) == 0)
				fprintf(out, "%s%s", k > i ? ", " : "", model_op_name((enum model_op_kind)k));
		fprintf(out, ": %s\n", why);
	}
}

static void print_rules(FILE *out, const struct lockstep *lockstep)
{
	if (lockstep->rules.nr > 0)
		fprintf(out, "\nWhere the kernel may do one thing or another, the model followed it:\n");
	for (size_t i = 0; i < lockstep->rules.nr; i++)
		fprintf(out, "  %-20s%8llu  %s\n", lockstep->rules.items[i].name, (number)lockstep->rules.items[i].nr,
		        lockstep_rule_text(&lockstep->rules.items[i]));
}

static void print_difference(FILE *out, const struct check *check)
{
	char text[DIFFERENCE_TEXT_SIZE], op[PROGRAM_TEXT_SIZE];

	fprintf(out, "\nThey differ: %s\n", difference_text(text, &check->difference));
	if (check->why[0] != 0 && check->difference.what == DIFFERENCE_GONE)
		fprintf(out, "  (%s)\n", check->why);
	fprintf(out, check->again   ? "The shortest program found that shows it:\n"
	             : check->tried ? "It did not differ again when the program was run once more:\n"
	                            : "The program that shows it:\n");
	for (size_t i = 0; i < check->nr; i++)
		if (!check->lockstep.outcomes.items[i].skipped)
			fprintf(out, "  %s\n", program_op_text(op, &check->ops[i]));
}

int check_print_text(FILE *out, const struct check *check, struct tide_error *err)
{
	char seen[SEEN_TEXT_SIZE];

	fprintf(out, "Kernel:     %s\n", check->kernel);
	if (check->opts.only != NULL)
		fprintf(out, "Program:    %s: %s\n", check->opts.only->name, check->opts.only->sentence);
	else
		fprintf(out, "Seed:       %llu\n", (number)check->opts.seed);
	fprintf(out, "Operations: %llu in %llu program%s, in %.1f s\n", (number)check->lockstep.nr_ops,
	        (number)check->lockstep.nr_programs, check->lockstep.nr_programs == 1 ? "" : "s",
	        (double)check->took_ns / 1e9);
	fprintf(out, "Compared:   results, the first word of each page, and of %llu pages: %s\n",
	        (number)check->lockstep.nr_pages, seen_text(seen, check->lockstep.side->sees));
	if (check->lockstep.nr_unknown > 0)
		fprintf(out, "Left out:   %llu operations of which the model cannot tell what comes: %s\n",
		        (number)check->lockstep.nr_unknown,
		        "collapses of pages of files, merges beside memory that nobody may access, and most of what "
		        "is done to pages of hugetlb");
	print_operations(out, check);
	print_lacking(out, &check->real.powers);
	print_rules(out, &check->lockstep);
	if (check->differs)
		print_difference(out, check);
	else if (check->stopped)
		fprintf(out, "\nModel and kernel agree so far: %llu of %llu operations.\n",
		        (number)check->lockstep.nr_ops,
		        check->opts.only != NULL ? (number)check->opts.only->nr : (number)check->opts.nr_steps);
	else
		fprintf(out, "\nModel and kernel agree.\n");
	if (ferror(out))
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the verdict could not be written");
	return 0;
}
