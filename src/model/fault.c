/* SPDX-License-Identifier: MIT */
/*
 * This file answers faults: do_anonymous_page(), do_fault(), do_swap_page() and do_wp_page() of the kernel's
 * mm/memory.c.
 */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

struct truth *truth_of(struct mm *mm, uint64_t page)
{
	return &mm->truth[page - FIRST_PAGE];
}

uint64_t *entry_value(struct model *model, const struct entry *entry)
{
	return &folio_at(model, entry->of)->pages[entry->index].value;
}

static struct entry make_entry(const struct vma *vma, uint32_t folio, unsigned index, bool write)
{
	bool writable = write && vma->protection & MODEL_WRITE;

	return (struct entry){ .kind = ENTRY_PAGE,
		               .of = folio,
		               .index = (uint16_t)index,
		               .young = true,
		               .write = writable,
		               .dirty = write,
		               .soft = write };
}

/* A new anonymous page, of this mapping alone, in place of what the entry held; it keeps the entry's protection. */
static void set_new(struct model *model, struct mm *mm, struct vma *vma, struct entry *entry, uint64_t value)
{
	bool uffd_wp = entry->uffd_wp;
	uint32_t folio;

	vma_prepare_anon(model, mm, vma);
	folio = folio_new(model, false, true);
	folio_at(model, folio)->pages[0].value = value;
	folio_at(model, folio)->pages[0].exclusive = true;
	folio_map(model, folio, 0);
	*entry = make_entry(vma, folio, 0, true);
	entry->uffd_wp = uffd_wp;
	entry->write = entry->write && !uffd_wp;
	step(model, folio);
}

static uint64_t file_page(const struct vma *vma, uint64_t page)
{
	return vma->offset + (page - vma->start) - FIRST_PAGE;
}

static void map_cached(struct model *model, struct vma *vma, struct entry *entry, uint32_t folio, bool write)
{
	bool uffd_wp = entry->uffd_wp;

	folio_get(model, folio, 1);
	folio_map(model, folio, 0);
	*entry = make_entry(vma, folio, 0, write);
	/* A page that is read is mapped as the mapping is, unless writes are to be seen. */
	if (!write && !vma_is_private(vma) && !vma->is_registered && (vma->is_soft || !model->opts.has_soft_dirty))
		entry->write = vma->protection & MODEL_WRITE;
	entry->uffd_wp = uffd_wp;
	entry->write = entry->write && !uffd_wp;
	step(model, folio);
}

/* Pages around, of the same table, that the cache has: do_fault_around(). */
static void map_around(struct model *model, struct vma *vma, uint64_t page, struct entry *entry)
{
	enum { AROUND = 16 };
	uint64_t start = page & ~(uint64_t)(AROUND - 1), end, table_end = (page | (ENTRIES - 1)) + 1;

	start = start < vma->start ? vma->start : start;
	end = start + AROUND < table_end ? start + AROUND : table_end;
	end = end > vma->end ? vma->end : end;
	for (uint64_t at = start; at < end; at++) {
		struct entry *other = entry + (int64_t)(at - page);
		uint32_t folio = cache_find(model, vma->file, file_page(vma, at), false);

		if (other->kind == ENTRY_NONE && folio != 0)
			map_cached(model, vma, other, folio, false);
	}
}

static void fault_file(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                       bool write)
{
	uint32_t folio;

	if (!write && !vma->is_registered && entry->kind == ENTRY_NONE)
		map_around(model, vma, page, entry);
	if (entry->kind == ENTRY_PAGE)
		return;
	folio = cache_find(model, vma->file, file_page(vma, page), true);
	if (write && vma_is_private(vma))
		set_new(model, mm, vma, entry, folio_at(model, folio)->pages[0].value);
	else
		map_cached(model, vma, entry, folio, write);
}

static void fault_missing(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                          bool write)
{
	if (vma->kind != MODEL_ANON) {
		fault_file(model, mm, vma, page, entry, write);
	} else if (write) {
		set_new(model, mm, vma, entry, 0);
	} else {
		*entry = (struct entry){ .kind = ENTRY_ZERO, .young = true, .uffd_wp = entry->uffd_wp };
		step(model, 0);
	}
}

/* Whoever shares the slot gets the same page, which the swap cache keeps until all of them have it. */
static uint32_t swapped_folio(struct model *model, uint32_t slot)
{
	uint32_t folio, new = 0;

	if (model->slots.items[slot].folio == 0)
		new = folio_new(model, false, true);
	folio = model->slots.items[slot].folio;
	if (folio == 0) {
		folio_at(model, new)->pages[0].value = model->slots.items[slot].value;
		folio_at(model, new)->may_be_large = model->slots.items[slot].is_of_large;
		slot_cache(model, slot, new);
		return new;
	}
	folio_get(model, folio, 1);
	if (new != 0)
		folio_put(model, new, 1);
	return folio;
}

static void fault_swapped(struct model *model, struct vma *vma, struct entry *entry, bool write)
{
	struct entry old = *entry;
	uint32_t folio = swapped_folio(model, old.of);
	bool is_alone = old.exclusive ||
	                (model->slots.items[old.of].nr_refs == 1 && folio_mapcount_all(folio_at(model, folio)) == 0);

	folio_at(model, folio)->pages[0].exclusive = is_alone;
	folio_map(model, folio, 0);
	*entry = make_entry(vma, folio, 0, is_alone && write);
	entry->soft = entry->soft || old.soft;
	entry->uffd_wp = old.uffd_wp;
	entry->write = entry->write && !entry->uffd_wp;
	step(model, folio);
	slot_put(model, old.of);
}

/* May the only user of the page keep it? wp_can_reuse_anon_folio(). */
static bool may_reuse(struct model *model, struct mm *mm, const struct entry *entry)
{
	struct folio *folio = folio_at(model, entry->of);
	bool result;

	if (!folio->is_anon)
		return false;
	if (folio->pages[entry->index].exclusive)
		return true;
	if (folio->is_huge && !model->opts.reuses_large)
		return false;
	if (folio->is_ksm || !folio_is_alone(model, mm, entry->of) || !trylock_folio(model, entry->of))
		return false;
	result = folio_is_alone(model, mm, entry->of);
	folio->pages[entry->index].exclusive = result;
	unlock_folio(model, entry->of);
	return result;
}

static void make_writable(struct model *model, struct entry *entry)
{
	entry->write = entry->dirty = entry->young = entry->soft = true;
	step(model, entry->of);
}

static void fault_protected(struct model *model, struct mm *mm, struct vma *vma, struct entry *entry)
{
	struct entry old;

	/* A mapping that is not registered any more may have protection left, which means nothing. */
	if (entry->uffd_wp && vma->is_registered) {
		entry->uffd_wp = false;
		step(model, 0);
	}
	if (entry->kind == ENTRY_PAGE && (!vma_is_private(vma) || may_reuse(model, mm, entry))) {
		make_writable(model, entry);
		return;
	}
	old = *entry;
	set_new(model, mm, vma, entry, old.kind == ENTRY_ZERO ? 0 : *entry_value(model, &old));
	if (old.kind == ENTRY_PAGE)
		folio_release(model, old.of, old.index);
}

/* One fault; the access is tried again. */
static void handle(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry, bool write)
{
	switch (entry->kind) {
	case ENTRY_PAGE:
	case ENTRY_ZERO:
		fault_protected(model, mm, vma, entry);
		break;
	case ENTRY_DEVICE:
		/* As it was, but for the place. */
		entry->kind = ENTRY_PAGE;
		entry->young = true;
		step(model, entry->of);
		break;
	case ENTRY_SWAP:
		fault_swapped(model, vma, entry, write);
		break;
	default:
		fault_missing(model, mm, vma, page, entry, write);
	}
}

static bool is_enough(struct entry *entry, bool write)
{
	bool is_mapped = entry->kind == ENTRY_PAGE || entry->kind == ENTRY_HUGE || entry->kind == ENTRY_ZERO;

	if (!is_mapped || (write && !entry->write))
		return false;
	entry->young = true;
	entry->dirty = entry->dirty || write;
	return true;
}

/* 1: the access may go on; 0: it is tried again; -1: the table below is to be asked. */
static int fault_huge(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, bool write)
{
	struct table *table;
	struct entry *huge = table_huge_entry(model, mm, page, true, &table);
	int result = 0;

	lock_table(model, table);
	if (vma->kind == MODEL_HUGETLB && !is_enough(huge, write))
		hugetlb_fault(model, mm, vma, huge, write);
	else if (huge->kind == ENTRY_NONE && vma_takes_huge(model, vma, page))
		huge_fault(model, mm, vma, huge, write);
	else if (huge->kind == ENTRY_NONE)
		*huge = (struct entry){ .kind = ENTRY_TABLE, .of = table_new(model) };
	if (huge->kind == ENTRY_TABLE)
		result = -1;
	else if (is_enough(huge, write))
		result = 1;
	else if (huge->kind != ENTRY_MIGRATION)
		huge_write(model, mm, vma, huge);
	unlock_table(model, table);
	return result;
}

int fault_in(struct model *model, struct mm *mm, uint64_t page, bool write)
{
	for (;;) {
		struct vma *vma = vma_find(mm, page);
		struct table *table;
		struct entry *entry, *upper;
		bool is_done;
		int huge;

		if (vma == NULL || vma->protection == 0 || (write && !(vma->protection & MODEL_WRITE)))
			return -EFAULT;
		huge = fault_huge(model, mm, vma, page, write);
		if (huge > 0)
			return 0;
		if (huge == 0)
			continue;
		upper = table_huge_entry(model, mm, page, true, NULL);
		if (upper->kind != ENTRY_TABLE)
			continue;
		table = table_of(model, upper);
		entry = &table->entries[page & (ENTRIES - 1)];
		lock_table(model, table);
		/* It may have been given up meanwhile. */
		if (table->is_freed) {
			unlock_table(model, table);
			continue;
		}
		if (entry->kind == ENTRY_MIGRATION) {
			unlock_table(model, table);
			step_wait(model);
			continue;
		}
		is_done = is_enough(entry, write);
		if (!is_done)
			handle(model, mm, vma, page, entry, write);
		unlock_table(model, table);
		if (is_done)
			return 0;
	}
}

/* The access itself, if the page is still as the fault left it: the processor asks at the same instant. */
static bool reaches(struct model *model, struct mm *mm, uint64_t page, bool write, struct entry *now)
{
	*now = table_look(model, mm, page);
	return is_enough(now, write);
}

/* Faults until the access goes on, with the entry that it goes on by. 0 or -EFAULT. */
static int get_through(struct doing *doing, bool write, struct entry *now)
{
	int result;

	do
		result = fault_in(doing->model, doing->mm, doing->start, write);
	while (result == 0 && !reaches(doing->model, doing->mm, doing->start, write, now));
	return result;
}

int op_read(struct doing *doing)
{
	struct entry entry;
	int result;

	lock_mmap_read(doing->model, doing->mm);
	result = get_through(doing, false, &entry);
	if (result == 0 && entry.kind != ENTRY_ZERO)
		doing->result->value = *entry_value(doing->model, &entry);
	unlock_mmap(doing->model, doing->mm);
	return result;
}

int op_write(struct doing *doing)
{
	struct truth *truth = truth_of(doing->mm, doing->start);
	struct entry entry;
	int result;

	lock_mmap_read(doing->model, doing->mm);
	result = get_through(doing, true, &entry);
	if (result == 0) {
		*entry_value(doing->model, &entry) = doing->op->value;
		truth->soft = truth->armed = true;
	}
	unlock_mmap(doing->model, doing->mm);
	return result;
}
