/* SPDX-License-Identifier: MIT */
/* This file writes with the processor: to areas, to a growing stack. */
#include <alloca.h>
#include <string.h>

#include "mutator.h"

static void store(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, PAGE, 8, &size);

	*(volatile uint64_t *)at = draw(m);
}

static void store_run(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 64 << 10, PAGE, &size);

	touch(m, at, size);
}

static void store_across(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 4 * PAGE, PAGE, &size);
	uint64_t word = draw(m);

	if (size > PAGE)
		memcpy(at + PAGE - 3, &word, sizeof(word)); /* one store over the border of two pages */
}

/* Reads pages that may never have been written: the zero page comes, later a write replaces it. */
static void look(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_PRIVATE, 64 << 10, PAGE, &size);

	for (size_t i = 0; i < size; i += PAGE)
		(void)*(volatile char *)(at + i);
	touch(m, at, PAGE);
}

static void __attribute__((noinline)) descend(struct mutator *m, size_t size)
{
	char *frame = alloca(size);

	touch(m, (char *)(((uintptr_t)frame + PAGE - 1) & ~(uintptr_t)(PAGE - 1)), size - PAGE);
}

static void grow_stack(struct mutator *m)
{
	size_t size = (2 + draw_below(m, draw_below(m, 16) == 0 ? 256 : 16)) * PAGE;

	note(m, __builtin_frame_address(0), size);
	descend(m, size);
}

static const struct op OPS[] = {
	{ .name = "store", .run = store },
	{ .name = "store-run", .run = store_run },
	{ .name = "store-across", .run = store_across },
	{ .name = "look", .run = look },
	{ .name = "stack", .run = grow_stack },
	{ 0 },
};

const struct family family_cpu = { .name = "cpu", .ops = OPS };
