/* SPDX-License-Identifier: MIT */
/* A session whose samples go into a store: what `record` and the one-shot reports have in common. */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include <tidemark/session.h>

#include "options.h"
#include "progress.h"
#include "record/record.h"
#include "stop.h"

enum ending {
	ENDED_BY_DURATION,
	ENDED_BY_STOP,   /* a signal */
	ENDED_BY_TARGET, /* the last one exited or executed another program */
	ENDED_BY_ERROR,
};

/*
 * The store comes into being with the first sample: a recording that saw nothing leaves no file behind, and replaces
 * none.
 */
struct recording {
	const struct options *options;
	const char *path; /* NULL: an unnamed temporary store */
	bool path_is_new; /* there was no file */
	uint64_t duration_us;
	struct tide_session *session;
	struct record_writer *writer; /* NULL before the first sample */
	struct progress progress;
	struct tide_session_cost cost; /* as of the last sample */
	enum ending ending;
	struct tide_error end; /* the sentence, for ENDED_BY_TARGET and ENDED_BY_ERROR */
};

/* Checks that `path` can be recorded to, then opens a session. No process is touched yet. */
int recording_open(struct recording *recording, const struct options *options, const char *path, uint64_t duration_us,
                   struct tide_error *err);

/* What a record says of what was asked for; the rest is the caller's. */
struct record_info recording_info(const struct tide_monitor *monitor);

/* Adds a process, and says what there is to say about it. */
int recording_watch(struct recording *recording, pid_t pid, struct tide_error *err);

/* Runs to the end; recording->ending says to which. */
void recording_run(struct recording *recording, const struct stop *stop);

/* Completes and closes the store; a file without samples is removed. 0, or negative when what was recorded is not safe.
 */
int recording_finish(struct recording *recording, struct tide_error *err);

/* "process 12 (sleep)", "3 processes", both with what they started, into `buf`, which is returned. */
const char *recording_whom(const struct recording *recording, char *buf, size_t size);

/* Closes everything; a store that was not finished stays as after a kill. */
void recording_close(struct recording *recording);

#endif
