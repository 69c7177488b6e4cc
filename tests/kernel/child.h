/* SPDX-License-Identifier: MIT */
/* Processes for tests to look at. They do one thing at a time, when told, and die with the test. */
#ifndef TESTS_KERNEL_CHILD_H
#define TESTS_KERNEL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int go;    /* the test writes here, */
	int ready; /* and reads here */
};

/* Runs in the child; it exits with what `fn` returns. `in` and `out` are for child_pause() and child_say(). */
typedef int child_fn(int in, int out, void *arg);

/* Forks and waits until the child has said a byte. Ends the test program when it cannot. */
void child_start(struct child *child, child_fn *fn, void *arg);

/* In the test: lets the child go on, and waits until it has said the next byte; child_tell() does not wait. */
void child_step(struct child *child);
void child_tell(struct child *child);

/* Kills and reaps. A child that was ended, or never started (all zero), is fine. */
void child_end(struct child *child);

/* Kills and leaves a zombie. */
void child_kill(struct child *child);

/* The children of `parent`, by number: how many, `max` of them at most. */
unsigned child_list(pid_t parent, pid_t *children, unsigned max);

/*
 * Reaps what dies, adopted children too (PR_SET_CHILD_SUBREAPER), until `nr` children are left. false: there are more
 * after a minute.
 */
bool child_reap_to(unsigned nr);

/* In the child: says a byte; waits for one (and exits when the test is gone); both, for ever. */
void child_say(int out);
void child_pause(int in);
void child_serve(int in, int out);

/* In the child, a child_fn: writes to memory, and says a byte each time it is asked if all is as it was written. */
int child_keep_memory(int in, int out, void *unused);

/* Runs `fn` as another user, in a process of its own. What waitpid(2) says of it: 0, it returned 0. */
int child_as_nobody(int (*fn)(void *arg), void *arg);

#endif
