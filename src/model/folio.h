/* SPDX-License-Identifier: MIT */
/* Folios and swap slots: references, mappings, pins. Each call that changes a count is a micro-step. */
#ifndef MODEL_FOLIO_H
#define MODEL_FOLIO_H

#include "model/state.h"

struct folio *folio_at(struct model *model, uint32_t id);

/* With one reference, the caller's. All pages hold 0. */
uint32_t folio_new(struct model *model, bool is_huge, bool is_anon);
void folio_get(struct model *model, uint32_t id, uint32_t nr);
/* The last one frees it, if it is not in the swap cache. */
void folio_put(struct model *model, uint32_t id, uint32_t nr);
/* A mapping by an entry of page `index`; by a huge entry. */
void folio_map(struct model *model, uint32_t id, unsigned index);
void folio_unmap(struct model *model, uint32_t id, unsigned index);
void folio_map_huge(struct model *model, uint32_t id);
void folio_unmap_huge(struct model *model, uint32_t id);
/* Both, the reference dropped last. */
void folio_release(struct model *model, uint32_t id, unsigned index);

/* All pages of a huge one. */
void folio_set_exclusive(struct model *model, uint32_t id);

void folio_pin(struct model *model, uint32_t id);
void folio_unpin(struct model *model, uint32_t id);
bool folio_may_be_pinned(const struct folio *folio);
/* How often a page is mapped, by entries of either size; all of its pages together, a huge entry once. */
uint32_t folio_mapcount(const struct folio *folio, unsigned index);
uint32_t folio_mapcount_all(const struct folio *folio);

/* Only entries of this address space refer to it. */
bool folio_is_alone(struct model *model, struct mm *mm, uint32_t id);
/* No other address space maps it. */
bool folio_is_of(struct model *model, struct mm *mm, uint32_t id);

/* The entry's large folio is one process's alone, as madvise() sees it, which may be wrong; `is_free`: MADV_FREE. */
bool folio_looks_alone(struct model *model, struct mm *mm, const struct entry *entry, bool is_free);

/* A slot that holds `value`, with one reference. */
uint32_t slot_new(struct model *model, uint64_t value);
void slot_put(struct model *model, uint32_t slot);

/* The folio stays in the swap cache for as long as an entry names the slot, or until it is taken out. */
void slot_cache(struct model *model, uint32_t slot, uint32_t folio);
void slot_uncache(struct model *model, uint32_t slot);

/* A file of MODEL_PAGES pages that hold 0 and are not there yet; those of file 0 hold MODEL_FILE_VALUE and their
 * number. */
uint32_t file_new(struct model *model);
/* The page cache's folio for a page of a file; 0: it is not there, and is not to be made. */
uint32_t cache_find(struct model *model, uint32_t file, uint64_t page, bool create);

#endif
