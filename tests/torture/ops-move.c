/* SPDX-License-Identifier: MIT */
/* This file makes, moves, grows, shrinks and removes mappings; the stack and the brk heap with them. */
#include <alloca.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutator.h"

enum {
	RW = PROT_READ | PROT_WRITE,
	PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS,
	CHUNK = 64 << 10,
	SLOT_PAGES = 256,
};

/* Where the kernel puts nothing by itself: what is away leaves a hole that stays one. */
#define PAIR_AT ((uintptr_t)0x600000000000)

/* Some pages of it, so that holes remain. */
static void touch_some(struct mutator *m, char *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		if (draw_below(m, 2) == 0)
			touch(m, at + i, PAGE);
	note(m, at, size);
}

static size_t some_size(struct mutator *m)
{
	return (1 + draw_below(m, SLOT_PAGES)) * PAGE;
}

/* A slot with memory in it; new memory when the slot drawn is free. */
static struct slot *some_slot(struct mutator *m)
{
	struct slot *slot = &m->slots[draw_below(m, NR_SLOTS)];

	if (slot->at == NULL) {
		slot->size = some_size(m);
		slot->at = mmap(NULL, slot->size, RW, PRIVATE, -1, 0);
		must(slot->at != MAP_FAILED, "mmap");
		touch_some(m, slot->at, slot->size);
	}
	return slot;
}

static void map_new(struct mutator *m)
{
	touch_some(m, some_slot(m)->at, PAGE);
}

static void unmap(struct mutator *m)
{
	struct slot *slot = some_slot(m);

	note(m, slot->at, slot->size);
	must(munmap(slot->at, slot->size) == 0, "munmap");
	slot->at = NULL;
}

/* Other memory at the same place at once. */
static void replace(struct mutator *m)
{
	struct slot *slot = some_slot(m);

	must(mmap(slot->at, slot->size, RW, PRIVATE | MAP_FIXED, -1, 0) == slot->at, "mmap over");
	touch_some(m, slot->at, slot->size);
}

/* Removed, and mapped anew a little later, in pieces of the areas that stay. */
static void unmap_and_map(struct mutator *m)
{
	size_t size;
	char *at = pick(m, AREA_ANON | AREA_THP, 4 * CHUNK, CHUNK, &size);

	must(munmap(at, size) == 0, "munmap");
	must(mmap(at, size, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0) == at, "mmap at the same place");
	touch_some(m, at, size);
}

static void resize(struct mutator *m)
{
	struct slot *slot = some_slot(m);
	size_t size = some_size(m);
	char *at;

	note(m, slot->at, slot->size);
	at = mremap(slot->at, slot->size, size, MREMAP_MAYMOVE);
	if (!agreed(m, at != MAP_FAILED))
		return;
	*slot = (struct slot){ .at = at, .size = size };
	touch_some(m, at, size);
}

/* To a place of its own choice, where something else may be: another slot. */
static void move_over(struct mutator *m)
{
	struct slot *from = some_slot(m);
	struct slot *to = some_slot(m);
	size_t size = from->size < to->size ? from->size : to->size;

	if (from == to)
		return;
	note(m, to->at, size);
	if (!agreed(m, mremap(from->at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to->at) == to->at)) {
		/* All the same what was there may be gone, and some mappings of several may have moved (6.17). */
		must(mmap(to->at, size, RW, PRIVATE | MAP_FIXED, -1, 0) == to->at, "mmap");
		must(mmap(from->at, size, RW, PRIVATE | MAP_FIXED, -1, 0) == from->at, "mmap");
		return;
	}
	if (size == from->size) {
		from->at = NULL;
	} else {
		from->at += size;
		from->size -= size;
	}
}

/* The pages go, the mapping stays empty. */
static void move_pages_only(struct mutator *m)
{
	struct slot *slot = some_slot(m);
	char *at;

	at = mremap(slot->at, slot->size, slot->size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (!agreed(m, at != MAP_FAILED))
		return;
	touch_some(m, slot->at, slot->size);
	must(munmap(slot->at, slot->size) == 0, "munmap");
	slot->at = at;
	note(m, at, slot->size);
}

/* Nothing else in this program extends the heap, so that its end is ours once it has begun. */
static void move_break(struct mutator *m)
{
	size_t size = draw_below(m, 64) * PAGE;

	if (m->heap == NULL) {
		uintptr_t end = (uintptr_t)sbrk(0);

		must(sbrk((intptr_t)(-end & (PAGE - 1))) != (void *)-1, "sbrk");
		m->heap = sbrk(0);
	}
	must(brk(m->heap + size) == 0, "brk");
	touch_some(m, m->heap, size);
}

/*
 * One half of a mapping leaves its neighbour, or comes back to it and becomes one mapping with it again; then the half
 * that never moved is written. userfaultfd's registration of that half ends when the other comes back, its protection
 * in the page tables does not.
 */
static void part(struct mutator *m)
{
	char *const pair = (char *)PAIR_AT;
	char *from = m->half;
	char *to;

	if (from == NULL) {
		must(mmap(pair, 2 * CHUNK, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0) == pair, "mmap");
		touch(m, pair, 2 * CHUNK);
		from = pair + CHUNK;
	}
	to = pair + (from == pair + CHUNK ? 3 : 1) * CHUNK;
	must(mremap(from, CHUNK, CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap");
	m->half = to;
	touch_some(m, pair, CHUNK);
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
	{ .name = "map", .flags = OP_MOVES, .run = map_new },
	{ .name = "unmap", .flags = OP_MOVES, .run = unmap },
	{ .name = "map-over", .flags = OP_MOVES, .run = replace },
	{ .name = "unmap-map", .flags = OP_MOVES, .run = unmap_and_map },
	{ .name = "mremap-size", .flags = OP_MOVES, .run = resize },
	{ .name = "mremap-over", .flags = OP_MOVES, .run = move_over },
	{ .name = "mremap-dontunmap", .flags = OP_MOVES, .run = move_pages_only },
	{ .name = "part", .flags = OP_MOVES, .run = part },
	{ .name = "stack", .flags = OP_MOVES, .run = grow_stack },
	{ .name = "brk", .flags = OP_MOVES, .run = move_break },
	{ 0 },
};

const struct family family_move = { .name = "move", .ops = OPS };
