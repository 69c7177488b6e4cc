/* SPDX-License-Identifier: MIT */
/*
 * A process that does not exist: what it has mapped, and which of it is used when. Nothing is kept for a page, whatever
 * the size: whether one was used in some interval is worked out from the seed when somebody asks. The same question has
 * the same answer on every machine.
 *
 * A page of a set is read once in each `read_ns` and written once in each `write_ns`, each at a moment of its own,
 * drawn by chance; a page that several sets hold is used by all of them.
 */
#ifndef MODEL_WORKLOAD_H
#define MODEL_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/error.h>

#include "base/vec.h"

#define WORKLOAD_FOREVER UINT64_MAX
#define WORKLOAD_ALL     1000000u /* parts per million */

enum {
	WORKLOAD_MAX_MAPPINGS = 256,
	WORKLOAD_MAX_SETS = 64,
	WORKLOAD_MAX_PARTIAL = 8, /* sets that use a share of their pages only */
	WORKLOAD_MAX_BLINDS = 64,
};

/* The lowest mapping's address where the caller has no wish, and the highest end that a process can have. */
#define WORKLOAD_FIRST_ADDRESS (UINT64_C(1) << 40)
#define WORKLOAD_LAST_ADDRESS  (UINT64_C(1) << 47)
/* The shortest time for which a set stays where it is. */
#define WORKLOAD_MIN_MOVE_NS UINT64_C(1000000)

enum workload_use {
	WORKLOAD_READS = 1 << 0,
	WORKLOAD_WRITES = 1 << 1,
	WORKLOAD_USES = WORKLOAD_READS | WORKLOAD_WRITES,
};

/* Times are since the workload's start; something is there in [from_ns, until_ns). */
struct workload_mapping {
	char *name; /* never NULL */
	uint64_t start;
	uint64_t end;
	uint64_t populated_bytes; /* from its start on: the rest has no pages */
	unsigned page_shift;      /* 12, 21 or 30 */
	uint64_t from_ns;
	uint64_t until_ns;
};

struct workload_set {
	char *name; /* never NULL */
	uint32_t mapping;
	uint64_t offset; /* in the mapping, when it begins */
	uint64_t bytes;
	uint64_t read_ns;  /* 0: never read */
	uint64_t write_ns; /* 0: never written */
	uint32_t share;    /* of its pages are used, drawn by chance, in WORKLOAD_ALLths */
	uint64_t from_ns;
	uint64_t until_ns;
	uint64_t move_bytes; /* it moves up by so much every move_ns, around in what is populated; 0: it stays */
	uint64_t move_ns;
};

/* Memory of which a sensor can say nothing, and why: a number of the sensor's. */
struct workload_blind {
	uint32_t mapping;
	uint64_t offset;
	uint64_t bytes;
	uint8_t reason;
};

/* All zero is one without any memory. */
struct workload {
	char *name; /* NULL: none */
	uint64_t seed;
	VEC(struct workload_mapping) mappings; /* ascending, disjoint, whenever they are there */
	VEC(struct workload_set) sets;
	VEC(struct workload_blind) blinds;
};

/* Frees what it holds. */
void workload_fini(struct workload *workload);

/* 0 when it is sound, which all functions below take for granted. Errors: USAGE, a sentence that names the part. */
int workload_check(const struct workload *workload, struct tide_error *err);

/* The mapping that has a page at `addr` at `at_ns`, or NULL. O(log mappings). */
const struct workload_mapping *workload_page(const struct workload *workload, uint64_t addr, uint64_t at_ns);

/*
 * Was the page of `mapping` that holds `addr` used in one of the ways `uses` (enum workload_use) in (since_ns,
 * until_ns]? O(sets), and for one that moves O(times that it did, of which the last 1,000 count).
 */
bool workload_used(const struct workload *workload, const struct workload_mapping *mapping, uint64_t addr,
                   uint64_t since_ns, uint64_t until_ns, unsigned uses);

/* Why nothing can be said of the page at `addr`; 0: it can be seen. */
uint8_t workload_blindness(const struct workload *workload, const struct workload_mapping *mapping, uint64_t addr);

/* How many mappings had come or gone at `at_ns`; what was there at the start counts for 0. */
uint64_t workload_generation(const struct workload *workload, uint64_t at_ns);

static inline bool workload_is_mapped(const struct workload_mapping *mapping, uint64_t at_ns)
{
	return mapping->from_ns <= at_ns && at_ns < mapping->until_ns;
}

/* Where the set's first byte is at `at_ns`, as an offset into its mapping; from the end of what is populated it goes on
 * at the mapping's start. */
uint64_t workload_set_offset(const struct workload *workload, const struct workload_set *set, uint64_t at_ns);

/* Of the bytes of [start, end) so many are hot. */
struct workload_hot {
	uint64_t start;
	uint64_t end;
	double share;
};

struct workload_hots {
	VEC(struct workload_hot) list;
};

/*
 * The truth: what is used at `at_ns`, in one of the ways `uses`, with a chance of at least one half in an interval of
 * `interval_ns`, periods that meet in a page taken as independent. Ascending, disjoint. Calculated, no page is looked
 * at. 0 or -ENOMEM.
 */
int workload_hot(const struct workload *workload, uint64_t at_ns, uint64_t interval_ns, unsigned uses,
                 struct workload_hots *out);

#endif
