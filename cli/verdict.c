/* SPDX-License-Identifier: MIT */
/* This file sums a recording up. */
#include "verdict.h"

#include <stdio.h>
#include <sys/stat.h>

#include "units.h"

static bool saw_nothing(const struct recording *recording)
{
	return recording->progress.nr_samples == 0;
}

/* How it came to its end, as the beginning of a sentence; "" when it simply did. */
static void how_it_ended(const struct recording *recording, char *buf, size_t size)
{
	const char *text = "";

	switch (recording->ending) {
	case ENDED_BY_DURATION:
		break;
	case ENDED_BY_STOP:
		text = "interrupted";
		break;
	case ENDED_BY_TARGET:
	case ENDED_BY_ERROR:
		text = recording->end.text;
		break;
	}
	snprintf(buf, size, "%s%s", text, *text ? "; " : "");
}

/* " in tidemark.db (1.2 MiB)", or nothing for a store without a name. */
static void where(const struct recording *recording, char *buf, size_t size)
{
	char bytes[UNITS_TEXT_SIZE];
	struct stat status;

	buf[0] = 0;
	if (recording->path == NULL)
		return;
	if (stat(recording->path, &status) == 0)
		snprintf(buf, size, " in %.200s (%s)", recording->path,
		         units_size_text(bytes, (uint64_t)status.st_size));
	else
		snprintf(buf, size, " in %.200s", recording->path);
}

static void say_summary(const struct recording *recording, const struct verdict *verdict)
{
	char ended[260];
	char whom[96];
	const char *why;
	size_t nr_unwatched;
	char time[UNITS_TEXT_SIZE];
	char asked[UNITS_TEXT_SIZE + 32] = "";
	char place[280];
	char cost[PROGRESS_COST_SIZE];

	how_it_ended(recording, ended, sizeof(ended));
	where(recording, place, sizeof(place));
	progress_cost_text(&recording->progress, &recording->cost, cost, sizeof(cost));
	if (recording->ending != ENDED_BY_DURATION && recording->duration_us != 0)
		snprintf(asked, sizeof(asked), " (%s were asked for)",
		         units_duration_text(time, recording->duration_us));
	say("%s%s %s%s of %s: %llu samples%s; %s%s%s", ended, verdict->verb,
	    units_duration_text(time, recording->cost.wall_ns / 1000), asked,
	    recording_whom(recording, whom, sizeof(whom)), (unsigned long long)recording->progress.nr_samples, place,
	    cost, verdict->remark ? "; " : "", verdict->remark ? verdict->remark : "");
	nr_unwatched = tide_session_unwatched(recording->session, &why);
	if (nr_unwatched > 0)
		say("note: %zu that were started are not in it: %s", nr_unwatched, why);
}

static enum exit_code code_of(const struct recording *recording, const struct verdict *verdict)
{
	switch (recording->ending) {
	case ENDED_BY_ERROR:
		return exit_code_of(&recording->end);
	case ENDED_BY_TARGET:
		return verdict->natural && !saw_nothing(recording) ? EXIT_DONE : EXIT_GONE;
	default:
		return saw_nothing(recording) ? EXIT_FAILED : EXIT_DONE;
	}
}

enum exit_code verdict_say(const struct recording *recording, const struct verdict *verdict)
{
	enum exit_code code = code_of(recording, verdict);
	char ended[260];

	if (recording->ending == ENDED_BY_ERROR)
		say_error(&recording->end);
	if (saw_nothing(recording)) {
		how_it_ended(recording, ended, sizeof(ended));
		if (recording->ending != ENDED_BY_ERROR)
			say("%snothing was %s: it was over before the first sample", ended, verdict->verb);
	} else if (!recording->options->quiet || code != EXIT_DONE) {
		say_summary(recording, verdict);
	}
	return code;
}
