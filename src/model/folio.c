/* SPDX-License-Identifier: MIT */
/* This file counts who refers to a folio, maps it and pins it. */
#include "model/folio.h"

#include <stdlib.h>

#include "model/steps.h"
#include "model/table.h"

struct folio *folio_at(struct model *model, uint32_t id)
{
	return model->folios.items[id];
}

static uint32_t add(struct model *model)
{
	struct folio *folio = calloc(1, sizeof(*folio));

	if (folio == NULL || vec_push(&model->folios, folio) < 0) {
		free(folio);
		step_no_memory(model);
	}
	return (uint32_t)model->folios.nr - 1;
}

uint32_t folio_new(struct model *model, bool is_huge, bool is_anon)
{
	uint32_t id = model->free.nr > 0 ? model->free.items[--model->free.nr] : 0;
	struct page *pages = calloc(is_huge ? MODEL_HUGE : 1, sizeof(*pages));

	if (pages == NULL)
		step_no_memory(model);
	if (id == 0)
		id = add(model);
	*folio_at(model, id) = (struct folio){ .is_huge = is_huge, .is_anon = is_anon, .nr_refs = 1, .pages = pages };
	step(model, id);
	return id;
}

static void free_folio(struct model *model, uint32_t id)
{
	struct folio *folio = folio_at(model, id);

	if (folio->nr_mapped + folio->nr_huge > 0)
		break_model(model, "a folio is freed that is mapped");
	free(folio->pages);
	*folio = (struct folio){ .is_free = true };
	if (vec_push(&model->free, id) < 0)
		step_no_memory(model);
}

void folio_get(struct model *model, uint32_t id, uint32_t nr)
{
	if (folio_at(model, id)->is_free)
		break_model(model, "a folio is referred to that was freed");
	folio_at(model, id)->nr_refs += nr;
	step(model, id);
}

void folio_put(struct model *model, uint32_t id, uint32_t nr)
{
	struct folio *folio = folio_at(model, id);

	if (folio->is_free || folio->nr_refs < nr) {
		break_model(model, "a folio has %u references, and %u are dropped", folio->nr_refs, nr);
		return;
	}
	folio->nr_refs -= nr;
	if (folio->nr_refs == 0 && folio->slot == 0)
		free_folio(model, id);
	step(model, id);
}

void folio_map(struct model *model, uint32_t id, unsigned index)
{
	struct folio *folio = folio_at(model, id);

	folio->nr_mapped++;
	folio->pages[index].nr_mapped++;
	step(model, id);
}

void folio_unmap(struct model *model, uint32_t id, unsigned index)
{
	struct folio *folio = folio_at(model, id);

	folio->nr_mapped--;
	folio->pages[index].nr_mapped--;
	step(model, id);
}

void folio_map_huge(struct model *model, uint32_t id)
{
	folio_at(model, id)->nr_huge++;
	step(model, id);
}

void folio_unmap_huge(struct model *model, uint32_t id)
{
	folio_at(model, id)->nr_huge--;
	step(model, id);
}

void folio_release(struct model *model, uint32_t id, unsigned index)
{
	folio_unmap(model, id, index);
	folio_put(model, id, 1);
}

void folio_set_exclusive(struct model *model, uint32_t id)
{
	for (unsigned i = 0; i < MODEL_HUGE; i++)
		folio_at(model, id)->pages[i].exclusive = true;
}

void folio_pin(struct model *model, uint32_t id)
{
	struct folio *folio = folio_at(model, id);

	folio->nr_refs += folio->is_huge ? 1 : PIN_BIAS;
	folio->nr_pins++;
	step(model, id);
}

void folio_unpin(struct model *model, uint32_t id)
{
	struct folio *folio = folio_at(model, id);

	folio->nr_pins--;
	folio_put(model, id, folio->is_huge ? 1 : PIN_BIAS);
}

bool folio_may_be_pinned(const struct folio *folio)
{
	return folio->is_huge ? folio->nr_pins > 0 : folio->nr_refs >= PIN_BIAS;
}

uint32_t folio_mapcount(const struct folio *folio, unsigned index)
{
	return folio->nr_huge + folio->pages[index].nr_mapped;
}

uint32_t folio_mapcount_all(const struct folio *folio)
{
	return folio->nr_huge + folio->nr_mapped;
}

bool folio_is_of(struct model *model, struct mm *mm, uint32_t id)
{
	const struct folio *folio = folio_at(model, id);
	uint32_t nr = 0;

	/* The common cases need no walk. */
	if (!folio->is_huge || folio_mapcount_all(folio) == 1)
		return folio_mapcount_all(folio) == 1;
	for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page++) {
		struct entry entry = table_look(model, mm, page);

		nr += (entry.kind == ENTRY_PAGE || (entry.kind == ENTRY_HUGE && entry.index == 0)) && entry.of == id;
	}
	return nr == folio_mapcount_all(folio);
}

bool folio_is_alone(struct model *model, struct mm *mm, uint32_t id)
{
	const struct folio *folio = folio_at(model, id);

	return folio->slot == 0 && folio->nr_refs == folio_mapcount_all(folio) && folio_is_of(model, mm, id);
}

/* By a page that is asked for all of them: MADV_FREE asks the first, or all where the entry is a huge one. */
static bool one_page_is_mapped_once(const struct folio *folio, const struct entry *entry, bool is_free)
{
	if (is_free && entry->kind == ENTRY_HUGE)
		return folio_mapcount_all(folio) == 1;
	return folio_mapcount(folio, is_free ? 0 : entry->index) == 1;
}

bool folio_looks_alone(struct model *model, struct mm *mm, const struct entry *entry, bool is_free)
{
	const struct folio *folio = folio_at(model, entry->of);
	uint32_t nr = folio_mapcount_all(folio);

	switch (model->opts.sharing) {
	case MODEL_SHARING_ONE_PAGE:
		return one_page_is_mapped_once(folio, entry, is_free);
	case MODEL_SHARING_LIKELY:
		if (nr > 1 && (folio->nr_huge > 0 || nr > MODEL_HUGE))
			return false;
		return nr == 1 || folio_mapcount(folio, 0) <= 1;
	default:
		return folio_is_of(model, mm, entry->of);
	}
}

uint32_t slot_new(struct model *model, uint64_t value)
{
	struct slot slot = { .nr_refs = 1, .value = value };

	for (size_t i = 1; i < model->slots.nr; i++)
		if (model->slots.items[i].nr_refs == 0) {
			model->slots.items[i] = slot;
			return (uint32_t)i;
		}
	if (vec_push(&model->slots, slot) < 0)
		step_no_memory(model);
	return (uint32_t)model->slots.nr - 1;
}

void slot_cache(struct model *model, uint32_t slot, uint32_t folio)
{
	model->slots.items[slot].folio = folio;
	folio_at(model, folio)->slot = slot;
}

void slot_uncache(struct model *model, uint32_t slot)
{
	uint32_t id = model->slots.items[slot].folio;

	if (id == 0)
		return;
	model->slots.items[slot].folio = 0;
	folio_at(model, id)->slot = 0;
	/* Nothing else has its contents now. */
	folio_at(model, id)->is_dirty = true;
	if (folio_at(model, id)->nr_refs == 0)
		free_folio(model, id);
}

void slot_put(struct model *model, uint32_t slot)
{
	model->slots.items[slot].nr_refs--;
	if (model->slots.items[slot].nr_refs == 0)
		slot_uncache(model, slot);
	step(model, 0);
}

uint32_t cache_find(struct model *model, uint32_t file, uint64_t page, bool create)
{
	uint32_t *id = &model->files.items[file]->folio[page];

	if (*id == 0 && create) {
		uint32_t new = folio_new(model, false, false);

		folio_at(model, new)->in_cache = true;
		folio_at(model, new)->pages[0].value = file == 0 ? MODEL_FILE_VALUE + page : 0;
		*id = new;
	}
	return *id;
}

uint32_t file_new(struct model *model)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file == NULL || vec_push(&model->files, file) < 0) {
		free(file);
		step_no_memory(model);
	}
	return (uint32_t)model->files.nr - 1;
}
