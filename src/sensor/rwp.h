/* SPDX-License-Identifier: MIT */
/* The rwp sensor's state, shared by its files. */
#ifndef SENSOR_RWP_H
#define SENSOR_RWP_H

#include <stdbool.h>

#include <tidemark/sensor.h>

#include "base/vec.h"
#include "kernel/pagescan.h"
#include "sensor/mapped.h"
#include "sensor/rwp_judge.h"

#define RWP_PAGE ((uint64_t)4096)
#define RWP_HUGE ((uint64_t)2 << 20)

enum {
	RWP_NR_REGIONS = 512,
	RWP_STEP_PAGES = 4096, /* entries that one call changes: a third of a millisecond */
};

/* Can accesses to a mapping be watched? */
enum rwp_standing {
	RWP_REFUSED = 0, /* the kernel cannot, for this kind of mapping */
	RWP_TRACKED,     /* it is registered, as far as we know */
	RWP_LOST,        /* it is not, or not any more: to be registered at the next refresh */
};

struct rwp_mapping {
	uint64_t start;
	uint64_t end;
	uint32_t flags;      /* enum tide_mapping_flags */
	uint32_t page_bytes; /* hugetlb's, else RWP_PAGE */
	enum rwp_standing standing;
};

struct rwp_state {
	struct tide_target *target;
	int uffd;
	int pagemap;
	uint64_t generation; /* of the layout that `mappings` follows; 0: of none yet */
	bool has_lost;
	uint64_t nr_max_mappings;
	struct mapped mapped;
	VEC(struct rwp_mapping) mappings; /* ascending */
	VEC(struct rwp_mapping) before;   /* of the layout before */
	struct pagescan_region *regions;  /* RWP_NR_REGIONS */
	struct tide_sensor_cost cost;
};

extern const struct tide_sensor_ops sensor_rwp;

/* rwp_mapping.c. Registers what is new in the target's layout, as of its last refresh. */
int rwp_follow(struct rwp_state *rwp, struct tide_error *err);

/* The mapping that holds `addr`, or the next one above; NULL: there is none. */
struct rwp_mapping *rwp_mapping_from(struct rwp_state *rwp, uint64_t addr);

/* Would protection unmap such a page, rather than mark it? A huge page of shared memory. */
static inline bool rwp_unmaps(const struct rwp_mapping *mapping, uint64_t categories)
{
	return mapping->page_bytes <= RWP_PAGE && (categories & PAGESCAN_HUGE) && (categories & PAGESCAN_FILE);
}

/* It turned out that (part of) [start, end) is not registered any more. */
void rwp_lose(struct rwp_state *rwp, uint64_t start, uint64_t end);

/* rwp_release.c. Lifts everything. */
void rwp_release(struct rwp_state *rwp);

/* rwp_call.c. The kernel's calls, with their cost counted. Protects against access; 0 or -errno as
 * uffd_protect_access(). */
int rwp_protect(struct rwp_state *rwp, uint64_t start, uint64_t end);

/* The number of regions that pagescan() filled in, or -errno. */
long rwp_pagescan(struct rwp_state *rwp, struct pagescan *scan, struct pagescan_region *regions, size_t nr);

/* What is at one page (enum pagescan_category), WRITTEN meaning: not protected; 0: nothing. Or -errno. */
int64_t rwp_look(struct rwp_state *rwp, uint64_t addr);

/* GONE when the process has gone, else `code` as an error about its memory. */
int rwp_failed(struct rwp_state *rwp, int code, const char *what, struct tide_error *err);

/* rwp_sample.c, rwp_scan.c, rwp_exact.c, rwp_probe.c: of the ops. */
int rwp_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int rwp_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int rwp_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
             uint64_t *next, struct tide_error *err);
int rwp_plan(void *state, struct tide_pass *pass, struct tide_error *err);
int rwp_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
               struct tide_error *err);
int rwp_probe(struct tide_error *why);

#endif
