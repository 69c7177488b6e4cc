/* SPDX-License-Identifier: MIT */
/* This file walks page tables, and makes and frees them. */
#include "model/table.h"

#include <stdlib.h>
#include <string.h>

#include "model/steps.h"

static size_t index_at(uint64_t page, unsigned level)
{
	return page >> 9 * level & (ENTRIES - 1);
}

struct table *table_of(struct model *model, const struct entry *entry)
{
	return model->tables.items[entry->of];
}

static uint32_t find_freed(const struct model *model)
{
	for (size_t i = model->tables.nr; i-- > 1;)
		if (model->tables.items[i]->is_freed)
			return (uint32_t)i;
	return 0;
}

uint32_t table_new(struct model *model)
{
	uint32_t id = find_freed(model);
	struct table *table;

	if (id != 0) {
		memset(model->tables.items[id], 0, sizeof(*table));
		return id;
	}
	table = calloc(1, sizeof(*table));
	if (table == NULL || vec_push(&model->tables, table) < 0) {
		free(table);
		step_no_memory(model);
	}
	return (uint32_t)model->tables.nr - 1;
}

void table_free(struct model *model, struct entry *entry)
{
	table_of(model, entry)->is_freed = true;
	*entry = (struct entry){ 0 };
	step(model, 0);
}

void table_free_all(struct model *model, uint32_t id)
{
	struct table *table = model->tables.items[id];

	for (unsigned i = 0; i < ENTRIES; i++)
		if (table->entries[i].kind == ENTRY_TABLE)
			table_free_all(model, table->entries[i].of);
	table->is_freed = true;
}

struct entry *table_huge_entry(struct model *model, struct mm *mm, uint64_t page, bool create, struct table **table)
{
	struct table *at = model->tables.items[mm->top];

	for (unsigned level = LEVELS - 1; level > 1; level--) {
		struct entry *entry = &at->entries[index_at(page, level)];

		if (entry->kind == ENTRY_NONE) {
			if (!create)
				return NULL;
			*entry = (struct entry){ .kind = ENTRY_TABLE, .of = table_new(model) };
		}
		at = table_of(model, entry);
	}
	if (table != NULL)
		*table = at;
	return &at->entries[index_at(page, 1)];
}

struct entry *table_entry(struct model *model, struct mm *mm, uint64_t page, bool create)
{
	struct entry *huge = table_huge_entry(model, mm, page, create, NULL);

	if (huge == NULL)
		return NULL;
	if (huge->kind == ENTRY_NONE && create)
		*huge = (struct entry){ .kind = ENTRY_TABLE, .of = table_new(model) };
	return huge->kind == ENTRY_TABLE ? &table_of(model, huge)->entries[index_at(page, 0)] : NULL;
}

/* The entry of the last level but one that speaks for the page, or one above it that is empty. */
static const struct entry *block_entry(const struct model *model, const struct mm *mm, uint64_t page)
{
	const struct table *at = model->tables.items[mm->top];

	for (unsigned level = LEVELS - 1;; level--) {
		const struct entry *entry = &at->entries[index_at(page, level)];

		if (level == 1 || entry->kind != ENTRY_TABLE)
			return entry;
		at = model->tables.items[entry->of];
	}
}

static struct entry entry_below(const struct model *model, const struct entry *huge, uint64_t page)
{
	struct entry entry = *huge;

	if (entry.kind == ENTRY_TABLE)
		return model->tables.items[entry.of]->entries[index_at(page, 0)];
	if (entry.kind == ENTRY_HUGE)
		entry.index = (uint16_t)index_at(page, 0);
	return entry;
}

struct entry table_look(const struct model *model, const struct mm *mm, uint64_t page)
{
	return entry_below(model, block_entry(model, mm, page), page);
}

struct entry table_look_on(const struct model *model, const struct mm *mm, uint64_t page, struct looker *looker)
{
	if (page >= looker->end) {
		looker->huge = block_entry(model, mm, page);
		looker->end = block_of(page) + MODEL_HUGE;
	}
	return entry_below(model, looker->huge, page);
}
