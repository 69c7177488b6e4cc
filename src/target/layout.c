/* SPDX-License-Identifier: MIT */
/* This file keeps the mappings of the last refresh, notices when they change, and finds one by address. */
#include "target/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)TIDE_MAPPING_READ == VMA_READ && (int)TIDE_MAPPING_WRITE == VMA_WRITE,
               "flags are passed on as they are");
_Static_assert((int)TIDE_MAPPING_EXEC == VMA_EXEC && (int)TIDE_MAPPING_SHARED == VMA_SHARED, "the same");

void layout_begin(struct layout *layout)
{
	struct layout_buffer *buffer = &layout->buffers[!layout->shown];

	buffer->mappings.nr = 0;
	buffer->name_at.nr = 0;
	buffer->names.nr = 0;
}

static int add_name(struct layout_buffer *buffer, const char *name, size_t size, size_t *at)
{
	size_t last = buffer->name_at.nr > 0 ? buffer->name_at.items[buffer->name_at.nr - 1] : 0;
	int result;

	/* Most neighbours are segments of one file. */
	if (last > 0 && size > 0 && strncmp(buffer->names.items + last, name, size) == 0 &&
	    buffer->names.items[last + size] == 0) {
		*at = last;
		return 0;
	}
	result = vec_reserve(&buffer->names, buffer->names.nr + size + 2);
	if (result < 0)
		return result;
	if (buffer->names.nr == 0)
		buffer->names.items[buffer->names.nr++] = 0;
	*at = size > 0 ? buffer->names.nr : 0;
	if (size == 0)
		return 0;
	memcpy(buffer->names.items + *at, name, size);
	buffer->names.items[*at + size] = 0;
	buffer->names.nr += size + 1;
	return 0;
}

/*
 * The kernel lets go of the lock between VMAs, so a VMA that grew or was merged meanwhile can begin below the end of
 * the one before it. The part that is already there stays as it was read; the next refresh sees the rest right.
 */
int layout_add(struct layout *layout, const struct vma *vma)
{
	struct layout_buffer *buffer = &layout->buffers[!layout->shown];
	size_t nr = buffer->mappings.nr;
	uint64_t floor = nr > 0 ? buffer->mappings.items[nr - 1].end : 0;
	uint64_t overlap = vma->start < floor ? floor - vma->start : 0;
	size_t at = 0;
	struct tide_mapping mapping = {
		.start = vma->start + overlap,
		.end = vma->end,
		.offset = vma->inode != 0 ? vma->offset + overlap : 0,
		.inode = vma->inode,
		.flags = vma->flags,
	};

	if (mapping.start >= mapping.end)
		return 0;
	if (add_name(buffer, vma->name, vma->name_size, &at) < 0 || vec_push(&buffer->name_at, at) < 0 ||
	    vec_push(&buffer->mappings, mapping) < 0)
		return -ENOMEM;
	return 0;
}

static bool same_mapping(const struct tide_mapping *a, const struct tide_mapping *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset && a->inode == b->inode &&
	       a->flags == b->flags && strcmp(a->name, b->name) == 0;
}

static bool same_mappings(const struct layout_buffer *buffer, const struct tide_layout *view)
{
	if (buffer->mappings.nr != view->nr_mappings)
		return false;
	for (size_t i = 0; i < view->nr_mappings; i++) {
		if (!same_mapping(&buffer->mappings.items[i], &view->mappings[i]))
			return false;
	}
	return true;
}

bool layout_commit(struct layout *layout)
{
	struct layout_buffer *buffer = &layout->buffers[!layout->shown];

	for (size_t i = 0; i < buffer->mappings.nr; i++)
		buffer->mappings.items[i].name = buffer->names.items + buffer->name_at.items[i];
	if (layout->view.generation > 0 && same_mappings(buffer, &layout->view))
		return false;
	layout->shown = !layout->shown;
	layout->view.generation++;
	layout->view.nr_mappings = buffer->mappings.nr;
	layout->view.mappings = buffer->mappings.items;
	return true;
}

void layout_fini(struct layout *layout)
{
	for (int i = 0; i < 2; i++) {
		vec_free(&layout->buffers[i].mappings);
		vec_free(&layout->buffers[i].name_at);
		vec_free(&layout->buffers[i].names);
	}
	memset(layout, 0, sizeof(*layout));
}

const struct tide_mapping *tide_layout_find(const struct tide_layout *layout, uint64_t addr)
{
	size_t low = 0;
	size_t high = layout->nr_mappings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr >= layout->mappings[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == layout->nr_mappings || addr < layout->mappings[low].start)
		return NULL;
	return &layout->mappings[low];
}
