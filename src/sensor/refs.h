/* SPDX-License-Identifier: MIT */
/* The refs sensor's state, shared by its files. */
#ifndef SENSOR_REFS_H
#define SENSOR_REFS_H

#include <stdbool.h>

#include <tidemark/sensor.h>

#include "base/vec.h"
#include "kernel/smaps.h"
#include "sensor/mapped.h"

/* Present pages of a mapping that smaps does not count: the zero page, and others without a struct page. */
enum refs_hidden {
	REFS_HIDDEN_UNKNOWN = 0,
	REFS_HIDDEN_NONE,
	REFS_HIDDEN_SOME,
	REFS_HIDDEN_UNREAD, /* it would have taken too long to find out */
};

struct refs_vma {
	uint64_t start;
	uint64_t end;
	uint64_t inode; /* 0: anonymous */
	uint64_t rss_bytes;
	uint64_t referenced_bytes;
	uint64_t huge_bytes; /* of rss_bytes */
	uint64_t hugetlb_bytes;
	uint32_t flags; /* enum vma_flags */
	uint8_t kinds;  /* enum smaps_kinds */
	uint8_t hidden; /* enum refs_hidden */
};

/* The target as smaps showed it once. */
struct refs_look {
	VEC(struct refs_vma) vmas; /* ascending, disjoint */
	uint64_t began_ns;         /* CLOCK_MONOTONIC */
	uint64_t ended_ns;
	uint64_t nr_reclaimed; /* pages that reclaim had looked at since boot */
	bool is_guest;         /* its memory may be used through a virtual machine's tables */
	bool is_valid;         /* nothing was cleared since */
};

struct refs_state {
	struct tide_target *target;
	struct mapped mapped;
	struct refs_look cleared; /* from just before the last clearing */
	struct refs_look now;     /* the latest */
	uint64_t nr_clearings;
	uint64_t scan_at;      /* a bulk scan goes on from here: below, it needs a look of its own */
	uint64_t max_stall_us; /* that a clearing may keep the target waiting */
	uint64_t page_ps;      /* time to clear a page, in picoseconds, as the last clearings took */
	bool can_scan;         /* PAGEMAP_SCAN */
	struct tide_sensor_cost cost;
};

extern const struct tide_sensor_ops sensor_refs;

/* refs_look.c. Reads refs->now. */
int refs_look(struct refs_state *refs, struct tide_error *err);

/* Entries that hold the look's present pages: what reading and clearing take their time for. */
uint64_t refs_nr_entries(const struct refs_look *look);

/* The first mapping that ends above `addr`; NULL: none does. */
struct refs_vma *refs_find(const struct refs_look *look, uint64_t addr);

/* refs_guest.c. Does the target run a virtual machine, as far as its descriptors tell? 1, 0 or negative. */
int refs_is_guest(struct tide_target *target, struct tide_error *err);

/* refs_clear.c. Forgets all accesses; what is now becomes what was. Refuses (LIMIT) when the stall would be too long.
 */
int refs_clear(struct refs_state *refs, struct tide_error *err);

/* Would it be refused? 0 or negative with `err` filled. pre: refs->now is valid. */
int refs_clear_allowed(struct refs_state *refs, uint64_t max_stall_us, struct tide_error *err);

/* What is known of the time between clearing and looking. */
struct refs_interval {
	uint64_t rss_before_bytes; /* of the mapping, when it was cleared; 0 when it was not there */
	bool is_guest;
	bool is_doubtful; /* accessed bits may have been cleared by somebody else meanwhile */
};

/* refs_judge.c. Fills in a check's answer, reason and page from its mapping, but for hidden pages. */
void refs_judge(const struct refs_vma *vma, const struct refs_interval *interval, struct tide_check *check);

/* refs_hidden.c. Finds vma->hidden out, if that is not known yet; `*pagemap` is opened when needed, the caller closes.
 */
int refs_find_hidden(struct refs_state *refs, struct refs_vma *vma, int *pagemap, struct tide_error *err);

/* refs_exact.c */
int refs_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
              uint64_t *next, struct tide_error *err);
int refs_plan(void *state, struct tide_pass *pass, struct tide_error *err);
int refs_forget_all(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err);

/* refs_probe.c */
int refs_probe(struct tide_error *why);

#endif
