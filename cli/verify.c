/* SPDX-License-Identifier: MIT */
/* This file is the verb `verify`. */
#include "verify/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "nearest.h"
#include "option-parse.h"
#include "output.h"
#include "say.h"
#include "stop.h"
#include "units.h"
#include "verbs.h"

#define AT(member) offsetof(struct options, member)

#define DEFAULT_STEPS 20000
#define SHOW_EVERY_NS 200000000u

static int parse_steps(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	return units_parse_count(text, "a number of operations", 1, 1000000000000, &options->count, err);
}

static int parse_case(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	struct nearest nearest;

	if (program_find(text) != NULL) {
		options->program = text;
		return 0;
	}
	nearest_begin(&nearest, text);
	for (const struct program_case *it = program_cases; it->name != NULL; it++)
		nearest_try(&nearest, it->name);
	if (nearest.best != NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no case '%.40s': did you mean '%s'?", text,
		                 nearest.best);
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
	                 "there is no case '%.40s': \"tidemark help verify\" lists them", text);
}

static const struct option_spec specs[] = {
	{ "steps", 0, "NUMBER", "Perform so many operations (default: 20000)", parse_steps, 0, NULL },
	{ "seed", 0, "NUMBER", "Make other programs: seed of the random choice (default: 0)", option_parse_seed, 0,
	  NULL },
	{ "case", 0, "NAME", "Run one of the programs that have a name, instead of random ones", parse_case, 0,
	  "@case" },
	{ "output", 'o', "FILE", "Write the C program of a difference into this file, instead of printing it",
	  option_parse_text, AT(output), "@file" },
	{ "json", 0, NULL, "Print JSON, one object per line", option_parse_flag, AT(json), NULL },
	{ 0 },
};

const struct option_group option_group_verify = { "What to run, and what to show", specs };

struct running {
	const struct options *options;
	struct stop stop;
	const struct check *check;
	uint64_t shown_ns;
	bool shows;
};

static bool go_on(void *arg, const struct lockstep *lockstep)
{
	struct running *running = arg;
	uint64_t now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	bool from_terminal;

	if (running->shows && now_ns >= running->shown_ns + SHOW_EVERY_NS) {
		running->shown_ns = now_ns;
		fprintf(stderr, "\r%s%llu operations in %llu programs\033[K",
		        lockstep == &running->check->lockstep ? "" : "Shrinking: ",
		        (unsigned long long)lockstep->nr_ops, (unsigned long long)lockstep->nr_programs);
		fflush(stderr);
	}
	return stop_take(&running->stop, &from_terminal) == 0;
}

static int write_program(const struct check *check, const char *path, struct tide_error *err)
{
	FILE *file = fopen(path, "we");
	int result;

	if (file == NULL)
		return error_system(err, -errno, "creating %.150s", path);
	result = check_print_program(file, check, err);
	if (fclose(file) != 0 && result == 0)
		result = error_system(err, -errno, "writing %.150s", path);
	return result;
}

static int print(const struct check *check, const struct options *options, struct tide_error *err)
{
	int result = options->json ? check_print_json(stdout, check, err) : check_print_text(stdout, check, err);

	/* Of a model that is broken by itself a program for the kernel shows nothing. */
	if (result < 0 || !check->differs || check->difference.what == DIFFERENCE_BROKEN)
		return result;
	if (options->output != NULL)
		return write_program(check, options->output, err);
	if (options->json)
		return 0; /* it was one of the objects */
	printf("\nThe same in C:\n\n");
	return check_print_program(stdout, check, err);
}

/* Refuses a program that cannot be run here. */
static int check_case(const struct check *check, const struct program_case *only, struct tide_error *err)
{
	enum model_op_kind lacking;

	if (only == NULL)
		return 0;
	lacking = check_lacking(check, only->ops, only->nr);
	if (lacking == NR_MODEL_OPS)
		return 0;
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, -ENOTSUP, "%s needs '%s': %s", only->name, model_op_name(lacking),
	                 check->real.powers.why_not[lacking]);
}

static int run(struct check *check, struct running *running, struct tide_error *err)
{
	const struct options *options = running->options;
	struct check_opts opts = {
		.nr_steps = options->count != 0 ? options->count : DEFAULT_STEPS,
		.seed = options->monitor.seed,
		.only = options->program != NULL ? program_find(options->program) : NULL,
		.go_on = go_on,
		.arg = running,
	};
	int result = check_case(check, opts.only, err);

	if (result == 0)
		result = check_run(check, &opts, err);
	if (running->shows && running->shown_ns != 0)
		fprintf(stderr, "\r\033[K");
	if (result < 0)
		return result;
	if (check->stopped)
		say(check->differs ? "stopped before the program was as short as it may be"
		                   : "stopped before all operations were performed");
	return print(check, options, err);
}

int verb_verify(const struct verb *verb, const struct options *options)
{
	struct tide_error err = { 0 };
	struct running running = { .options = options, .shows = isatty(STDERR_FILENO) && !options->quiet };
	struct check *check = malloc(sizeof(*check));
	int result, code;

	(void)verb;
	if (check == NULL)
		return (int)say_error(&(struct tide_error){ -ENOMEM, TIDE_CAUSE_LIMIT, "out of memory" });
	result = check_open(check, &err);
	if (result < 0) {
		free(check);
		return (int)say_error(&err);
	}
	running.check = check;
	result = stop_open(&running.stop, &err);
	if (result == 0) {
		result = run(check, &running, &err);
		stop_close(&running.stop);
	}
	code = result < 0 ? (int)say_error(&err) : output_close(check->differs ? EXIT_FAILED : EXIT_DONE);
	check_close(check);
	free(check);
	return code;
}
