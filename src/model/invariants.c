/* SPDX-License-Identifier: MIT */
/* This file says what must hold, at every instant or between operations. */
#include "model/folio.h"
#include "model/steps.h"
#include "model/run.h"
#include "model/table.h"
#include "model/vma.h"

/* Its references by mappings, pins and the page cache. */
static uint64_t nr_known(const struct folio *folio)
{
	uint64_t pins = folio->is_huge ? folio->nr_pins : (uint64_t)folio->nr_pins * PIN_BIAS;

	return folio_mapcount_all(folio) + pins + folio->in_cache;
}

void invariants_of_folio(struct model *model, uint32_t id)
{
	const struct folio *folio = folio_at(model, id);

	if (folio->is_free)
		return;
	if (folio->nr_refs < nr_known(folio))
		break_model(model, "a folio has %u mappings, %u pins and only %u references", folio_mapcount_all(folio),
		            folio->nr_pins, folio->nr_refs);
	if (folio->is_huge || !folio->is_anon)
		return;
	if (folio->pages[0].exclusive && folio_mapcount_all(folio) > 1)
		break_model(model, "an exclusive page is mapped %u times", folio_mapcount_all(folio));
	if (folio->nr_pins > 0 && folio_mapcount_all(folio) > 1)
		break_model(model, "a page that a device writes to is mapped %u times", folio_mapcount_all(folio));
}

static bool is_page(const struct entry *entry)
{
	return entry->kind == ENTRY_PAGE || entry->kind == ENTRY_HUGE || entry->kind == ENTRY_DEVICE;
}

/* What has changed can be seen by whoever looks for it. */
static void check_truth(struct model *model, const struct vma *vma, uint64_t page, const struct entry *entry,
                        const struct truth *truth)
{
	unsigned long long number = page - FIRST_PAGE;
	bool has_mark = entry->soft || (vma->is_soft && !truth->alone);

	if (truth->armed && entry->uffd_wp && vma->is_registered)
		break_model(model, "page %llu was changed and is protected", number);
	if (model->opts.has_soft_dirty && truth->soft && !has_mark && !(truth->alone && !is_page(entry)))
		break_model(model, "page %llu was changed and has no soft-dirty mark", number);
}

static void check_entry(struct model *model, const struct vma *vma, uint64_t page, const struct entry *entry)
{
	struct folio *folio;

	if (entry->uffd_wp && entry->write)
		break_model(model, "page %llu is protected and writable", (unsigned long long)(page - FIRST_PAGE));
	if (entry->kind == ENTRY_SWAP)
		model->slots.items[entry->of].nr_counted++;
	if (!is_page(entry))
		return;
	folio = folio_at(model, entry->of);
	folio->nr_counted += entry->kind != ENTRY_HUGE || entry->index == 0;
	if (entry->write && vma_is_private(vma) && !(folio->is_anon && folio->pages[entry->index].exclusive))
		break_model(model, "page %llu is writable and not its process's alone",
		            (unsigned long long)(page - FIRST_PAGE));
	if (folio->pages[entry->index].exclusive && folio_mapcount(folio, entry->index) > 1)
		break_model(model, "an exclusive page is mapped %u times", folio_mapcount(folio, entry->index));
}

static void check_mm(struct model *model, struct mm *mm)
{
	struct looker looker = { 0 };

	for (size_t i = 0; i < mm->vmas.nr; i++) {
		const struct vma *vma = &mm->vmas.items[i];

		for (uint64_t page = vma->start; page < vma->end; page++) {
			struct entry entry = table_look_on(model, mm, page, &looker);

			check_entry(model, vma, page, &entry);
			check_truth(model, vma, page, &entry, truth_of(mm, page));
		}
		if (i > 0 && mm->vmas.items[i - 1].end > vma->start)
			break_model(model, "two mappings overlap");
	}
}

/* A page that a device writes to is not shared, whoever else may have it mapped. */
static void check_pins(struct model *model, const struct mm *mm)
{
	for (unsigned i = 0; i < MODEL_PINS; i++)
		for (uint32_t k = 0; k < mm->pins[i].nr; k++) {
			const struct folio *folio = folio_at(model, mm->pins[i].folio[k]);
			unsigned index = mm->pins[i].index[k];

			if (folio->is_anon && folio_mapcount(folio, index) > 0 && !folio->pages[index].exclusive)
				break_model(model, "a page that a device writes to is shared");
		}
}

/* Between operations nobody else refers to it. */
static void check_counts(struct model *model, uint32_t id)
{
	const struct folio *folio = folio_at(model, id);

	if (folio->is_free)
		return;
	if (folio->nr_counted != folio_mapcount_all(folio))
		break_model(model, "a folio has %u entries and counts %u mappings", folio->nr_counted,
		            folio_mapcount_all(folio));
	if (folio->nr_refs != nr_known(folio))
		break_model(model, "a folio has %u mappings, %u pins and %u references", folio_mapcount_all(folio),
		            folio->nr_pins, folio->nr_refs);
	if (folio->slot != 0 && model->slots.items[folio->slot].folio != id)
		break_model(model, "a folio is in the swap cache for a slot that has another");
}

static void check_slots(struct model *model)
{
	for (size_t i = 1; i < model->slots.nr; i++) {
		const struct slot *slot = &model->slots.items[i];

		if (slot->nr_refs != slot->nr_counted)
			break_model(model, "a slot has %u entries and counts %u", slot->nr_counted, slot->nr_refs);
		if (slot->folio != 0 && folio_at(model, slot->folio)->slot != i)
			break_model(model, "a slot has a folio that is not in the swap cache for it");
	}
}

void invariants_of_all(struct model *model)
{
	for (size_t i = 1; i < model->folios.nr; i++)
		folio_at(model, (uint32_t)i)->nr_counted = 0;
	for (size_t i = 1; i < model->slots.nr; i++)
		model->slots.items[i].nr_counted = 0;
	for (unsigned i = 0; i < MODEL_PROCESSES; i++)
		if (model->mms[i].is_there) {
			check_mm(model, &model->mms[i]);
			check_pins(model, &model->mms[i]);
		}
	for (size_t i = 1; i < model->folios.nr; i++) {
		check_counts(model, (uint32_t)i);
		invariants_of_folio(model, (uint32_t)i);
	}
	check_slots(model);
}
