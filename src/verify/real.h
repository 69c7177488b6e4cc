/* SPDX-License-Identifier: MIT */
/* The kernel's side: processes of ours that perform the operations, and what the kernel tells of their memory. */
#ifndef VERIFY_REAL_H
#define VERIFY_REAL_H

#include <sched.h>
#include <sys/types.h>

#include <tidemark/error.h>

#include "verify/actor.h"
#include "verify/powers.h"
#include "verify/side.h"

/* A process as it is looked at from outside; pid 0: not there. */
struct real_process {
	pid_t pid;
	int pidfd;
	int pagemap;
	int memory;
	int socket; /* ours, to the actor */
	bool hangs; /* an operation took too long: it is not asked to end */
};

struct real {
	struct side side;
	struct powers powers;
	struct real_process processes[MODEL_PROCESSES];
	struct actor *actor; /* as it is to be in the first process */
	int file;
	bool file_changed;
	cpu_set_t cpus; /* where we ran before */
	char why[160];  /* after a failure: what the kernel's side died of, or why there is none; else empty */
};

/*
 * Asks what can be done here. From here on we run on one processor, as the actors do: whose turn it is costs no waking
 * of another one. 0 or negative.
 */
int real_open(struct real *real, struct tide_error *err);

/* Ends all actors. One that did not open is fine. */
void real_close(struct real *real);

/* Sends `op`, which may be one of an actor's own, and waits for what comes of it. 0 or -errno; real->why says more. */
int real_ask(struct real *real, const struct model_op *op, struct actor_answer *answer);

/*
 * side_ops.look. What its entry calls present is read: only a page that was reclaimed since then is faulted in. Its
 * first word stands for its contents.
 */
int real_look(struct side *side, unsigned process, struct model_seen *seen);

#endif
