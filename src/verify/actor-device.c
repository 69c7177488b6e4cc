/* SPDX-License-Identifier: MIT */
/* This file is an actor's device: an io_uring for each fixed buffer, and a pipe that it reads from and writes into. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kernel/sys.h"
#include "verify/actor.h"

int actor_pin(struct actor *actor, const struct model_op *op)
{
	struct actor_pin *pin = &actor->pins[op->to];
	int result = 0;

	if (pin->ring.fd < 0)
		result = uring_open(&pin->ring);
	if (result < 0)
		return result;
	result = uring_pin(&pin->ring, (void *)(uintptr_t)actor_address(op->page), (size_t)op->nr * 4096);
	if (result == 0)
		pin->start = actor_address(op->page);
	return result;
}

int actor_unpin(struct actor *actor, const struct model_op *op)
{
	struct actor_pin *pin = &actor->pins[op->to];

	return pin->ring.fd < 0 ? -ENXIO : uring_unpin(&pin->ring);
}

int actor_device(struct actor *actor, const struct model_op *op, uint64_t *value)
{
	struct actor_pin *pin = &actor->pins[op->to];
	void *word = (void *)(uintptr_t)(pin->start + (uint64_t)op->page * 4096);
	uint64_t sink;
	int result;

	if (pin->ring.fd < 0)
		return -EFAULT; /* as a ring without buffers answers */
	if (actor->pipe[0] < 0 && pipe2(actor->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (op->kind == OP_DEVICE_READ) {
		result = uring_write_pinned(&pin->ring, actor->pipe[1], 0, word, sizeof(*value));
		return result < 0                                                          ? result
		       : sys_read(actor->pipe[0], value, sizeof(*value)) == sizeof(*value) ? 0
		                                                                           : -EIO;
	}
	if (write(actor->pipe[1], &op->value, sizeof(op->value)) != sizeof(op->value))
		return -EIO;
	result = uring_read_pinned(&pin->ring, actor->pipe[0], 0, word, sizeof(op->value));
	if (result < 0)
		(void)sys_read(actor->pipe[0], &sink, sizeof(sink));
	return result;
}

void actor_drop_pins(struct actor *actor)
{
	for (int i = 0; i < MODEL_PINS; i++) {
		if (actor->pins[i].ring.fd < 0)
			continue;
		/* A ring that is closed unpins later, and others would see that. */
		(void)uring_unpin(&actor->pins[i].ring);
		uring_close(&actor->pins[i].ring);
	}
}
