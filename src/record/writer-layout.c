/* SPDX-License-Identifier: MIT */
/*
 * This file stores mappings: each as long as it stays the same, so that a layout of thousands that changes in one place
 * costs one row. Old and new are ascending, so one pass over both tells what came and what went.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/schema.h"
#include "record/writer.h"

static void free_mappings(struct kept_layout *layout)
{
	for (size_t i = 0; i < layout->mappings.nr; i++)
		free(layout->mappings.items[i].name);
	vec_free(&layout->mappings);
}

void writer_free_layouts(struct record_writer *writer)
{
	for (size_t i = 0; i < writer->layouts.nr; i++)
		free_mappings(&writer->layouts.items[i]);
	vec_free(&writer->layouts);
}

static bool same(const struct kept_mapping *kept, const struct tide_mapping *now)
{
	return kept->start == now->start && kept->end == now->end && kept->flags == now->flags &&
	       strcmp(kept->name, now->name) == 0;
}

static int put_end(struct record_writer *writer, const struct kept_mapping *kept, uint64_t at_us,
                   struct tide_error *err)
{
	int64_t values[] = { kept->id, (int64_t)at_us };

	return db_put(&writer->db, writer->statements[WRITER_MAPPING_END], values, 2, err);
}

/* Stores `now` and describes it in `kept`, whose name the caller frees. */
static int put_new(struct record_writer *writer, uint32_t index, const struct tide_mapping *now, uint64_t since_us,
                   struct kept_mapping *kept, struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_MAPPING];
	char permissions[] = {
		now->flags & TIDE_MAPPING_READ ? 'r' : '-',
		now->flags & TIDE_MAPPING_WRITE ? 'w' : '-',
		now->flags & TIDE_MAPPING_EXEC ? 'x' : '-',
		now->flags & TIDE_MAPPING_SHARED ? 's' : 'p',
	};
	int64_t values[] = { writer->next_mapping++, index, (int64_t)now->start, (int64_t)now->end, (int64_t)since_us };

	*kept = (struct kept_mapping){
		.id = values[0], .start = now->start, .end = now->end, .flags = now->flags, .name = strdup(now->name)
	};
	if (kept->name == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	sqlite3_bind_text(stmt, 6, permissions, sizeof(permissions), SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, now->name, -1, SQLITE_STATIC);
	return db_put(&writer->db, stmt, values, 5, err);
}

/* Moves what stays from `old` to `fresh`, stores what came and ends what went. */
static int merge(struct record_writer *writer, uint32_t index, struct kept_layout *old, struct kept_layout *fresh,
                 const struct tide_layout *layout, uint64_t since_us, struct tide_error *err)
{
	size_t o = 0;

	for (size_t n = 0; n < layout->nr_mappings; n++) {
		const struct tide_mapping *now = &layout->mappings[n];
		struct kept_mapping *slot = &fresh->mappings.items[fresh->mappings.nr];
		int result = 0;

		/* The kernel's own page at the end of the address space; nobody monitors it. */
		if (now->start > SCHEMA_NUMBER_MAX || now->end > SCHEMA_NUMBER_MAX)
			continue;
		while (o < old->mappings.nr && result == 0 &&
		       (old->mappings.items[o].start < now->start ||
		        (old->mappings.items[o].start == now->start && !same(&old->mappings.items[o], now))))
			result = put_end(writer, &old->mappings.items[o++], since_us, err);
		if (result < 0)
			return result;
		fresh->mappings.nr++;
		if (o < old->mappings.nr && old->mappings.items[o].start == now->start) {
			*slot = old->mappings.items[o];
			old->mappings.items[o++].name = NULL;
			continue;
		}
		result = put_new(writer, index, now, since_us, slot, err);
		if (result < 0)
			return result;
	}
	for (; o < old->mappings.nr; o++) {
		int result = put_end(writer, &old->mappings.items[o], since_us, err);

		if (result < 0)
			return result;
	}
	return 0;
}

int writer_put_layout(struct record_writer *writer, uint32_t index, const struct tide_layout *layout, uint64_t since_us,
                      struct tide_error *err)
{
	struct kept_layout fresh = { 0 };
	struct kept_layout *old;
	int result;

	while (writer->layouts.nr <= index) {
		if (vec_push(&writer->layouts, ((struct kept_layout){ 0 })) < 0)
			return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	old = &writer->layouts.items[index];
	if (layout == NULL || layout->generation == old->generation)
		return 0;
	if (vec_reserve(&fresh.mappings, layout->nr_mappings + 1) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	fresh.generation = layout->generation;
	result = merge(writer, index, old, &fresh, layout, since_us, err);
	free_mappings(old);
	*old = fresh;
	return result;
}
