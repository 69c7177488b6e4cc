/* SPDX-License-Identifier: MIT */
/* One table of verbs: dispatch, help, manual and completions come from it. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "options.h"

#define VERB_MAX_GROUPS 5

struct verb {
	const char *name;
	const char *summary;  /* one line, lower case, no full stop */
	const char *synopsis; /* what follows the options; one line per form */
	const char *details;  /* paragraphs for help and manual */
	size_t min_args;      /* words besides options and command */
	size_t max_args;
	bool takes_command; /* words after -- are a command to run */
	bool is_exact;      /* looks at every page, whatever the options say */
	bool takes_report;  /* the first word is a report's name */
	bool takes_case;    /* --case is one of verify's programs */
	const struct option_group *groups[VERB_MAX_GROUPS + 1];
	int (*run)(const struct verb *verb, const struct options *options); /* returns the exit code */
};

/* Ended by a NULL name. */
extern const struct verb verbs[];

const struct verb *verb_find(const char *name);

int verb_record(const struct verb *verb, const struct options *options);
int verb_report(const struct verb *verb, const struct options *options);
int verb_one_shot(const struct verb *verb, const struct options *options);
int verb_pages(const struct verb *verb, const struct options *options);
int verb_watch(const struct verb *verb, const struct options *options);
int verb_verify(const struct verb *verb, const struct options *options);
int verb_doctor(const struct verb *verb, const struct options *options);
int verb_help(const struct verb *verb, const struct options *options);

#endif
