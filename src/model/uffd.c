/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes by userfaultfd's asynchronous write protection: UFFDIO_REGISTER, UFFDIO_WRITEPROTECT, and
 * PAGEMAP_SCAN that reports what is not protected and protects it again.
 */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static void forget_truth(struct mm *mm, uint64_t page, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		truth_of(mm, page + i)->armed = false;
}

static void protect_entry(struct model *model, struct mm *mm, struct vma *vma, uint64_t page, struct entry *entry,
                          void *arg)
{
	const bool *protect = arg;

	if (*protect) {
		entry->uffd_wp = true;
		entry->write = false;
	} else if (entry->kind == ENTRY_MARKER) {
		*entry = (struct entry){ 0 };
	} else {
		entry->uffd_wp = false;
		entry->write = entry->write || (vma->protection & MODEL_WRITE && may_write_at_once(model, vma, entry));
	}
	if (*protect)
		forget_truth(mm, page,
		             entry->kind == ENTRY_HUGE || (entry->kind == ENTRY_ZERO && page % MODEL_HUGE == 0 &&
		                                           table_entry(model, mm, page, false) == NULL)
		                     ? MODEL_HUGE
		                     : 1);
	step(model, 0);
}

/* Where nothing is, a marker is what is protected: UFFD_FEATURE_WP_UNPOPULATED. */
static void put_marker(struct model *model, struct mm *mm, uint64_t page)
{
	struct entry *entry = table_entry(model, mm, page, true);

	if (entry == NULL || entry->kind != ENTRY_NONE)
		return;
	*entry = (struct entry){ .kind = ENTRY_MARKER, .uffd_wp = true };
	forget_truth(mm, page, 1);
}

void protect_entries(struct model *model, struct mm *mm, uint64_t start, uint64_t end, bool protect)
{
	huge_split_at(model, mm, start, end);
	for (uint64_t page = start; protect && page < end; page++)
		put_marker(model, mm, page);
	each_entry(model, mm, start, end, protect_entry, &protect);
}

/* A mapping that is as it is to be stays whole. */
static void enlist(struct doing *doing, uint64_t start, uint64_t end, bool registers)
{
	struct model *model = doing->model;
	struct mm *mm = doing->mm;
	struct vma *vma = vma_find(mm, start);

	if (vma->is_registered == registers)
		return;
	vma_isolate(model, mm, start, end);
	vma = vma_find(mm, start);
	if (!registers)
		protect_entries(model, mm, start, end, false);
	vma->is_registered = registers;
	vma_merge(model, mm, start, end);
}

static int enlist_all(struct doing *doing, bool registers)
{
	struct vma_part part;
	int result = -EINVAL;

	lock_mmap_write(doing->model, doing->mm);
	for (uint64_t at = doing->start; vma_next_part(doing->mm, at, doing->end, &part); at = part.end) {
		enlist(doing, part.start, part.end, registers);
		result = 0;
	}
	unlock_mmap(doing->model, doing->mm);
	return result;
}

int op_register(struct doing *doing)
{
	return enlist_all(doing, true);
}

int op_unregister(struct doing *doing)
{
	return enlist_all(doing, false);
}

/* Mapping by mapping, as far as they are registered. */
static int write_protect(struct doing *doing, bool protect)
{
	struct vma_part part;
	int result = -ENOENT;

	lock_mmap_read(doing->model, doing->mm);
	for (uint64_t at = doing->start; vma_next_part(doing->mm, at, doing->end, &part); at = part.end) {
		result = part.vma->is_registered ? 0 : -ENOENT;
		if (result < 0)
			break;
		protect_entries(doing->model, doing->mm, part.start, part.end, protect);
	}
	unlock_mmap(doing->model, doing->mm);
	return result;
}

int op_arm(struct doing *doing)
{
	return write_protect(doing, true);
}

int op_disarm(struct doing *doing)
{
	return write_protect(doing, false);
}

static bool is_reported(const struct doing *doing, uint64_t page)
{
	return model_reported(doing->result, page - FIRST_PAGE);
}

/* Is the page reported? Then it is protected again. */
static bool is_written(struct model *model, struct mm *mm, uint64_t page)
{
	struct entry entry = table_look(model, mm, page);
	bool is_huge = entry.kind == ENTRY_HUGE;

	if (model->opts.bug == MODEL_BUG_HUGE_UNSEEN && is_huge)
		return false;
	if (model->opts.bug == MODEL_BUG_HOLES && entry.kind == ENTRY_NONE)
		return false;
	return !entry.uffd_wp;
}

static void scan(struct doing *doing, uint64_t start, uint64_t end)
{
	struct model *model = doing->model;

	for (uint64_t at = start, next; at < end; at = next) {
		bool written = is_written(model, doing->mm, at);

		for (next = at; next < end && is_written(model, doing->mm, next) == written; next++)
			if (written)
				model_report(doing->result, next - FIRST_PAGE);
		for (uint64_t page = at; page < next; page++)
			if (truth_of(doing->mm, page)->armed && !written)
				break_model(model, "page %llu was changed and is not reported",
				            (unsigned long long)(page - FIRST_PAGE));
		if (written)
			protect_entries(model, doing->mm, at, next, true);
	}
}

int op_rearm(struct doing *doing)
{
	struct vma_part part;
	int result = 0;

	lock_mmap_read(doing->model, doing->mm);
	for (uint64_t at = doing->start; vma_next_part(doing->mm, at, doing->end, &part); at = part.end) {
		result = part.vma->is_registered ? 0 : -EPERM;
		if (result < 0)
			break;
		scan(doing, part.start, part.end);
	}
	unlock_mmap(doing->model, doing->mm);
	return result;
}

/* Written or pinned at the last collect, and pinned now. */
static int find_pinned(struct doing *doing, struct intervals *pinned)
{
	int result = 0;

	for (uint64_t page = FIRST_PAGE; result == 0 && page < FIRST_PAGE + MODEL_PAGES; page++) {
		struct entry entry = table_look(doing->model, doing->mm, page);
		struct interval was;

		if ((entry.kind == ENTRY_PAGE || entry.kind == ENTRY_HUGE) &&
		    (is_reported(doing, page) || intervals_next(&doing->mm->was_pinned, page, page + 1, &was)) &&
		    folio_at(doing->model, entry.of)->nr_pins > 0)
			result = intervals_add(pinned, page, page + 1);
	}
	return result;
}

static void report_all(struct doing *doing, const struct intervals *set)
{
	for (size_t i = 0; i < set->v.nr; i++)
		for (uint64_t page = set->v.items[i].start; page < set->v.items[i].end; page++)
			model_report(doing->result, page - FIRST_PAGE);
}

/* Was a device's write to this page told, or will the next collect tell it, as the entry is not protected? */
static bool is_told(struct doing *doing, uint64_t page)
{
	const struct vma *vma = vma_find(doing->mm, page);

	return vma == NULL || !vma->is_registered || is_reported(doing, page) ||
	       !table_look(doing->model, doing->mm, page).uffd_wp;
}

/* What is reported is read after this, so that a device's write before it needs not be reported again. */
static void settle(struct doing *doing)
{
	for (uint64_t page = FIRST_PAGE; page < FIRST_PAGE + MODEL_PAGES; page++) {
		struct truth *truth = truth_of(doing->mm, page);

		if (truth->device && !is_told(doing, page))
			break_model(doing->model, "page %llu was written by a device and is not reported",
			            (unsigned long long)(page - FIRST_PAGE));
		truth->device = truth->device && !is_reported(doing, page);
	}
}

/* First what was written is protected again, then pins are looked for, over what was written and what was pinned
 * before. */
int op_collect(struct doing *doing)
{
	struct model *model = doing->model;
	struct intervals pinned = { 0 };
	int result = 0;

	while (doing->mm->is_collecting)
		step_wait(model);
	doing->mm->is_collecting = true;
	lock_mmap_read(model, doing->mm);
	for (size_t i = 0; i < doing->mm->vmas.nr; i++) {
		const struct vma *vma = &doing->mm->vmas.items[i];

		if (vma->is_registered)
			scan(doing, vma->start, vma->end);
	}
	if (model->opts.bug != MODEL_BUG_PIN_FORGOTTEN)
		result = find_pinned(doing, &pinned);
	report_all(doing, &doing->mm->was_pinned);
	report_all(doing, &pinned);
	settle(doing);
	intervals_fini(&doing->mm->was_pinned);
	doing->mm->was_pinned = pinned;
	doing->mm->is_collecting = false;
	unlock_mmap(model, doing->mm);
	if (result < 0)
		step_no_memory(model);
	return 0;
}
