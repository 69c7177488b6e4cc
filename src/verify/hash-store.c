/* SPDX-License-Identifier: MIT */
/* This file packs the hashes of pages into blocks. */
#include "verify/hash-store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)

static bool test_bit(const uint64_t *words, size_t i)
{
	return (words[i / 64] >> (i % 64) & 1) != 0;
}

static void set_bit(uint64_t *words, size_t i)
{
	words[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Of the bits below `end`. */
static size_t count_bits(const uint64_t *words, size_t end)
{
	size_t nr = 0;

	for (size_t i = 0; i < end / 64; i++)
		nr += (size_t)__builtin_popcountll(words[i]);
	if (end % 64 != 0)
		nr += (size_t)__builtin_popcountll(words[end / 64] << (64 - end % 64));
	return nr;
}

static void free_blocks(hash_block_vec *blocks)
{
	for (size_t i = 0; i < blocks->nr; i++)
		free(blocks->items[i].hashes);
	vec_free(blocks);
}

void hash_store_begin(struct hash_store *store)
{
	free_blocks(&store->next);
	store->passed = 0;
	store->is_open = false;
}

/* Packs the open block and puts it beside the others. */
static int close_block(struct hash_store *store)
{
	struct hash_block *open = &store->open;
	size_t nr = count_bits(open->known, HASH_BLOCK_PAGES);
	size_t to = 0;

	if (!store->is_open)
		return 0;
	store->is_open = false;
	if (nr == 0 && count_bits(open->marked, HASH_BLOCK_PAGES) == 0)
		return 0;
	if (vec_reserve(&store->next, store->next.nr + 1) < 0)
		return -ENOMEM;
	open->hashes = malloc((nr > 0 ? nr : 1) * sizeof(open->hashes[0]));
	if (open->hashes == NULL)
		return -ENOMEM;
	for (size_t page = 0; page < HASH_BLOCK_PAGES; page++)
		if (test_bit(open->known, page))
			open->hashes[to++] = store->fresh[page];
	store->next.items[store->next.nr++] = *open;
	return 0;
}

int hash_store_block(struct hash_store *store, uint64_t start)
{
	int result = 0;

	if (store->is_open && store->open.start == start)
		return 0;
	result = close_block(store);
	store->open = (struct hash_block){ .start = start };
	store->is_open = true;
	while (store->passed < store->last.nr && store->last.items[store->passed].start < start)
		store->passed++;
	return result;
}

int hash_store_end(struct hash_store *store)
{
	int result = close_block(store);

	if (result < 0)
		return result;
	free_blocks(&store->last);
	store->last = store->next;
	store->next = (hash_block_vec){ 0 };
	return 0;
}

void hash_store_fini(struct hash_store *store)
{
	free_blocks(&store->last);
	free_blocks(&store->next);
}

bool hash_store_last(const struct hash_store *store, size_t page, uint64_t *hash)
{
	const struct hash_block *block = store->last.items + store->passed;

	if (store->passed == store->last.nr || block->start != store->open.start || !test_bit(block->known, page))
		return false;
	*hash = block->hashes[count_bits(block->known, page)];
	return true;
}

void hash_store_keep(struct hash_store *store, size_t page, uint64_t hash)
{
	set_bit(store->open.known, page);
	store->fresh[page] = hash;
}

void hash_store_mark(struct hash_store *store, size_t page)
{
	set_bit(store->open.marked, page);
}

uint64_t hash_store_next(const struct hash_store *store, uint64_t addr)
{
	size_t i = store->passed;

	while (i < store->last.nr && store->last.items[i].start + HASH_BLOCK_PAGES * PAGE <= addr)
		i++;
	if (i == store->last.nr)
		return UINT64_MAX;
	return store->last.items[i].start > addr ? store->last.items[i].start : addr;
}

int hash_store_marked(struct hash_store *store, int (*fn)(void *arg, uint64_t addr), void *arg)
{
	int result = 0;

	for (size_t i = 0; result >= 0 && i < store->last.nr; i++) {
		struct hash_block *block = &store->last.items[i];

		for (size_t page = 0; result >= 0 && page < HASH_BLOCK_PAGES; page++)
			if (test_bit(block->marked, page))
				result = fn(arg, block->start + page * PAGE);
		memset(block->marked, 0, sizeof(block->marked));
	}
	return result < 0 ? result : 0;
}

uint64_t hash_store_memory(const struct hash_store *store)
{
	uint64_t bytes = (store->last.capacity + store->next.capacity) * sizeof(struct hash_block);

	for (size_t i = 0; i < store->last.nr; i++)
		bytes += count_bits(store->last.items[i].known, HASH_BLOCK_PAGES) * sizeof(uint64_t);
	return bytes;
}
