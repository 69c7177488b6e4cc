/* SPDX-License-Identifier: MIT */
/* Watches by mprotect on parts of this process, and what they say. */
#ifndef TESTS_KERNEL_MPROTECT_STEPS_H
#define TESTS_KERNEL_MPROTECT_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/watch.h>

enum {
	PAGE = 4096,
	NOT_WRITTEN = -1,
};

/* A watch on some memory, and a copy of that made of nothing but what the watch reports. */
struct guard {
	struct tide_target *target;
	struct tide_watch *watch;
	struct tide_epoch told; /* about the last epoch */
	struct tide_error err;
	unsigned char *memory;
	size_t size;
	unsigned char *copy;
	int *pages; /* of the last epoch, for each page: enum tide_certainty, or NOT_WRITTEN */
	int *whys;
};

/* Private anonymous memory, base pages. */
unsigned char *guard_map(size_t size, int prot);

/* Fails the test when it cannot; guard_try() says what tide_watch_open() did. */
void guard_open(struct guard *self, unsigned char *memory, size_t size);
int guard_try(struct guard *self, unsigned char *memory, size_t size);
void guard_close(struct guard *self); /* all but the memory */

/* One epoch: reads what is reported into the copy, and notes what is said of it. How many pages were reported. */
size_t guard_collect(struct guard *self);

/* Fails the test when a page of the copy is not what is in memory. */
void guard_compare(const struct guard *self);

/* Is the page that holds `at` writable, as /proc/self/maps says? */
int is_writable(const void *at);
unsigned nr_mappings(void);

#endif
