/* SPDX-License-Identifier: MIT */
/* A number that tells one page's contents from another's, quickly. It withstands chance, not malice. */
#ifndef VERIFY_PAGE_HASH_H
#define VERIFY_PAGE_HASH_H

#include <stdint.h>

enum {
	PAGE_HASH_BYTES = 4096,
};

/* Two pages that differ in one aligned 64-bit word never hash alike; others do once in 2^64. */
uint64_t page_hash(const void *page);

#endif
