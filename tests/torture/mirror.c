/* SPDX-License-Identifier: MIT */
/* This file keeps a copy of a process' memory, page by page. */
#include "mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SLOTS = 1 << 14,
	BATCH = 512, /* pages whose pagemap entries are read at once */
};

static size_t slot_of(const struct mirror *mirror, uint64_t address)
{
	size_t slot = (address / PAGE * 0x9e3779b97f4a7c15) >> 20 & (mirror->nr_slots - 1);

	while (mirror->slots[slot] != NULL && mirror->slots[slot]->address != address)
		slot = (slot + 1) & (mirror->nr_slots - 1);
	return slot;
}

static void *must_get(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "no memory for the mirror\n");
		exit(1);
	}
	return memory;
}

static void grow(struct mirror *mirror)
{
	struct mirror old = *mirror;

	mirror->nr_slots = old.nr_slots == 0 ? FIRST_SLOTS : old.nr_slots * 2;
	mirror->slots = must_get(calloc(mirror->nr_slots, sizeof(struct mirror_page *)));
	for (size_t i = 0; i < old.nr_slots; i++)
		if (old.slots[i] != NULL)
			mirror->slots[slot_of(mirror, old.slots[i]->address)] = old.slots[i];
	free(old.slots);
}

const struct mirror_page *mirror_find(const struct mirror *mirror, uint64_t address)
{
	return mirror->nr_slots == 0 ? NULL : mirror->slots[slot_of(mirror, address)];
}

/* The page of `address`, made if there is none. */
static struct mirror_page *get(struct mirror *mirror, uint64_t address)
{
	size_t slot;

	if (2 * mirror->nr_pages >= mirror->nr_slots)
		grow(mirror);
	slot = slot_of(mirror, address);
	if (mirror->slots[slot] == NULL) {
		mirror->slots[slot] = must_get(calloc(1, sizeof(struct mirror_page)));
		mirror->slots[slot]->address = address;
		mirror->nr_pages++;
	}
	return mirror->slots[slot];
}

bool mirror_was_there(const struct mirror_page *page)
{
	return page->past[(page->nr_copies - 1) % NR_PAST].there;
}

static void copy_page(struct mirror *mirror, const struct proc *proc, const struct vmas *vmas, uint64_t address,
                      bool there, const struct mirror_copy *why)
{
	struct mirror_page *page;

	if (!there && mirror_find(mirror, address) == NULL && !vmas_share(vmas, address))
		return;
	page = get(mirror, address);
	there = there && proc_page(proc, address, page->bytes);
	page->past[page->nr_copies % NR_PAST] = *why;
	page->past[page->nr_copies++ % NR_PAST].there = there;
	if (!there)
		memset(page->bytes, 0, PAGE);
}

void mirror_take(struct mirror *mirror, const struct proc *proc, const struct vmas *vmas, uint64_t start, uint64_t end,
                 const struct mirror_copy *why)
{
	uint64_t entries[BATCH];

	for (uint64_t at = start; at < end; at += BATCH * PAGE) {
		size_t nr = (size_t)((end - at) / PAGE < BATCH ? (end - at) / PAGE : BATCH);

		proc_pagemap(proc, at, nr, entries);
		for (size_t i = 0; i < nr; i++)
			copy_page(mirror, proc, vmas, at + i * PAGE, proc_there(entries[i]), why);
	}
}

void mirror_keep(struct mirror *mirror, mirror_fn *is_mapped, const void *arg)
{
	for (size_t i = 0; i < mirror->nr_slots; i++)
		if (mirror->slots[i] != NULL && !is_mapped(arg, mirror->slots[i]->address))
			memset(mirror->slots[i]->bytes, 0, PAGE);
}

void mirror_free(struct mirror *mirror)
{
	for (size_t i = 0; i < mirror->nr_slots; i++)
		free(mirror->slots[i]);
	free(mirror->slots);
	*mirror = (struct mirror){ 0 };
}
