/* SPDX-License-Identifier: MIT */
/* This file copies contents, and says how good each page of the copy is. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/tracker.h"

struct copying {
	struct tide_watch *watch;
	uint64_t start;
	unsigned char *buf;
	uint8_t *certainty; /* may be NULL */
};

static void mark(const struct copying *self, uint64_t start, uint64_t end, enum tide_certainty certainty)
{
	if (self->certainty != NULL)
		memset(self->certainty + (start - self->start) / WATCH_PAGE, (int)certainty,
		       (end - start) / WATCH_PAGE);
}

/* Reads what is there; a page that went meanwhile stays zero, and is lost. */
static int read_run(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	for (uint64_t at = region->start; at < region->end;) {
		ssize_t size = sys_pread(self->watch->mem, self->buf + (at - self->start), region->end - at, (off_t)at);

		if (size > 0) {
			mark(self, at, at + ((uint64_t)size & ~(WATCH_PAGE - 1)), TIDE_EXACT);
			at += (uint64_t)size & ~(WATCH_PAGE - 1);
		}
		if (size < (ssize_t)WATCH_PAGE) {
			mark(self, at, at + WATCH_PAGE, TIDE_LOST); /* it went since we asked */
			at += WATCH_PAGE;
		}
	}
	return 0;
}

static int mark_torn(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	for (uint64_t at = region->start; at < region->end; at += WATCH_PAGE) {
		uint64_t page = (at - self->start) / WATCH_PAGE;

		if (self->certainty[page] == TIDE_EXACT)
			self->certainty[page] = TIDE_TORN;
	}
	return 0;
}

static int copy_part(struct copying *self, const struct tide_mapping *mapping, uint64_t start, uint64_t end)
{
	/* In a shared mapping "swapped" is a marker only, and reading it would allocate the page. */
	struct pagescan there = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | (mapping->flags & TIDE_MAPPING_SHARED ? 0 : PAGESCAN_SWAPPED),
		.returned = PAGESCAN_PRESENT,
	};
	struct pagescan written = {
		.start = start,
		.end = end,
		.all_of = PAGESCAN_WRITTEN,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_WRITTEN,
	};
	int result;

	/* What is not there: zeros, unless there is a file that we do not read. */
	mark(self, start, end, mapping->inode != 0 || mapping->flags & TIDE_MAPPING_SHARED ? TIDE_OVER : TIDE_EXACT);
	result = watch_each_region(self->watch, &there, read_run, self);
	if (result == 0 && self->certainty != NULL)
		result = watch_each_region(self->watch, &written, mark_torn, self);
	return result;
}

int tide_watch_copy(struct tide_watch *watch, uint64_t start, uint64_t end, void *buf, uint8_t *certainty,
                    struct tide_error *err)
{
	struct copying self = { watch, start, buf, certainty };
	const struct tide_layout *layout = tide_target_layout(watch->target);

	if (start > end || (start | end) % WATCH_PAGE != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "%llx-%llx is no range of whole pages",
		                 (unsigned long long)start, (unsigned long long)end);
	if (watch->mem < 0)
		watch->mem = target_open_file(watch->target, "mem", O_RDONLY, err);
	if (watch->mem < 0)
		return watch->mem;
	memset(buf, 0, end - start);
	mark(&self, start, end, TIDE_LOST);
	for (uint64_t at = start; at < end;) {
		const struct tide_mapping *mapping = watch_mapping_from(layout, at);
		uint64_t to;
		int result;

		if (mapping == NULL || mapping->start >= end)
			break;
		at = mapping->start > at ? mapping->start : at;
		to = mapping->end < end ? mapping->end : end;
		result = copy_part(&self, mapping, at, to);
		if (result < 0)
			return watch_failed(watch, result, "read", err);
		at = to;
	}
	return 0;
}
