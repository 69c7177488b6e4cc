/* SPDX-License-Identifier: MIT */
/* How a recording ended: one line for people, one exit code for programs. */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include "recording.h"
#include "say.h"

/* What is known only to the verb. */
struct verdict {
	const char *verb;   /* "recorded" or "watched" */
	bool natural;       /* the target's end is the recording's own: a command, or no duration was given */
	const char *remark; /* more about the end, e.g. how the command fared; NULL: nothing */
};

/* Says it, and returns the exit code. To be asked before the recording is closed. */
enum exit_code verdict_say(const struct recording *recording, const struct verdict *verdict);

#endif
