/* SPDX-License-Identifier: MIT */
/* A watch without a process: memory that the test writes, and whatever it says of it. */
#ifndef TESTS_SCRIPTED_WATCH_H
#define TESTS_SCRIPTED_WATCH_H

#include <stdbool.h>

#include <tidemark/watch.h>

enum {
	SCRIPTED_PAGES = 2048,
};

/* Memory begins here, in the middle of a block of 2 MiB. */
#define SCRIPTED_START UINT64_C(0x7f0000100000)

struct tide_watch {
	struct tide_layout layout;
	struct tide_mapping mappings[4];
	bool present[SCRIPTED_PAGES];
	uint64_t contents[SCRIPTED_PAGES]; /* the first word; the rest is zeros */
	uint64_t unreadable;               /* a copy that covers this address fails; 0: none does */
	size_t vanished;                   /* a page that goes while it is copied; 0: none does */
	int copy_result;                   /* of every copy, with cause GONE, when negative */
	unsigned nr_copied;                /* pages */
};

/* One private anonymous mapping over all pages, none present. */
void scripted_init(struct tide_watch *watch);

uint64_t scripted_address(size_t page);

/* Writes a page, which makes it present; takes one away. */
void scripted_write(struct tide_watch *watch, size_t page, uint64_t value);
void scripted_zap(struct tide_watch *watch, size_t page);

#endif
