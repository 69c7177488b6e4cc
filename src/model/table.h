/* SPDX-License-Identifier: MIT */
/* Page tables of four levels, and walks of them. */
#ifndef MODEL_TABLE_H
#define MODEL_TABLE_H

#include "model/state.h"

/* The entry of the last level but one that speaks for the page, and its table; NULL when there is none and it is not
 * made. */
struct entry *table_huge_entry(struct model *model, struct mm *mm, uint64_t page, bool create, struct table **table);

/* The page's own entry; NULL when no table of the last level is there (or a huge entry) and it is not made. */
struct entry *table_entry(struct model *model, struct mm *mm, uint64_t page, bool create);

/* The table that a table entry names. */
struct table *table_of(struct model *model, const struct entry *entry);
uint32_t table_new(struct model *model);
/* A table of the last level that is empty goes. */
void table_free(struct model *model, struct entry *entry);

/* A table and those below it; their entries are empty. */
void table_free_all(struct model *model, uint32_t id);

/* The entry that speaks for the page, its own or a huge one; a NONE where there is none. Takes no lock: for observers.
 */
struct entry table_look(const struct model *model, const struct mm *mm, uint64_t page);

/* The same for pages one after another, in less time: the tables above are walked where a block begins. All 0 at first.
 */
struct looker {
	const struct entry *huge;
	uint64_t end; /* of the block, 0 at first */
};
struct entry table_look_on(const struct model *model, const struct mm *mm, uint64_t page, struct looker *looker);

#endif
