/* SPDX-License-Identifier: MIT */
/*
 * What the sensors that stand on userfaultfd share: a target's mappings, registered with a descriptor that was made
 * inside of it, and the calls that protect pages and look at them.
 */
#ifndef SENSOR_TRACKED_H
#define SENSOR_TRACKED_H

#include <stdbool.h>

#include <tidemark/sensor.h>

#include "base/vec.h"
#include "kernel/pagescan.h"
#include "sensor/mapped.h"
#include "sensor/page_before.h"

#define TRACKED_PAGE ((uint64_t)4096)
#define TRACKED_HUGE ((uint64_t)2 << 20)

enum {
	TRACKED_NR_REGIONS = 512,
	TRACKED_STEP_PAGES = 4096, /* entries that one call changes: a third of a millisecond */
};

/* Against what pages are protected: asynchronously, so that whoever comes lifts it and does not wait. */
struct tracked_kind {
	uint64_t features;                                    /* for uffd_api() */
	int (*enlist)(int fd, uint64_t start, uint64_t end);  /* as uffd_register() */
	int (*protect)(int fd, uint64_t start, uint64_t end); /* as uffd_protect() */
};

/* Can a mapping be watched? */
enum tracked_standing {
	TRACKED_REFUSED = 0, /* the kernel cannot, for this kind of mapping */
	TRACKED_SEALED,      /* ... because nobody can ever write it */
	TRACKED_YES,         /* it is registered, as far as we know */
	TRACKED_LOST,        /* it is not, or not any more: to be registered at the next refresh */
};

struct tracked_mapping {
	uint64_t start;
	uint64_t end;
	uint32_t flags;      /* enum tide_mapping_flags */
	uint32_t page_bytes; /* hugetlb's, else TRACKED_PAGE */
	enum tracked_standing standing;
};

struct tracked {
	const struct tracked_kind *kind;
	struct tide_target *target;
	int uffd;
	int pagemap;
	uint64_t generation; /* of the layout that `mappings` follows; 0: of none yet */
	bool has_lost;
	uint64_t nr_max_mappings;
	struct mapped mapped;
	VEC(struct tracked_mapping) mappings; /* ascending */
	VEC(struct tracked_mapping) before;   /* of the layout before */
	struct pagescan_region *regions;      /* TRACKED_NR_REGIONS */
	struct tide_sensor_cost cost;
};

/* tracked.c: for a sensor's init and cleanup, and, where `state` is a struct tracked, its ops of these names. */
int tracked_open(struct tracked *tracked, const struct tracked_kind *kind, struct tide_target *target,
                 struct tide_error *err);
void tracked_close(void *state);
int tracked_update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err);
int tracked_valid(void *state, struct tide_error *err);
void tracked_cost(const void *state, struct tide_sensor_cost *out);

/* tracked_mapping.c. Registers what is new in the target's layout, as of its last refresh. */
int tracked_follow(struct tracked *tracked, struct tide_error *err);

/* The mapping that holds `addr`, or the next one above; NULL: there is none. */
struct tracked_mapping *tracked_mapping_from(struct tracked *tracked, uint64_t addr);

/* It turned out that (part of) [start, end) is not registered any more. */
void tracked_lose(struct tracked *tracked, uint64_t start, uint64_t end);

/* tracked_release.c. Lifts everything. */
void tracked_release(struct tracked *tracked);

/* tracked_call.c. The kernel's calls, with their cost counted. Protects; 0 or -errno as the kind's protect(). */
int tracked_protect(struct tracked *tracked, uint64_t start, uint64_t end);

/* The number of regions that pagescan() filled in, or -errno. */
long tracked_pagescan(struct tracked *tracked, struct pagescan *scan, struct pagescan_region *regions, size_t nr);

/* What is at one page (enum pagescan_category), WRITTEN meaning: not protected; 0: nothing. Or -errno. */
int64_t tracked_look(struct tracked *tracked, uint64_t addr);

/* The same with huge pages, zero pages and files told apart, and without WRITTEN. */
int64_t tracked_look_closely(struct tracked *tracked, uint64_t addr);

/* GONE when the process has gone, else `code` as an error about its memory. */
int tracked_failed(struct tracked *tracked, int code, const char *what, struct tide_error *err);

/*
 * tracked_arm.c. As prepare_access_checks: `arm` looks at each sampled page once, protects it, and fills in `before`
 * anew.
 */
typedef int tracked_arm_fn(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err);
int tracked_prepare(struct tracked *tracked, tracked_arm_fn *arm, struct tide_check *checks, size_t nr,
                    struct tide_error *err);

/* Protects the (huge) page of `before->shift` at `addr`, whole; if the kernel will not, `before` says why. */
int tracked_arm(struct tracked *tracked, uint64_t addr, struct page_before *before, struct tide_error *err);

/* Says why, of a page that another call could not protect, with `result` (-errno). */
int tracked_not_armed(struct tracked *tracked, uint64_t addr, int result, struct page_before *before,
                      struct tide_error *err);

#endif
