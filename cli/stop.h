/* SPDX-License-Identifier: MIT */
/* Signals that end a recording arrive on a descriptor, so that it ends in order; a command that is run gets none of
 * this. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <signal.h>
#include <stdbool.h>

#include <tidemark/error.h>

struct stop {
	int fd; /* readable when a signal has come; -1: not open */
	sigset_t old_mask;
	struct sigaction old_pipe;
};

/* From here on SIGINT, SIGTERM and SIGHUP (unless it was ignored: nohup) arrive at `fd`; SIGPIPE is ignored. */
int stop_open(struct stop *stop, struct tide_error *err);

/* Takes one signal: its number, 0 when there is none. `*from_terminal`: the whole foreground group got it too. */
int stop_take(const struct stop *stop, bool *from_terminal);

/* In a child before it executes: signals as they were found. */
void stop_undo_in_child(const struct stop *stop);

void stop_close(struct stop *stop);

#endif
