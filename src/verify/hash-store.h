/* SPDX-License-Identifier: MIT */
/*
 * One hash for each page that needs one, as of two looks: the last, and the one that goes on. 8 bytes a page, and some
 * 150 for each block of 512 pages that has any.
 *
 * A look goes through the blocks in ascending order: hash_store_begin, then for each block hash_store_block and its
 * pages, then hash_store_end. All int results: 0 or -ENOMEM.
 */
#ifndef VERIFY_HASH_STORE_H
#define VERIFY_HASH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

enum {
	HASH_BLOCK_PAGES = 512,
};

/* hashes[n] is that of the n-th page whose bit in `known` is set. */
struct hash_block {
	uint64_t start; /* address */
	uint64_t known[HASH_BLOCK_PAGES / 64];
	uint64_t marked[HASH_BLOCK_PAGES / 64];
	uint64_t *hashes;
};

typedef VEC(struct hash_block) hash_block_vec;

/* Zeroed to begin with. */
struct hash_store {
	hash_block_vec last;
	hash_block_vec next;
	size_t passed;                    /* blocks of `last` that lie below the open one */
	struct hash_block open;           /* of `next`; hashes NULL, they are below */
	uint64_t fresh[HASH_BLOCK_PAGES]; /* by page */
	bool is_open;
};

void hash_store_begin(struct hash_store *store);
int hash_store_block(struct hash_store *store, uint64_t start);
int hash_store_end(struct hash_store *store); /* `last` is now what this look found */
void hash_store_fini(struct hash_store *store);

/* In the open block: the hash that the last look kept, if any; keeps one, marks a page. */
bool hash_store_last(const struct hash_store *store, size_t page, uint64_t *hash);
void hash_store_keep(struct hash_store *store, size_t page, uint64_t hash);
void hash_store_mark(struct hash_store *store, size_t page);

/* Where the first page at or above `addr`, that is not below the open block, may have a hash of the last look;
 * UINT64_MAX: nowhere. */
uint64_t hash_store_next(const struct hash_store *store, uint64_t addr);

/* Calls `fn` for each page that the last look marked, ascending, and takes the marks away. Stops at a negative result,
 * and returns it. */
int hash_store_marked(struct hash_store *store, int (*fn)(void *arg, uint64_t addr), void *arg);

uint64_t hash_store_memory(const struct hash_store *store);

#endif
