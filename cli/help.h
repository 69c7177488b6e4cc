/* SPDX-License-Identifier: MIT */
/* Help texts, made from the tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

struct verb;

void help_program(FILE *out);
void help_verb(FILE *out, const struct verb *verb);

/* Says that there is no such verb, and which may have been meant; returns the exit code. */
int help_unknown_verb(const char *word);

#endif
