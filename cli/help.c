/* SPDX-License-Identifier: MIT */
/* This file is the verb `help`, and prints every help text. */
#include "help.h"

#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "report/report.h"
#include "say.h"
#include "verbs.h"
#include "verify/program.h"

#define COLUMNS       80
#define OPTION_COLUMN 30

/* Prints `text` from column `at` on, broken at blanks, further lines indented by `indent`; a newline in it ends a
 * paragraph. */
static void print_wrapped(FILE *out, const char *text, size_t at, size_t indent)
{
	size_t column = at;

	while (*text != 0) {
		size_t length = strcspn(text, " \n");

		if (column > indent && column + 1 + length > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)length, text);
		column += length;
		text += length;
		if (*text == '\n' && text[1] != 0) {
			fprintf(out, "\n\n%*s", (int)indent, "");
			column = indent;
		}
		text += *text != 0;
	}
	fputc('\n', out);
}

static void print_option(FILE *out, const struct option_spec *spec)
{
	int at = spec->letter ? fprintf(out, "  -%c, --%s", spec->letter, spec->name)
	                      : fprintf(out, "      --%s", spec->name);

	if (spec->arg != NULL)
		at += fprintf(out, " %s", spec->arg);
	if (at > OPTION_COLUMN - 2) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s", OPTION_COLUMN - at, "");
	print_wrapped(out, spec->help, OPTION_COLUMN, OPTION_COLUMN);
}

static void print_usage(FILE *out, const struct verb *verb)
{
	const char *form = verb->synopsis;
	const char *lead = "Usage:";

	/* A verb that takes nothing has one form, too. */
	do {
		size_t length = strcspn(form, "\n");

		fprintf(out, "%-6s tidemark %s [OPTION...]%s%.*s\n", lead, verb->name, length > 0 ? " " : "",
		        (int)length, form);
		form += length;
		form += *form != 0;
		lead = "";
	} while (*form != 0);
}

void help_verb(FILE *out, const struct verb *verb)
{
	print_usage(out, verb);
	fputc('\n', out);
	print_wrapped(out, verb->summary, 0, 0);
	if (verb->details[0] != 0) {
		fputc('\n', out);
		print_wrapped(out, verb->details, 0, 0);
	}
	for (const struct report *report = reports; verb->takes_report && report->name != NULL; report++)
		print_wrapped(out, report->summary, (size_t)fprintf(out, "  %-10s ", report->name), 13);
	for (const struct program_case *it = program_cases; verb->takes_case && it->name != NULL; it++)
		print_wrapped(out, it->sentence, (size_t)fprintf(out, "  %-18s ", it->name), 21);
	for (const struct option_group *const *group = verb->groups; *group != NULL; group++) {
		fprintf(out, "\n%s:\n", (*group)->title);
		for (const struct option_spec *spec = (*group)->specs; spec->name != NULL; spec++)
			print_option(out, spec);
	}
}

void help_program(FILE *out)
{
	fputs("Usage: tidemark VERB [OPTION...]\n\n"
	      "Shows which memory a live process uses: how hot each region is, and for how long\n"
	      "it has been cold.\n\n",
	      out);
	for (const struct verb *verb = verbs; verb->name != NULL; verb++)
		print_wrapped(out, verb->summary, (size_t)fprintf(out, "  %-10s ", verb->name), 13);
	fputs("\n\"tidemark help VERB\" tells more; \"tidemark --version\" prints the version.\n\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 the kernel or a permission lacks,\n"
	      "4 the process has gone.\n",
	      out);
}

int help_unknown_verb(const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (const struct verb *verb = verbs; verb->name != NULL; verb++)
		nearest_try(&nearest, verb->name);
	if (nearest.best != NULL)
		say("there is no verb '%.40s': did you mean '%s'?", word, nearest.best);
	else
		say("there is no verb '%.40s': \"tidemark help\" lists them", word);
	return EXIT_USAGE;
}

int verb_help(const struct verb *verb, const struct options *options)
{
	const struct verb *asked;

	if (options->nr_args == 0) {
		help_program(stdout);
		return EXIT_DONE;
	}
	asked = verb_find(options->args[0]);
	if (asked == NULL)
		return help_unknown_verb(options->args[0]);
	help_verb(stdout, asked);
	return EXIT_DONE;
}
