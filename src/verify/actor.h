/* SPDX-License-Identifier: MIT */
/*
 * A process that performs operations on its arena, one after another, as they come through its socket. It does nothing
 * else there, ends with the process that made the first one (however that ends), and with its socket.
 */
#ifndef VERIFY_ACTOR_H
#define VERIFY_ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/pagescan.h"
#include "kernel/uring.h"
#include "model/op.h"

/* Of the kinds of operations two more. */
enum {
	ACTOR_QUIT = NR_MODEL_OPS, /* end in order, with nothing pinned; there is no answer */
	ACTOR_LOOK,                /* what the pages on the board hold */
};

/*
 * Memory that all actors and the master share. Pages were present a moment ago: to read them faults in only what was
 * reclaimed since.
 */
struct actor_board {
	uint32_t nr;
	uint32_t pages[MODEL_PAGES];
	uint64_t values[MODEL_PAGES];
	bool unreadable[MODEL_PAGES]; /* protected from its own process */
};

struct actor_pin {
	struct uring ring; /* fd < 0: none yet */
	uint64_t start;    /* address of what was pinned last */
};

struct actor {
	unsigned process; /* which one this is */
	pid_t master;
	int sockets[MODEL_PROCESSES]; /* of each process that may come into being */
	struct actor_board *board;
	int file; /* what MODEL_FILE maps */
	int uffd; /* < 0: none yet, as the others */
	int pagemap;
	int pipe[2]; /* what devices read and write */
	struct actor_pin pins[MODEL_PINS];
	struct pagescan_region regions[MODEL_PAGES];
};

struct actor_answer {
	struct model_result result;
	pid_t child; /* of OP_FORK */
};

/* Serves until it is told to quit, or its socket ends. */
_Noreturn void actor_serve(struct actor *actor);

/* Performs one operation; -ENOSYS: nobody knows how. */
void actor_run(struct actor *actor, const struct model_op *op, struct actor_answer *answer);

/* Each group of operations: a result code. */
int actor_mapping(struct actor *actor, const struct model_op *op);
int actor_move(struct actor *actor, const struct model_op *op);
int actor_access(const struct model_op *op, uint64_t *value);
void actor_look(struct actor_board *board);
int actor_advise(const struct model_op *op);
int actor_migrate(const struct model_op *op);
int actor_pin(struct actor *actor, const struct model_op *op);
int actor_unpin(struct actor *actor, const struct model_op *op);
int actor_device(struct actor *actor, const struct model_op *op, uint64_t *value);
int actor_track(struct actor *actor, const struct model_op *op);
int actor_rearm(struct actor *actor, const struct model_op *op, struct model_result *result);
int actor_scan(struct actor *actor, const struct model_op *op, struct model_result *result);
int actor_clear(const struct model_op *op);

/* Lets go of everything that is pinned, and of what holds it. */
void actor_drop_pins(struct actor *actor);

/* In a new process: what its parent had of the kernel is not its own. */
void actor_forget(struct actor *actor);

/* Accesses that would be killed are -EFAULT from now on. */
int actor_catch_faults(void);

static inline uint64_t actor_address(uint32_t page)
{
	return MODEL_BASE + (uint64_t)page * 4096;
}

#endif
