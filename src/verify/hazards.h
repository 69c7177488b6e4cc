/* SPDX-License-Identifier: MIT */
/* What may make the kernel lose a write that it should report: each a script on an arena of its own. */
#ifndef VERIFY_HAZARDS_H
#define VERIFY_HAZARDS_H

#include "verify/arena.h"

typedef void hazard_script(struct arena *arena);

/* Memory that is not there: armed, dropped, never touched. */
hazard_script hazard_pte_hole;
hazard_script hazard_pmd_hole;
hazard_script hazard_unpopulated;
hazard_script hazard_zero_page;
hazard_script hazard_huge_zero_page;
hazard_script hazard_replaced;

/* Huge pages. */
hazard_script hazard_huge_split;
hazard_script hazard_folio_split;
hazard_script hazard_collapse;
hazard_script hazard_hugetlb;

/* Pages and mappings that go elsewhere. */
hazard_script hazard_fork;
hazard_script hazard_mremap;
hazard_script hazard_swap;
hazard_script hazard_migration;

/* Pages that a device writes to. */
hazard_script hazard_device_write;
hazard_script hazard_pinned_fork;

/* What the interface itself loses. */
hazard_script hazard_scan_error;
hazard_script hazard_file_drop;
hazard_script hazard_file_write;

#endif
