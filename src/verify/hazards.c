/* SPDX-License-Identifier: MIT */
/* This file runs the scripts of hazards, each in a child, and says what was lost. */
#include "verify/hazards.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verify/apart.h"

#define TIMEOUT_MS 20000

#define FIXES "a write that this kernel loses cannot be reported: exact write tracking needs a kernel that loses none"

/* Not for people to mend: trackers know. */
#define SPLIT_CALLS    "; a tracker scans one mapping a call, and after an error takes all of it for written"
#define FILE_IS_OVER   "; a tracker cannot call mappings of files exact"
#define SHARED_IS_OVER "; a tracker cannot call shared memory exact"

#define PINNED_IS_OVER "; a tracker reports pinned pages each time"

/* What a tracker that works here may lose. `event` continues "around"; `known` what trackers do about it, or NULL: it
 * is the kernel that has to change. */
#define HAZARDS(X)                                                                                                     \
	X("tracked-pte-hole", &arena_uffd, ARENA_SMALL, hazard_pte_hole, "the drop of a page", NULL)                   \
	X("tracked-pmd-hole", &arena_uffd, ARENA_SMALL, hazard_pmd_hole, "the drop of a whole page table", NULL)       \
	X("tracked-huge-hole", &arena_uffd, ARENA_HUGE, hazard_pmd_hole, "the drop of a huge page", NULL)              \
	X("tracked-unpopulated", &arena_uffd, ARENA_EMPTY, hazard_unpopulated, "the first touch of memory", NULL)      \
	X("tracked-zero-page", &arena_uffd, ARENA_EMPTY, hazard_zero_page, "the zero page", NULL)                      \
	X("tracked-huge-zero-page", &arena_uffd, ARENA_HUGE_EMPTY, hazard_huge_zero_page, "the huge zero page", NULL)  \
	X("tracked-huge-split", &arena_uffd, ARENA_HUGE, hazard_huge_split, "the split of a huge page's mapping",      \
	  NULL)                                                                                                        \
	X("tracked-folio-split", &arena_uffd, ARENA_HUGE_SPARSE, hazard_folio_split, "the split of a huge page", NULL) \
	X("tracked-collapse", &arena_uffd, ARENA_SMALL, hazard_collapse, "MADV_COLLAPSE", NULL)                        \
	X("tracked-fork", &arena_uffd, ARENA_SMALL, hazard_fork, "a fork", NULL)                                       \
	X("tracked-huge-fork", &arena_uffd, ARENA_HUGE, hazard_fork, "a fork that shares huge pages", NULL)            \
	X("tracked-mremap", &arena_uffd, ARENA_SMALL, hazard_mremap, "a move to another address", NULL)                \
	X("tracked-huge-mremap", &arena_uffd, ARENA_HUGE, hazard_mremap, "a move of huge pages", NULL)                 \
	X("tracked-swap", &arena_uffd, ARENA_SMALL, hazard_swap, "swapping out and in", NULL)                          \
	X("tracked-huge-swap", &arena_uffd, ARENA_HUGE, hazard_swap, "swapping huge pages out and in", NULL)           \
	X("tracked-migration", &arena_uffd, ARENA_SMALL, hazard_migration, "a migration", NULL)                        \
	X("tracked-huge-migration", &arena_uffd, ARENA_HUGE, hazard_migration, "a migration of huge pages", NULL)      \
	X("tracked-hugetlb", &arena_uffd, ARENA_HUGETLB, hazard_hugetlb, "pages of hugetlb's pool", NULL)              \
	X("tracked-pinned-fork", &arena_uffd, ARENA_SMALL, hazard_pinned_fork, "a fork of pinned memory", NULL)        \
	X("tracked-device-write", &arena_uffd, ARENA_SMALL, hazard_device_write, "a device's write to a pinned page",  \
	  PINNED_IS_OVER)                                                                                              \
	X("tracked-scan-error", &arena_uffd, ARENA_SMALL, hazard_scan_error, "a scan that fails", SPLIT_CALLS)         \
	X("tracked-file-drop", &arena_uffd, ARENA_FILE_PRIVATE, hazard_file_drop, "the drop of a file's private page", \
	  FILE_IS_OVER)                                                                                                \
	X("tracked-file-write", &arena_uffd, ARENA_FILE_SHARED, hazard_file_write, "write(2) to a mapped file",        \
	  SHARED_IS_OVER)

#define SOFT_HAZARDS(X)                                                                                                \
	X("soft-dirty-huge-split", &arena_soft_dirty, ARENA_HUGE, hazard_huge_split,                                   \
	  "the split of a huge page's mapping", NULL)                                                                  \
	X("soft-dirty-folio-split", &arena_soft_dirty, ARENA_HUGE_SPARSE, hazard_folio_split,                          \
	  "the split of a huge page", NULL)                                                                            \
	X("soft-dirty-merge", &arena_soft_dirty, ARENA_SMALL, hazard_replaced, "the merge of two mappings", NULL)      \
	X("soft-dirty-fork", &arena_soft_dirty, ARENA_SMALL, hazard_fork, "a fork", NULL)                              \
	X("soft-dirty-mremap", &arena_soft_dirty, ARENA_SMALL, hazard_mremap, "a move to another address", NULL)       \
	X("soft-dirty-swap", &arena_soft_dirty, ARENA_SMALL, hazard_swap, "swapping out and in", NULL)                 \
	X("soft-dirty-huge-swap", &arena_soft_dirty, ARENA_HUGE, hazard_swap, "swapping huge pages out and in", NULL)  \
	X("soft-dirty-migration", &arena_soft_dirty, ARENA_SMALL, hazard_migration, "a migration", NULL)               \
	X("soft-dirty-huge-migration", &arena_soft_dirty, ARENA_HUGE, hazard_migration, "a migration of huge pages",   \
	  NULL)

struct hazard {
	const char *name;
	const struct arena_tracker *tracker;
	enum arena_kind kind;
	hazard_script *script;
	const char *event;
	const char *known;
};

#define HAZARD(...) { __VA_ARGS__ },
static const struct hazard hazards[] = { HAZARDS(HAZARD) SOFT_HAZARDS(HAZARD) };

static void say(struct doctor_row *row, const struct hazard *hazard, const struct arena *arena)
{
	char invented[80] = "";

	if (arena->error == -ENOTSUP) {
		row_unknown(row, "%s", arena->why);
	} else if (arena->error < 0) {
		row_unknown(row, "%s: %s", arena->why, strerror(-arena->error));
	} else if (arena->nr_lost > 0) {
		row_no(row, "%u of %u changes around %s were lost%s", arena->nr_lost, arena->nr_changes, hazard->event,
		       hazard->known != NULL ? hazard->known : "");
		if (hazard->known == NULL)
			row_remedy(row, FIXES);
	} else {
		if (arena->nr_invented > 0)
			snprintf(invented, sizeof(invented), ", and %u pages were reported that nobody changed",
			         arena->nr_invented);
		row_yes(row, "none of %u changes around %s was lost%s", arena->nr_changes, hazard->event, invented);
	}
}

static void run(struct doctor_row *row, const struct hazard *hazard)
{
	struct arena arena;

	arena_init(&arena, hazard->tracker, hazard->kind);
	hazard->script(&arena);
	/* Whatever happened, a plain write has to be reported afterwards. */
	arena_write(&arena, ARENA_PAGES - 1);
	arena_collect(&arena);
	say(row, hazard, &arena);
	arena_fini(&arena);
}

static void ask_here(struct doctor_row *row)
{
	for (size_t i = 0; i < sizeof(hazards) / sizeof(hazards[0]); i++)
		if (strcmp(hazards[i].name, row->name) == 0)
			run(row, &hazards[i]);
}

static void ask(struct doctor_row *row)
{
	apart_ask(row, ask_here, TIMEOUT_MS);
}

#define QUESTION(row, ...) { row, ask },
const struct doctor_question questions_tracked[] = { HAZARDS(QUESTION){ 0 } };
const struct doctor_question questions_soft_dirty[] = { SOFT_HAZARDS(QUESTION){ 0 } };
