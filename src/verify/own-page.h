/* SPDX-License-Identifier: MIT */
/* Pages of our own, by which a kernel is asked what it does with pages. */
#ifndef VERIFY_OWN_PAGE_H
#define VERIFY_OWN_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE_BYTES  ((size_t)4096)
#define HUGE_BYTES  ((size_t)2 << 20)
#define APART_BYTES (5 * PAGE_BYTES)

/* Are these bits of a page's entry (pagemap.h) as they are to be? Of a process's that has our pages; 0: of our own. */
bool own_entry_of_is(pid_t pid, const char *page, uint64_t bits, uint64_t value);
/* Of our own. */
bool own_entry_is(const char *page, uint64_t bits, uint64_t value);
bool own_is_once(const char *page);

/* All soft-dirty marks of ours go. */
bool own_clear_marks(void);

/* A page of its own protection in APART_BYTES that begin at `*around`, two pages of another below it and two above:
 * nothing else merges with it. NULL: it failed; what is at `*around` is there all the same. */
char *own_map_apart(void **around, int protection);

/* Memory of its own, 2 * HUGE_BYTES that begin at `*memory`, with a huge page that begins where this says, its first
 * page written to. NULL: it is not to be had; what is at `*memory` is there all the same. */
char *own_huge(void **memory);

/* Forks; the child does `before`, if any, and ends at own_part(). <= 0: it failed. */
pid_t own_share(void (*before)(char *), char *huge, int *hold);
void own_part(pid_t child, int hold);

#endif
