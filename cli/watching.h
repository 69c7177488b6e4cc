/* SPDX-License-Identifier: MIT */
/* Epochs of a write tracker, one after another until there is a reason to end, each to standard output. */
#ifndef CLI_WATCHING_H
#define CLI_WATCHING_H

#include <tidemark/watch.h>

#include "options.h"
#include "recording.h"
#include "report/writes.h"
#include "stop.h"
#include "verify/shadow.h"

enum {
	WATCHING_RUNS = 1024,
};

struct watching {
	const struct options *options;
	struct tide_target *target;
	struct tide_watch *watch;
	const char *pins;      /* their name */
	struct shadow *shadow; /* NULL: nothing is verified */
	struct writes writes;
	int timer;
	uint64_t interval_ns;
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	uint64_t next_ns;  /* when the epoch ends */
	bool overrun_said;
	unsigned nr_failures;  /* collects in a row */
	enum ending ending;    /* by duration: --count was reached */
	struct tide_error end; /* the sentence, for ENDED_BY_TARGET and ENDED_BY_ERROR */
	struct tide_run runs[WATCHING_RUNS];
};

/* Opens `pid` and arms it; says with which means. 0 or negative. */
int watching_open(struct watching *watching, const struct options *options, pid_t pid, struct tide_error *err);

/* Runs to the end; watching->ending says to which. */
void watching_run(struct watching *watching, const struct stop *stop);

/* The process is as it was found. */
void watching_close(struct watching *watching);

#endif
