/* SPDX-License-Identifier: MIT */
/* This file reads a verb's command line: argp walks it, the tables say what it means. */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/scope.h"
#include "say.h"
#include "verbs.h"

/* Keys of options without a letter start beyond the letters. */
#define FIRST_KEY 256

struct parse {
	struct options *options;
	const struct verb *verb;
	VEC(struct argp_option) argp_options;
	VEC(const struct option_spec *) specs; /* same indices */
	struct tide_error err;
};

static int key_of(const struct option_spec *spec, size_t index)
{
	return spec->letter ? spec->letter : FIRST_KEY + (int)index;
}

static const struct option_spec *find_spec(const struct parse *parse, int key)
{
	for (size_t i = 0; i < parse->specs.nr; i++)
		if (key_of(parse->specs.items[i], i) == key)
			return parse->specs.items[i];
	return NULL;
}

/* A word that is neither an option nor an option's argument. */
static int take_word(struct parse *parse, char *word, struct argp_state *state)
{
	struct options *options = parse->options;

	if (parse->verb->takes_command) {
		if (state->quoted == 0)
			return error_set(&parse->err, TIDE_CAUSE_USAGE, -EINVAL,
			                 "unexpected word '%.60s': a command to run comes after --, a process after -p",
			                 word);
		options->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	if (options->nr_args == parse->verb->max_args)
		return error_set(&parse->err, TIDE_CAUSE_USAGE, -EINVAL, "unexpected word '%.60s'", word);
	options->args[options->nr_args++] = word;
	return 0;
}

static error_t take_key(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	const struct option_spec *spec;
	int result;

	if (key == ARGP_KEY_INIT) {
		state->err_stream = NULL; /* getopt says what is wrong; where to read on is said here */
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		return take_word(parse, arg, state) < 0 ? EINVAL : 0;
	spec = find_spec(parse, key);
	if (spec == NULL)
		return ARGP_ERR_UNKNOWN;
	result = spec->parse(parse->options, spec, arg, &parse->err);
	if (result < 0)
		error_prefix(&parse->err, result, "--%s", spec->name);
	return result < 0 ? EINVAL : 0;
}

static int collect_specs(struct parse *parse)
{
	const struct argp_option end = { 0 };

	for (const struct option_group *const *group = parse->verb->groups; *group != NULL; group++) {
		for (const struct option_spec *spec = (*group)->specs; spec->name != NULL; spec++) {
			struct argp_option option = {
				.name = spec->name,
				.key = key_of(spec, parse->specs.nr),
				.arg = spec->arg,
				.doc = spec->help,
			};

			if (vec_push(&parse->specs, spec) < 0 || vec_push(&parse->argp_options, option) < 0)
				return -ENOMEM;
		}
	}
	return vec_push(&parse->argp_options, end);
}

static int parse_all(struct parse *parse, int argc, char **argv)
{
	struct argp argp = { .parser = take_key };
	unsigned flags = ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_IN_ORDER;

	if (collect_specs(parse) < 0)
		return error_set(&parse->err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	argp.options = parse->argp_options.items;
	if (argp_parse(&argp, argc, argv, flags, NULL, parse) != 0)
		return -EINVAL;
	if (parse->options->help || parse->options->nr_args >= parse->verb->min_args)
		return 0;
	return error_set(&parse->err, TIDE_CAUSE_USAGE, -EINVAL, "a word is missing: %s %s", parse->verb->name,
	                 parse->verb->synopsis);
}

/* What flags of the monitor come to. */
static int set_flags(struct options *options, const struct verb *verb, struct tide_error *err)
{
	if (options->unguided)
		options->monitor.flags |= TIDE_MONITOR_UNGUIDED;
	if (options->exact || verb->is_exact)
		options->monitor.flags |= TIDE_MONITOR_EXACT;
	if (options->auto_tune)
		options->monitor.flags |= TIDE_MONITOR_AUTO_TUNE;
	if (options->monitor.way != 0 && !(options->monitor.flags & TIDE_MONITOR_EXACT))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--way says how --exact forgets accesses: give both, or neither");
	return 0;
}

int options_parse(struct options *options, const struct verb *verb, int argc, char **argv)
{
	struct parse parse = { .options = options, .verb = verb };
	char name[] = "tidemark";
	int result;

	*options = (struct options){
		.monitor = {
			.size = sizeof(options->monitor),
		},
	};
	argv[0] = name; /* what getopt begins its sentences with */
	result = parse_all(&parse, argc, argv);
	argv[0] = NULL;
	if (result == 0)
		result = set_flags(options, verb, &parse.err);
	if (result < 0) {
		if (parse.err.code != 0)
			say("%s", parse.err.text);
		say("see \"tidemark help %s\"", verb->name);
	}
	vec_free(&parse.argp_options);
	vec_free(&parse.specs);
	return result;
}

void options_fini(struct options *options)
{
	vec_free(&options->pids);
	for (size_t i = 0; i < options->names.nr; i++)
		free((char *)options->names.items[i]);
	vec_free(&options->names);
	vec_free(&options->ranges);
}
