/* SPDX-License-Identifier: MIT */
/*
 * This file says whose writes may be listed, and thereby wait.
 *
 * Large private anonymous memory, but not:
 *
 *   - what KSM merges, which drops the mark of a page;
 *   - stacks of threads. One that exits waits for nobody, and the kernel's last word to those who join it, in the
 *     thread's own memory, would be lost if that were protected: they would wait for ever. A stack is known by the
 *     memory below it, which nobody may touch. What a thread has in other memory (pthread_attr_setstack, robust mutexes
 *     that it holds when it exits) is in danger while its page is protected: see docs/design/012-list-of-writes.md.
 *
 * The kernel refuses private file mappings; shared memory may hold robust mutexes of others; and what is small makes no
 * difference. All of these are tracked by uffd_async.
 */
#include <string.h>

#include "watch/tracker.h"
#include "watch/uffd_log.h"

enum {
	MIN_LISTED_BYTES = 64 << 10,
};

/* A stack of a thread: below it lies memory that nobody may touch. */
static bool is_stack(const struct tide_layout *layout, const struct tide_mapping *mapping)
{
	const struct tide_mapping *below = mapping > layout->mappings ? mapping - 1 : NULL;

	return strncmp(mapping->name, "[stack", 6) == 0 ||
	       (below != NULL && below->end == mapping->start && below->inode == 0 &&
	        !(below->flags & (TIDE_MAPPING_READ | TIDE_MAPPING_WRITE)));
}

bool uffd_log_wants(const struct uffd_log *self, uint64_t start)
{
	const struct tide_layout *layout = tide_target_layout(self->target);
	const struct tide_mapping *mapping = watch_mapping_from(layout, start);
	struct interval part;

	return mapping != NULL && mapping->start <= start && mapping->inode == 0 &&
	       !(mapping->flags & TIDE_MAPPING_SHARED) && mapping->end - mapping->start >= MIN_LISTED_BYTES &&
	       !is_stack(layout, mapping) && !intervals_next(&self->mergeable, mapping->start, mapping->end, &part) &&
	       !intervals_next(&self->unwanted, mapping->start, mapping->end, &part);
}
