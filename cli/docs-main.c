/* SPDX-License-Identifier: MIT */
/* This file is a program of the build: it fills the templates of the manual page and the completions from the tables.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "verbs.h"
#include "verify/program.h"

/* scdoc takes these for markup. */
static void print_escaped(const char *text)
{
	for (; *text != 0; text++) {
		if (strchr("\\*_`<>[]#", *text) != NULL)
			putchar('\\');
		putchar(*text);
		if (*text == '\n' && text[1] != 0)
			putchar('\n'); /* a paragraph of its own */
	}
}

static void man_option(const struct option_spec *spec)
{
	if (spec->letter)
		printf("*-%c*, ", spec->letter);
	printf("*--%s*", spec->name);
	if (spec->arg != NULL) {
		printf(" _");
		for (const char *c = spec->arg; *c != 0; c++)
			printf(strchr("[]", *c) != NULL ? "\\%c" : "%c", *c);
		putchar('_');
	}
	printf("\n\t");
	print_escaped(spec->help);
	printf(".\n\n");
}

static void man_reports(void)
{
	for (const struct report *report = reports; report->name != NULL; report++) {
		printf("*%s*\n\t", report->name);
		print_escaped(report->summary);
		printf(".\n\n");
	}
}

static void man_cases(void)
{
	for (const struct program_case *it = program_cases; it->name != NULL; it++) {
		printf("*%s*\n\t", it->name);
		print_escaped(it->sentence);
		printf(".\n\n");
	}
}

static void man_sensors(void)
{
	for (const struct tide_sensor_ops *const *sensor = tide_sensors(); *sensor != NULL; sensor++) {
		printf("*%s*\n\t", (*sensor)->name);
		print_escaped((*sensor)->summary);
		printf(".\n\n");
	}
}

static void man_verb(const struct verb *verb)
{
	const char *form = verb->synopsis;

	printf("## tidemark %s\n\n", verb->name);
	do {
		size_t length = strcspn(form, "\n");
		char *copy = strndup(form, length);

		printf("*tidemark %s* \\[_OPTION_...\\] ", verb->name);
		print_escaped(copy);
		printf("\n\n");
		free(copy);
		form += length;
		form += *form != 0;
	} while (*form != 0);
	putchar(toupper(verb->summary[0]));
	print_escaped(verb->summary + 1);
	printf(".\n\n");
	print_escaped(verb->details);
	printf("\n");
	if (verb->takes_report)
		man_reports();
	if (verb->takes_case)
		man_cases();
	for (const struct option_group *const *group = verb->groups; *group != NULL; group++)
		for (const struct option_spec *spec = (*group)->specs; spec->name != NULL; spec++)
			man_option(spec);
}

static void man_verbs(void)
{
	for (const struct verb *verb = verbs; verb->name != NULL; verb++)
		man_verb(verb);
}

/* "	record) echo '--pid -p ...' ;;" */
static void bash_options(void)
{
	for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
		const char *gap = "";

		printf("\t%s) echo '", verb->name);
		for (const struct option_group *const *group = verb->groups; *group != NULL; group++) {
			for (const struct option_spec *spec = (*group)->specs; spec->name != NULL; spec++) {
				printf("%s--%s", gap, spec->name);
				gap = " ";
				if (spec->letter)
					printf(" -%c", spec->letter);
			}
		}
		printf("' ;;\n");
	}
}

static void bash_sensors(void)
{
	for (const struct tide_sensor_ops *const *sensor = tide_sensors(); *sensor != NULL; sensor++)
		printf("%s%s", sensor == tide_sensors() ? "" : " ", (*sensor)->name);
}

static void bash_cases(void)
{
	for (const struct program_case *it = program_cases; it->name != NULL; it++)
		printf("%s%s", it == program_cases ? "" : " ", it->name);
}

/* "	record:--pid|record:-p) echo '@pid' ;;": options that take an argument. */
static void bash_values(void)
{
	for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
		for (const struct option_group *const *group = verb->groups; *group != NULL; group++) {
			for (const struct option_spec *spec = (*group)->specs; spec->name != NULL; spec++) {
				if (spec->arg == NULL)
					continue;
				printf("\t%s:--%s", verb->name, spec->name);
				if (spec->letter)
					printf(" | %s:-%c", verb->name, spec->letter);
				printf(") echo '");
				if (spec->choices != NULL && strcmp(spec->choices, "@sensor") == 0)
					bash_sensors();
				else if (spec->choices != NULL && strcmp(spec->choices, "@case") == 0)
					bash_cases();
				else
					printf("%s", spec->choices ? spec->choices : "@none");
				printf("' ;;\n");
			}
		}
	}
}

static void print_verb_names(void)
{
	for (const struct verb *verb = verbs; verb->name != NULL; verb++)
		printf("%s%s", verb == verbs ? "" : " ", verb->name);
}

static void print_report_names(void)
{
	for (const struct report *report = reports; report->name != NULL; report++)
		printf("%s%s", report == reports ? "" : " ", report->name);
}

static void print_version(void)
{
	printf("%s", TIDEMARK_VERSION);
}

/* What templates may ask for, as @NAME@. */
static const struct {
	const char *name;
	void (*print)(void);
} parts[] = {
	{ "MAN_VERBS", man_verbs },     { "MAN_SENSORS", man_sensors }, { "BASH_OPTIONS", bash_options },
	{ "BASH_VALUES", bash_values }, { "VERBS", print_verb_names },  { "REPORTS", print_report_names },
	{ "VERSION", print_version },
};

/* Prints the part that `text` ("@NAME@...") asks for; returns how much of it was taken, 0 when it asks for none. */
static size_t print_part(const char *text)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t length = strlen(parts[i].name);

		if (strncmp(text + 1, parts[i].name, length) == 0 && text[length + 1] == '@') {
			parts[i].print();
			return length + 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	char line[4096];
	FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (template == NULL) {
		fprintf(stderr, "usage: %s TEMPLATE\n", argv[0]);
		return 2;
	}
	while (fgets(line, sizeof(line), template) != NULL) {
		for (const char *at = line; *at != 0;) {
			size_t taken = *at == '@' ? print_part(at) : 0;

			if (taken == 0)
				putchar(*at++);
			at += taken;
		}
	}
	fclose(template);
	return fflush(stdout) == 0 ? 0 : 1;
}
