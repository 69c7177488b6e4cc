/* SPDX-License-Identifier: MIT */
/* This file prints reports to standard output. */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "options.h"
#include "picture-file.h"
#include "say.h"

const struct report *output_find_report(const char *name)
{
	for (const struct report *report = reports; report->name != NULL; report++)
		if (strcmp(report->name, name) == 0)
			return report;
	return NULL;
}

int output_check_options(const struct report *report, const struct options *options, struct tide_error *err)
{
	if (options->all && options->last_us != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--last and --all contradict each other: give one of them");
	if (options->writes && !report->tells_writes)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "%s tells nothing of writes, only wss, heatmap and regions do: leave --writes out",
		                 report->name);
	return picture_file_check(report, options, err);
}

bool output_wants_color(const struct options *options)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (options->color != COLOR_AUTO)
		return options->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == 0) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

int output_width(const struct options *options)
{
	struct winsize size;

	if (options->width != 0)
		return (int)options->width;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col >= 20 ? size.ws_col : 0;
}

bool output_reader_left(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

int output_judge(int result)
{
	return result < 0 && ferror(stdout) && output_reader_left() ? 0 : result;
}

int output_report(const struct report *report, struct record_reader *reader, const struct options *options,
                  struct tide_error *err)
{
	struct report_opts opts = {
		.last_us = options->all ? UINT64_MAX : options->last_us,
		.json = options->json,
		.color = output_wants_color(options),
		.width = output_width(options),
		.top = options->top,
		.writes = options->writes,
	};

	if (options->output != NULL)
		return picture_file_write(report, reader, &opts, options, err);
	return output_judge(report->write(reader, &opts, stdout, err));
}

int output_close(int code)
{
	bool failed = fflush(stdout) != 0;
	int why = failed ? errno : EIO;

	if (code != EXIT_DONE || (!failed && !ferror(stdout)) || output_reader_left())
		return code; /* a failure has been told by whoever it stopped */
	say("cannot write to standard output: %s", strerror(why));
	return EXIT_FAILED;
}
