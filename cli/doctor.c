/* SPDX-License-Identifier: MIT */
/* This file is the verb `doctor`. */
#include "verify/doctor.h"

#include "option-parse.h"
#include "output.h"
#include "say.h"
#include "verbs.h"

#define AT(member) offsetof(struct options, member)

static const struct option_spec specs[] = {
	{ "json", 0, NULL, "Print JSON, one object per line", option_parse_flag, AT(json), NULL },
	{ "color", 0, "WHEN", "Use colours: auto (on a terminal, unless NO_COLOR is set), always or never",
	  option_parse_color, 0, "auto always never" },
	{ 0 },
};

const struct option_group option_group_doctor = { "What to show", specs };

int verb_doctor(const struct verb *verb, const struct options *options)
{
	struct tide_error err = { 0 };
	int result = doctor_run(stdout, options->json, output_wants_color(options), &err);

	(void)verb;
	if (result < 0)
		return (int)say_error(&err);
	return output_close(result > 0 ? EXIT_DONE : EXIT_LACKING);
}
