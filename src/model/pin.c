/* SPDX-License-Identifier: MIT */
/*
 * This file pins pages and lets devices read and write them: get_user_pages() with FOLL_PIN | FOLL_WRITE |
 * FOLL_LONGTERM. Devices know the page and not its address: what they write, no entry tells.
 */
#include <errno.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static void unpin(struct model *model, struct pin *pin)
{
	while (pin->nr > 0)
		folio_unpin(model, pin->folio[--pin->nr]);
}

/* One page, written to by a fault first if it has to be: then it is its mapping's own. */
static int pin_page(struct model *model, struct mm *mm, struct pin *pin, uint64_t page)
{
	struct entry entry = table_look(model, mm, page);
	int result = 0;

	while (result == 0 && !((entry.kind == ENTRY_PAGE || entry.kind == ENTRY_HUGE) && entry.write)) {
		result = fault_in(model, mm, page, true);
		entry = table_look(model, mm, page);
	}
	if (result < 0)
		return result;
	mm->has_pinned = true;
	pin->folio[pin->nr] = entry.of;
	pin->index[pin->nr] = entry.index;
	pin->nr++;
	folio_pin(model, entry.of);
	return 0;
}

static bool is_one_file(struct doing *doing)
{
	const struct vma *first = vma_find(doing->mm, doing->start), *vma;

	for (uint64_t page = doing->start; page < doing->end; page = vma->end) {
		vma = vma_find(doing->mm, page);
		if (vma->kind != first->kind || vma->file != first->file)
			return false;
	}
	return true;
}

int op_pin(struct doing *doing)
{
	struct pin *pin = doing->op->to < MODEL_PINS ? &doing->mm->pins[doing->op->to] : NULL;
	int result = 0;

	if (pin == NULL || pin->nr > 0)
		return -EBUSY;
	lock_mmap_read(doing->model, doing->mm);
	for (uint64_t page = doing->start; result == 0 && page < doing->end; page++)
		result = pin_page(doing->model, doing->mm, pin, page);
	if (result == 0 && doing->model->opts.pins_one_file && !is_one_file(doing))
		result = -EINVAL;
	unlock_mmap(doing->model, doing->mm);
	if (result < 0)
		unpin(doing->model, pin);
	return result;
}

static struct pin *pin_of(const struct doing *doing)
{
	return doing->op->to < MODEL_PINS ? &doing->mm->pins[doing->op->to] : NULL;
}

int op_unpin(struct doing *doing)
{
	struct pin *pin = pin_of(doing);

	if (pin == NULL || pin->nr == 0)
		return -ENXIO;
	unpin(doing->model, pin);
	return 0;
}

/* What a device writes is a change for everyone who has the page in his tables; what others write to shared memory
 * nobody claims to tell. */
static void note_device(struct model *model, const struct mm *own, uint32_t folio, unsigned index)
{
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		struct mm *mm = &model->mms[i];

		for (uint64_t page = FIRST_PAGE; mm->is_there && page < FIRST_PAGE + MODEL_PAGES; page++) {
			struct entry entry = table_look(model, mm, page);

			if ((entry.kind != ENTRY_PAGE && entry.kind != ENTRY_HUGE) || entry.of != folio ||
			    entry.index != index)
				continue;
			truth_of(mm, page)->device =
			        truth_of(mm, page)->device || mm == own || vma_is_private(vma_find(mm, page));
			/* What is pinned keeps its mark while it is writable: base pages of private memory, that is. */
			truth_of(mm, page)->soft =
			        truth_of(mm, page)->soft || (entry.kind == ENTRY_PAGE && entry.write && entry.soft &&
			                                     vma_is_private(vma_find(mm, page)));
		}
	}
}

int op_device_write(struct doing *doing)
{
	struct pin *pin = pin_of(doing);
	uint32_t at = doing->op->page;

	if (pin == NULL || at >= pin->nr)
		return -EFAULT;
	folio_at(doing->model, pin->folio[at])->pages[pin->index[at]].value = doing->op->value;
	note_device(doing->model, doing->mm, pin->folio[at], pin->index[at]);
	step(doing->model, pin->folio[at]);
	return 0;
}

int op_device_read(struct doing *doing)
{
	struct pin *pin = pin_of(doing);
	uint32_t at = doing->op->page;

	if (pin == NULL || at >= pin->nr)
		return -EFAULT;
	doing->result->value = folio_at(doing->model, pin->folio[at])->pages[pin->index[at]].value;
	return 0;
}

int op_exit(struct doing *doing)
{
	struct mm *mm = doing->mm;

	if (mm == &doing->model->mms[0])
		return -EPERM;
	if (mm->is_ending)
		return -ESRCH;
	mm->is_ending = true;
	while (mm->nr_users > 1)
		step_wait(doing->model);
	for (unsigned i = 0; i < MODEL_PINS; i++)
		unpin(doing->model, &mm->pins[i]);
	lock_mmap_write(doing->model, mm);
	zap(doing->model, mm, FIRST_PAGE, FIRST_PAGE + MODEL_PAGES, false);
	mm_forget(doing->model, mm);
	unlock_mmap(doing->model, mm);
	return 0;
}
