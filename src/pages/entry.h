/* SPDX-License-Identifier: MIT */
/* Page-table entries, decoded: the port contract. One file per architecture implements it (entry_x86_64.c). */
#ifndef PAGES_ENTRY_H
#define PAGES_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

struct page_entry {
	bool present;    /* maps a page, whether access is allowed or not */
	bool accessible; /* ... and the processor may use it: not PROT_NONE */
	bool writable;
	bool young;
	bool dirty;
	bool special; /* no struct page behind it: device memory, the zero page */
	bool moving;  /* not present, but its page is on its way to another place, or with a device */
	uint64_t pfn; /* of the first page it maps; 0 unless present */
	/* Not present: what stands there instead (a place in swap, a marker), to be compared only; 0: nothing. */
	uint64_t instead;
};

/* `shift`: log2 of the bytes it maps. pre: it is a leaf, that is, does not point to a lower table. */
void entry_decode(uint64_t entry, unsigned shift, uint64_t address_mask, struct page_entry *out);

/* Does an entry of a table at `shift` map memory itself (rather than point to a lower table, or nothing)? */
bool entry_is_leaf(uint64_t entry, unsigned shift);

/* Is the entry's own soft-dirty bit set, whether it maps memory or a place in swap? */
bool entry_is_soft_dirty(uint64_t entry, unsigned shift);

/*
 * Decodes entries [first, end) of a table into two bitmaps of 512 bits: maps memory itself / was accessed. Other bits
 * are 0. `nr_present` and `nr_young` count the bits set.
 */
void entries_decode(const uint64_t *entries, unsigned first, unsigned end, unsigned shift, uint64_t *present,
                    uint64_t *young, uint32_t *nr_present, uint32_t *nr_young);

/* The bits of an entry that are a physical address on this processor, memory encryption bit removed. Slow: ask once. */
uint64_t entry_address_mask(void);

#endif
