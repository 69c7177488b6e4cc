/* SPDX-License-Identifier: MIT */
/* This file tells programs whether model and kernel agree: one object per line. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/error.h"
#include "verify/json-line.h"
#include "verify/check.h"

static int operations(FILE *out, const struct check *check, struct tide_error *err)
{
	int result = 0;

	for (int i = 0; result == 0 && i < FIRST_MODEL_OP; i++)
		result = json_line(out,
		                   json_pack("{s:s, s:I, s:s?}", "operation", model_op_name((enum model_op_kind)i),
		                             "count", (json_int_t)check->lockstep.nr_by_kind[i], "lacking",
		                             check->real.powers.why_not[i]),
		                   err);
	return result;
}

static int rules(FILE *out, const struct lockstep *lockstep, struct tide_error *err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < lockstep->rules.nr; i++)
		result = json_line(out,
		                   json_pack("{s:s, s:I, s:s}", "rule", lockstep->rules.items[i].name, "count",
		                             (json_int_t)lockstep->rules.items[i].nr, "sentence",
		                             lockstep_rule_text(&lockstep->rules.items[i])),
		                   err);
	return result;
}

static int program(FILE *out, const struct check *check, struct tide_error *err)
{
	char text[DIFFERENCE_TEXT_SIZE];
	char *source = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&source, &size);
	int result = memory == NULL ? error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for the program")
	                            : check_print_program(memory, check, err);

	if (memory != NULL && fclose(memory) != 0 && result == 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory for the program");
	if (result == 0)
		result = json_line(out,
		                   json_pack("{s:s, s:b, s:s}", "difference", difference_text(text, &check->difference),
		                             "again", (int)check->again, "program", source),
		                   err);
	free(source);
	return result;
}

int check_print_json(FILE *out, const struct check *check, struct tide_error *err)
{
	int result =
	        json_line(out,
	                  json_pack("{s:s, s:s, s:s, s:s?, s:I}", "schema", "tidemark/1", "report", "verify", "kernel",
	                            check->kernel, "case", check->opts.only != NULL ? check->opts.only->name : NULL,
	                            "seed", (json_int_t)check->opts.seed),
	                  err);

	if (result == 0)
		result = operations(out, check, err);
	if (result == 0)
		result = rules(out, &check->lockstep, err);
	if (result == 0 && check->differs)
		result = program(out, check, err);
	if (result == 0)
		result = json_line(out,
		                   json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "agree", (int)!check->differs,
		                             "stopped", (int)check->stopped, "operations",
		                             (json_int_t)check->lockstep.nr_ops, "left_out",
		                             (json_int_t)check->lockstep.nr_unknown, "programs",
		                             (json_int_t)check->lockstep.nr_programs, "pages_compared",
		                             (json_int_t)check->lockstep.nr_pages, "took_ms",
		                             (json_int_t)(check->took_ns / 1000000)),
		                   err);
	return result;
}
