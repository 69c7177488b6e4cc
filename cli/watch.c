/* SPDX-License-Identifier: MIT */
/* This file is the verb `watch`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "option-parse.h"
#include "output.h"
#include "say.h"
#include "units.h"
#include "verbs.h"
#include "watching.h"
#include "whom.h"

#define AT(member) offsetof(struct options, member)

enum {
	MIN_GRANULARITY = 4 << 10,
	MAX_GRANULARITY = 2 << 20,
};

static int parse_count(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	return units_parse_count(text, "a number of epochs", 1, UINT64_MAX, &options->count, err);
}

static int parse_top(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	return units_parse_count(text, "a number of mappings", 1, 1000000000, &options->top, err);
}

static int parse_pins(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	static const char *const names[] = {
		[PINS_AUTO] = "auto", [PINS_WALKER] = "walker", [PINS_FDINFO] = "fdinfo", [PINS_NONE] = "none"
	};

	for (int i = PINS_AUTO; i <= PINS_NONE; i++) {
		if (strcmp(text, names[i]) == 0) {
			options->pins = (enum pins_mode)i;
			return 0;
		}
	}
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not one of auto, walker, fdinfo and none", text);
}

static int parse_backend(struct options *options, const struct option_spec *spec, const char *text,
                         struct tide_error *err)
{
	static const char *const names[] = { "uffd_async", "uffd_log", "soft_dirty" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			options->backend = text;
			return 0;
		}
	}
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not one of uffd_async, uffd_log and soft_dirty",
	                 text);
}

static int parse_granularity(struct options *options, const struct option_spec *spec, const char *text,
                             struct tide_error *err)
{
	uint64_t *bytes = &options->granularity_bytes;
	int result = units_parse_size(text, bytes, err);

	if (result == 0 && (*bytes < MIN_GRANULARITY || *bytes > MAX_GRANULARITY || (*bytes & (*bytes - 1)) != 0))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' is not a power of two from 4KiB to 2MiB, as 64KiB is", text);
	return result;
}

static int parse_reused(struct options *options, const struct option_spec *spec, const char *text,
                        struct tide_error *err)
{
	if (strcmp(text, "include") != 0 && strcmp(text, "exclude") != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not one of include and exclude", text);
	options->excludes = text[0] == 'e';
	return 0;
}

static const struct option_spec specs[] = {
	{ "pid", 'p', "PID|NAME", "The process to watch: its number, or the name of the command that it runs",
	  option_parse_pids, 0, "@pid" },
	{ "interval", 'i', "TIME", "Report this often (default: 1s)", option_parse_interval, AT(interval_us), NULL },
	{ "count", 'n', "NUMBER", "Stop after so many epochs (default: when the process ends)", parse_count, 0, NULL },
	{ "range", 0, "START-END", "Watch these addresses (hexadecimal) only; may be given more than once",
	  option_parse_range, 0, NULL },
	{ "runs", 0, NULL, "Print each run of written pages, too", option_parse_flag, AT(runs), NULL },
	{ "verify", 0, NULL,
	  "Read all memory after each epoch, and find changes that were not reported: exit status 1 if there are any",
	  option_parse_flag, AT(verify), NULL },
	{ "pins", 0, "HOW",
	  "Find memory that is pinned for devices by the page-table walker, by io_uring's own lists (fdinfo), or not "
	  "at all "
	  "(none) (default: auto, the best that privileges allow)",
	  parse_pins, 0, "auto walker fdinfo none" },
	{ "backend", 0, "NAME",
	  "How to track writes: uffd_async, for which no writer waits; uffd_log, for big processes that write little: "
	  "its cost follows what is written, not what is mapped, but the first write to each page waits for some "
	  "microseconds; or soft_dirty, which older kernels have: the process stands still in each epoch, and nothing "
	  "is exact (default: uffd_async where it works, else soft_dirty)",
	  parse_backend, 0, "uffd_async uffd_log soft_dirty" },
	{ "granularity", 0, "SIZE",
	  "With uffd_log, report writes in pieces of this size, a power of two from 4KiB to 2MiB: the larger, the "
	  "fewer writes wait, and at 2MiB huge pages are not split (default: 4KiB)",
	  parse_granularity, 0, "4KiB 64KiB 2MiB" },
	{ "max-stall", 0, "TIME",
	  "With uffd_log, let no write wait for longer than this; if the list is full even then, what is written is "
	  "reported as over (default: 100ms)",
	  option_parse_interval, AT(max_stall_us), NULL },
	{ "throttle", 0, "SIZE",
	  "With uffd_log, slow the process down where it begins to write to more memory than this per second; no write "
	  "waits for longer than --max-stall (default: no limit)",
	  option_parse_bytes, AT(throttle_bytes_per_s), NULL },
	{ "reused", 0, "HOW",
	  "With soft-dirty bits, what to report of a mapping that is new, or was merged with a new one: all its pages "
	  "(include), or only those that have a mark of their own, which may miss writes (exclude) (default: include)",
	  parse_reused, 0, "include exclude" },
	{ "top", 0, "NUMBER", "List at most so many mappings, those most written first (default: 3, and 10 at the end)",
	  parse_top, 0, NULL },
	{ "json", 0, NULL, "Print JSON, one object per line", option_parse_flag, AT(json), NULL },
	{ "width", 0, "COLUMNS", "Write so wide (default: the terminal's width, else 80)", option_parse_width, 0,
	  NULL },
	{ 0 },
};

const struct option_group option_group_watch = { "What to watch, and what to show", specs };

/* Refused before a process is looked at. */
static int check_list(const struct options *options, struct tide_error *err)
{
	const char *given = options->granularity_bytes != 0      ? "granularity"
	                    : options->max_stall_us != 0         ? "max-stall"
	                    : options->throttle_bytes_per_s != 0 ? "throttle"
	                                                         : NULL;

	if (given == NULL || (options->backend != NULL && strcmp(options->backend, "uffd_log") == 0))
		return 0;
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
	                 "--%s is for --backend uffd_log only: ask for that, or leave --%s out", given, given);
}

static int check_usage(const struct options *options, struct tide_error *err)
{
	int result = whom_check_one(options, "watch", err);

	return result == 0 ? check_list(options, err) : result;
}

static void say_ending(const struct watching *watching, const char *how)
{
	char time[UNITS_TEXT_SIZE];

	say("%s; watched %s of process %d (%s): %llu epochs", how, units_duration_text(time, watching->writes.at_us),
	    (int)tide_target_pid(watching->target), tide_target_name(watching->target),
	    (unsigned long long)watching->writes.nr_epochs);
}

/* How it ended: in words, and as an exit code. */
static enum exit_code conclude(const struct watching *watching)
{
	const struct options *options = watching->options;
	enum exit_code code = EXIT_DONE;

	if (watching->ending == ENDED_BY_ERROR && output_reader_left())
		return EXIT_DONE;
	if (watching->ending == ENDED_BY_ERROR)
		return say_error(&watching->end);
	if (watching->ending == ENDED_BY_TARGET && (options->count != 0 || watching->writes.nr_epochs == 0))
		code = EXIT_GONE;
	if (watching->ending == ENDED_BY_TARGET && (code != EXIT_DONE || !options->quiet))
		say_ending(watching, watching->end.text);
	if (watching->ending == ENDED_BY_STOP && !options->quiet)
		say_ending(watching, "interrupted");
	if (watching->writes.verified.nr_lost == 0)
		return code;
	say("%llu changed pages were not reported: %s", (unsigned long long)watching->writes.verified.nr_lost,
	    (watching->writes.blind & TIDE_BLIND_DEVICE_WRITES) != 0
	            ? "devices may have written them, for not all pins are looked for (--pins)"
	            : "this kernel's tracking, or this program, is wrong");
	return EXIT_FAILED;
}

int verb_watch(const struct verb *verb, const struct options *options)
{
	struct watching watching = { .timer = -1 };
	struct stop stop = { .fd = -1 };
	struct tide_error err = { 0 };
	int result = check_usage(options, &err);
	enum exit_code code;

	if (result == 0)
		result = stop_open(&stop, &err);
	if (result == 0)
		result = watching_open(&watching, options, options->pids.items[0], &err);
	if (result == 0) {
		watching_run(&watching, &stop);
		code = conclude(&watching);
	} else {
		code = say_error(&err);
	}
	watching_close(&watching);
	stop_close(&stop);
	return code;
}
