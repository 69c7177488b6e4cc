/* SPDX-License-Identifier: MIT */
/* Options are data: one table per group, from which parser, usage, help, manual and completions are made. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tidemark/monitor.h>

#include "base/vec.h"

struct verb;
struct option_spec;

enum color_mode {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* How memory that is pinned for devices is found. */
enum pins_mode {
	PINS_AUTO,
	PINS_WALKER,
	PINS_FDINFO,
	PINS_NONE,
};

/* What the command line said, all verbs' options in one; a verb reads those of its groups. Strings point into argv. */
struct options {
	VEC(pid_t) pids;
	VEC(const char *) names; /* of commands whose processes are meant; resolved into pids */
	bool children;
	VEC(struct tide_range) ranges;
	char **command; /* after --, NULL-terminated; NULL: none */
	const char *args[2];
	size_t nr_args;
	uint64_t duration_us; /* 0: not given */
	const char *output;
	const char *model;   /* a workload's file; NULL: not given */
	const char *program; /* verify's case; NULL: not given */
	struct tide_monitor_opts monitor;
	bool unguided;
	bool exact;
	bool auto_tune;
	bool writes;
	const char *sensor;
	uint64_t interval_us; /* of epochs; 0: not given */
	uint64_t count;       /* epochs, or operations; 0: not given */
	enum pins_mode pins;
	const char *backend;        /* of write tracking; NULL: the best */
	bool excludes;              /* reused mappings */
	uint64_t granularity_bytes; /* 0: not given, as the next two */
	uint64_t max_stall_us;      /* of one who writes */
	uint64_t throttle_bytes_per_s;
	bool runs;
	bool verify;
	bool quiet;
	bool progress;
	bool json;
	bool all;
	uint64_t last_us;       /* 0: not given */
	uint64_t width;         /* 0: as wide as the terminal */
	uint64_t picture_width; /* pixels; 0: not given */
	uint64_t picture_height;
	uint64_t top; /* 0: the report's default */
	enum color_mode color;
	bool summary;
	uint64_t limit;  /* rows of output; 0: no limit */
	uint64_t all_of; /* masks of enum tide_page_category */
	uint64_t any_of;
	uint64_t inverted;
	uint64_t returned; /* 0: not given */
	bool help;
};

/* Reads `text` (NULL for an option without argument) into `options`. */
typedef int option_parse_fn(struct options *options, const struct option_spec *spec, const char *text,
                            struct tide_error *err);

struct option_spec {
	const char *name; /* long, without dashes */
	int letter;       /* 0: none */
	const char *arg;  /* what the manual calls the argument; NULL: takes none */
	const char *help; /* one sentence, no full stop */
	option_parse_fn *parse;
	size_t offset;       /* of the member of struct options that general parse functions fill */
	const char *choices; /* words to complete, blank between them; "@file" files, "@pid" processes, "@sensor"
	                        sensors, "@case" verify's cases */
};

/* A heading and its options, ended by a NULL name. */
struct option_group {
	const char *title;
	const struct option_spec *specs;
};

extern const struct option_group option_group_pids;
extern const struct option_group option_group_model;
extern const struct option_group option_group_record;
extern const struct option_group option_group_one_shot;
extern const struct option_group option_group_monitor;
extern const struct option_group option_group_report;
extern const struct option_group option_group_recorded;
extern const struct option_group option_group_quiet;
extern const struct option_group option_group_doctor;
extern const struct option_group option_group_verify;
extern const struct option_group option_group_pages;
extern const struct option_group option_group_watch;
extern const struct option_group option_group_help;

/* Reads argv (argv[0] is the verb's) by the verb's tables. 0, or negative: words were said, the exit code is 2. */
int options_parse(struct options *options, const struct verb *verb, int argc, char **argv);
void options_fini(struct options *options);

#endif
