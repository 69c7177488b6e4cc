/* SPDX-License-Identifier: MIT */
/* This file is where the program begins: it finds the verb and hands over. */
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "output.h"
#include "say.h"
#include "verbs.h"
#include "whom.h"

/* What stands in place of a verb: 1 and `*code` set when it was one of the program's own options, else 0. */
static int run_program_option(const char *word, int *code)
{
	*code = EXIT_DONE;
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		printf("tidemark %s\n", TIDEMARK_VERSION);
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		help_program(stdout);
	else
		return 0;
	return 1;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct options options;
	struct tide_error err = { 0 };
	int code = EXIT_USAGE;

	if (options_parse(&options, verb, argc, argv) == 0) {
		code = EXIT_DONE;
		if (options.help)
			help_verb(stdout, verb);
		else
			code = whom_resolve(&options, &err) < 0 ? (int)say_error(&err) : verb->run(verb, &options);
	}
	options_fini(&options);
	return code;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	int code;

	if (argc < 2) {
		help_program(stderr);
		return EXIT_USAGE;
	}
	if (!run_program_option(argv[1], &code)) {
		verb = verb_find(argv[1]);
		code = verb != NULL ? run_verb(verb, argc - 1, argv + 1) : help_unknown_verb(argv[1]);
	}
	return output_close(code);
}
