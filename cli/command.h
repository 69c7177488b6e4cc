/* SPDX-License-Identifier: MIT */
/* A command that is run to be watched: started, waited for, and ended when watching ends first. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "stop.h"

struct command {
	pid_t pid; /* 0: none was started, or it has been reaped */
	int pidfd;
	int status; /* of waitpid(2), once reaped */
};

#define COMMAND_NONE ((struct command){ .pidfd = -1 })

/* Runs argv and returns when the program has taken the place of the fork. Errors: USAGE it cannot be run; LIMIT;
 * SYSTEM. */
int command_start(struct command *command, char **argv, const struct stop *stop, struct tide_error *err);

/* Waits for its end: 1 it has ended and was reaped; 0 a signal came first, or `timeout_ms` (-1: none) passed. */
int command_wait(struct command *command, const struct stop *stop, int timeout_ms);

/* Ends it: SIGTERM, and SIGKILL when that has not helped for 5 s or another signal arrives. Reaps it. Does nothing to
 * none. */
void command_end(struct command *command, const struct stop *stop);

/* "exited with status 3", "was killed by signal 15 (Terminated)"; NULL when it ended with status 0. Only once reaped.
 */
const char *command_status_text(const struct command *command, char *buf, size_t size);

#endif
