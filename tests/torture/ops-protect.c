/* SPDX-License-Identifier: MIT */
/* This file takes permissions away and gives them back. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutator.h"

enum {
	RW = PROT_READ | PROT_WRITE,
	MOST = 64 << 10,
};

static void toggle(struct mutator *m, int protection)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	must(mprotect(at, size, protection) == 0, "mprotect");
	must(mprotect(at, size, RW) == 0, "mprotect");
	if (draw_below(m, 2) == 0)
		touch(m, at, size);
}

static void read_only(struct mutator *m)
{
	toggle(m, PROT_READ);
}

static void nothing(struct mutator *m)
{
	toggle(m, PROT_NONE);
}

/* As debuggers write: through read-only protection. */
static void force(struct mutator *m)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 4 * PAGE, PAGE, &size);

	must(mem >= 0, "/proc/self/mem");
	scribble(m, m->bounce, size);
	must(mprotect(at, size, PROT_READ) == 0, "mprotect");
	/* Later kernels let nobody do that but tracers. */
	agreed(m, pwrite(mem, m->bounce, size, (off_t)(uintptr_t)at) == (ssize_t)size);
	must(mprotect(at, size, RW) == 0, "mprotect");
	close(mem);
}

static void store(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, MOST, PAGE, &size);

	touch(m, at, size);
}

static const struct op OPS[] = {
	{ .name = "mprotect-read", .flags = OP_MOVES, .run = read_only },
	{ .name = "mprotect-none", .flags = OP_MOVES, .run = nothing },
	{ .name = "force-write", .flags = OP_MOVES | OP_SHORT_PINS, .run = force },
	{ .name = "protect-store", .flags = OP_MOVES, .run = store },
	{ 0 },
};

const struct family family_protect = { .name = "protect", .ops = OPS };
