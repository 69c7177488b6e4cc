/* SPDX-License-Identifier: MIT */
/* Micro-steps, the locks they are taken under, and who takes the next one. */
#ifndef MODEL_STEPS_H
#define MODEL_STEPS_H

#include "model/state.h"

/* Ends a micro-step that changed `folio` (0: none): invariants are checked, and others may take theirs. */
void step(struct model *model, uint32_t folio);

/* Locks of the kernel's names. Each waits while another operation has it. */
void lock_mmap_read(struct model *model, struct mm *mm);
void lock_mmap_write(struct model *model, struct mm *mm);
void unlock_mmap(struct model *model, struct mm *mm);
void lock_table(struct model *model, struct table *table);
void unlock_table(struct model *model, struct table *table);
void lock_folio(struct model *model, uint32_t folio);
bool trylock_folio(struct model *model, uint32_t folio);
void unlock_folio(struct model *model, uint32_t folio);

/* Another's micro-step has to come first. */
void step_wait(struct model *model);

/* Leaves the operation, and all of them: there is no memory for the model itself. */
void step_no_memory(struct model *model) __attribute__((noreturn));

/* Notes the first thing that does not hold. */
void break_model(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* After each micro-step; folio `id` is what it changed. */
void invariants_of_folio(struct model *model, uint32_t id);

/* Between operations: all there is, counted again from the tables. */
void invariants_of_all(struct model *model);

#endif
