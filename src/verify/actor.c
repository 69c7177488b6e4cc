/* SPDX-License-Identifier: MIT */
/* This file is the life of an actor: the operations that come, and the processes that it forks. */
#include "verify/actor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "verify/ksm.h"

/* It ends with the master; the second look is for one that died before the first call. */
static void tie(const struct actor *actor)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != actor->master)
		sys_exit(1);
}

/* The child's parent is the master, too, so that it outlives this one. */
static int split(struct actor *actor, const struct model_op *op, pid_t *child)
{
	pid_t pid = sys_clone(CLONE_PARENT);

	if (pid != 0) {
		*child = pid;
		return pid < 0 ? pid : 0;
	}
	actor->process = op->to;
	tie(actor);
	actor_forget(actor);
	actor_serve(actor);
}

void actor_run(struct actor *actor, const struct model_op *op, struct actor_answer *answer)
{
	struct model_result *result = &answer->result;

	switch (op->kind) {
	case OP_MAP:
	case OP_MAP_HUGETLB:
	case OP_UNMAP:
	case OP_PROTECT:
		result->code = actor_mapping(actor, op);
		break;
	case OP_MOVE:
		result->code = actor_move(actor, op);
		break;
	case OP_READ:
	case OP_WRITE:
		result->code = actor_access(op, &result->value);
		break;
	case OP_MERGE:
		result->code = ksm_settle();
		break;
	case OP_MIGRATE:
		result->code = actor_migrate(op);
		break;
	case OP_FORK:
		result->code = split(actor, op, &answer->child);
		break;
	case OP_PIN:
		result->code = actor_pin(actor, op);
		break;
	case OP_UNPIN:
		result->code = actor_unpin(actor, op);
		break;
	case OP_DEVICE_WRITE:
	case OP_DEVICE_READ:
		result->code = actor_device(actor, op, &result->value);
		break;
	case OP_REGISTER:
	case OP_UNREGISTER:
	case OP_ARM:
	case OP_DISARM:
		result->code = actor_track(actor, op);
		break;
	case OP_REARM:
		result->code = actor_rearm(actor, op, result);
		break;
	case OP_SCAN:
		result->code = actor_scan(actor, op, result);
		break;
	case OP_CLEAR_SOFT:
	case OP_CLEAR_YOUNG:
		result->code = actor_clear(op);
		break;
	default:
		result->code = actor_advise(op);
	}
}

_Noreturn void actor_serve(struct actor *actor)
{
	int socket = actor->sockets[actor->process];
	struct model_op op;
	struct actor_answer answer;

	tie(actor);
	if (actor_catch_faults() < 0)
		sys_exit(1);
	while (sys_receive(socket, &op, sizeof(op)) == sizeof(op)) {
		bool ends = op.kind == OP_EXIT || (int)op.kind == ACTOR_QUIT;

		memset(&answer, 0, sizeof(answer));
		if (ends)
			actor_drop_pins(actor);
		else if ((int)op.kind == ACTOR_LOOK)
			actor_look(actor->board);
		else
			actor_run(actor, &op, &answer);
		if ((int)op.kind != ACTOR_QUIT && sys_send(socket, &answer, sizeof(answer)) < 0)
			break;
		if (ends)
			break;
	}
	sys_exit(0);
}
