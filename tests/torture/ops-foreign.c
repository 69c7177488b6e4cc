/* SPDX-License-Identifier: MIT */
/* This file lets another process write to this one's memory. */
#include "mutator.h"

enum {
	MOST = 32 << 10,
};

static void vm_writev(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, 8, &size);

	peer_write(m, PEER_VM_WRITEV, at, size);
}

static void proc_mem(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, 8, &size);

	peer_write(m, PEER_PROC_MEM, at, size);
}

static void poke(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 64, 8, &size);

	peer_write(m, PEER_PTRACE, at, size);
}

static const struct op OPS[] = {
	{ .name = "process_vm_writev", .flags = OP_SHORT_PINS, .run = vm_writev },
	{ .name = "proc-mem", .flags = OP_SHORT_PINS, .run = proc_mem },
	{ .name = "ptrace-poke", .flags = OP_SHORT_PINS, .run = poke },
	{ 0 },
};

const struct family family_foreign = { .name = "foreign", .ops = OPS };
