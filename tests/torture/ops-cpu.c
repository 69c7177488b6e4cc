/* SPDX-License-Identifier: MIT */
/* This file writes with the processor: to the areas. */
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

static const struct op OPS[] = {
	{ .name = "store", .run = store },
	{ .name = "store-run", .run = store_run },
	{ .name = "store-across", .run = store_across },
	{ .name = "look", .run = look },
	{ 0 },
};

const struct family family_cpu = { .name = "cpu", .ops = OPS };
