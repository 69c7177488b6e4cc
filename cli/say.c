/* SPDX-License-Identifier: MIT */
/* This file speaks to people, on standard error. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>

void say(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* One write: lines of several writers to one terminal stay whole. */
	fprintf(stderr, "tidemark: %s\n", text);
}

enum exit_code exit_code_of(const struct tide_error *err)
{
	switch (err->cause) {
	case TIDE_CAUSE_USAGE:
		return EXIT_USAGE;
	case TIDE_CAUSE_DENIED:
	case TIDE_CAUSE_UNSUPPORTED:
		return EXIT_LACKING;
	case TIDE_CAUSE_GONE:
		return EXIT_GONE;
	default:
		return EXIT_FAILED;
	}
}

enum exit_code say_error(const struct tide_error *err)
{
	enum exit_code code = exit_code_of(err);

	say("%s", err->text);
	if (code == EXIT_LACKING)
		say("run \"tidemark doctor\" to see what this kernel and these privileges can do");
	return code;
}
