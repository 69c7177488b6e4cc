/* SPDX-License-Identifier: MIT */
/* Whom the command line means: processes by number, or by the name of the command that they run. */
#ifndef CLI_WHOM_H
#define CLI_WHOM_H

#include "options.h"

/*
 * Adds to options->pids every process that runs a command of options->names: neither kernel threads, nor ourselves, nor
 * what has exited. Errors: GONE a name that nobody has (with the nearest that somebody has); LIMIT; SYSTEM.
 */
int whom_resolve(struct options *options, struct tide_error *err);

/* USAGE unless exactly one process is meant; `what` is what is wanted with it, as in "nothing to watch". */
int whom_check_one(const struct options *options, const char *what, struct tide_error *err);

/* USAGE when addresses are given for more than one process. */
int whom_check_ranges(const struct options *options, struct tide_error *err);

#endif
