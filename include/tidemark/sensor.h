/* SPDX-License-Identifier: MIT */
/*
 * Was this page used since? The operations a sensor implements and the monitor calls: DAMON's primitives
 * (Documentation/mm/damon/design.rst, "Operations Set Layer"), with one answer more: "could not be seen".
 */
#ifndef TIDEMARK_SENSOR_H
#define TIDEMARK_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/error.h>
#include <tidemark/target.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tide_answer {
	TIDE_ANSWER_IDLE = 0,     /* not accessed between prepare and check, as far as the sensor can see everything */
	TIDE_ANSWER_ACCESSED,     /* accessed */
	TIDE_ANSWER_UNOBSERVABLE, /* no claim; `reason` says why */
};

/* X-macro: identifier, name in reports, sentence for the manual. */
#define TIDE_REASONS(X)                                                                                                \
	X(NONE, "none", "observable")                                                                                  \
	X(SHARED, "shared", "mapped by more than one page table: its accessed bit cannot be cleared here")             \
	X(LOCKED, "locked", "locked memory: the kernel does not age it")                                               \
	X(HUGETLB, "hugetlb", "hugetlb memory: the kernel does not age it")                                            \
	X(SPECIAL, "special", "device or other memory without an ordinary struct page")                                \
	X(GUEST, "guest", "used through a secondary page table (virtual machine guest, GPU)")                          \
	X(CLEARED, "cleared", "the accessed bit was cleared by somebody else in between")                              \
	X(OFF_LRU, "off-lru", "not on an LRU list at the moment: cannot be aged")                                      \
	X(PARTIAL, "partial", "part of a folio that is not wholly in one mapping and table: clearing would split it")  \
	X(REFUSED, "refused", "the kernel refused to clear the accessed bit")                                          \
	X(PREFAULT, "prefault", "mapped along with a neighbour by one fault (file, large folio): young without use")   \
	X(COARSE, "coarse", "the kernel tells only how much of this mapping was accessed, not which part")             \
	X(UNREAD, "unread", "the page-table entry could not be read, or the kernel has moved its page")                \
	X(UNTRACKED, "untracked", "not registered with userfaultfd: it cannot be, is new, or mappings are too many")   \
	X(HUGE, "huge", "writes to a huge page are not told apart: the first one would split it")                      \
	X(FREED, "freed", "the page was given up meanwhile, and what happened to it before went with it")              \
	X(FRESH, "fresh", "it appeared meanwhile, by a read or by a write: of a file's page nobody knows")

enum tide_reason {
#define TIDE_REASON_ENUM(id, name, sentence) TIDE_REASON_##id,
	TIDE_REASONS(TIDE_REASON_ENUM)
#undef TIDE_REASON_ENUM
	        TIDE_NR_REASONS
};

/* The reason's name and sentence. Never NULL; static storage. */
TIDE_EXPORT const char *tide_reason_name(enum tide_reason reason);
TIDE_EXPORT const char *tide_reason_sentence(enum tide_reason reason);

/* One sampled page. The monitor owns the array; it fills `addr`, the sensor the rest. */
struct tide_check {
	uint64_t addr;       /* in: page-aligned sampled address */
	uint64_t page_start; /* out, by check: the (huge) page the answer holds for; 0,0 when nothing is mapped there */
	uint64_t page_end;
	/*
	 * in: so many bytes after the page, all of one region, are believed unused. A sensor may forget their accesses
	 * along with the page's where that is cheaper than to do it one page at a time; 0: the sampled page only.
	 */
	uint64_t ahead_bytes;
	uint64_t state[2]; /* the sensor's own, carried from prepare to check */
	uint8_t answer;    /* out, by check: enum tide_answer */
	uint8_t reason;    /* out, by check: enum tide_reason, NONE unless UNOBSERVABLE */
};

/*
 * What a bulk scan says of one run of entries of one page table; valid during the callback only. A sensor that sees
 * whole mappings only reports each as one block, of any number of entries, without bitmaps.
 */
struct tide_block {
	uint64_t start;          /* address of the first entry */
	uint32_t nr_entries;     /* at most 512 where there are bitmaps */
	uint32_t entry_shift;    /* log2 of the bytes an entry maps: 12, 21, 30 */
	uint32_t nr_present;     /* bits set in `present` */
	uint32_t nr_young;       /* bits set in `young` */
	const uint64_t *present; /* bitmaps of 512 bits: entry maps a page / was accessed since it was last cleared */
	const uint64_t *young;   /* both NULL: only the counts are known */
	uint8_t reason;          /* enum tide_reason: no way clears accessed bits here; NONE: some does */
	uint8_t is_file;         /* a file's pages appear young without having been used (fault-around) */
};

/* Return 0 to go on, anything else ends the scan and is returned by it. */
typedef int tide_block_fn(void *arg, const struct tide_block *block);

/* X-macro: how exact mode forgets accesses: identifier, name, sentence. Best for the target first. */
#define TIDE_WAYS(X)                                                                                                   \
	X(RWP, "rwp", "userfaultfd's access protection: nothing but the pages' own protection changes")                \
	X(DAMON, "damon", "the kernel's DAMON clears the process's accessed bits in small steps: nothing moves")       \
	X(REFS, "refs", "clear_refs clears the whole process and keeps its mmap lock meanwhile")                       \
	X(COLD, "cold", "MADV_COLD in small steps, for accessed pages only, moves them towards reclaim")

enum tide_way {
	TIDE_WAY_AUTO = 0, /* the best that is possible and bounded */
#define TIDE_WAY_ENUM(id, name, sentence) TIDE_WAY_##id,
	TIDE_WAYS(TIDE_WAY_ENUM)
#undef TIDE_WAY_ENUM
	        TIDE_NR_WAYS
};

/* The way's name and sentence; "auto" and NULL for AUTO. Static storage. */
TIDE_EXPORT const char *tide_way_name(enum tide_way way);
TIDE_EXPORT const char *tide_way_sentence(enum tide_way way);

/* One pass of exact mode over all memory of a target: what the sensor plans it by, and what it plans. */
struct tide_pass {
	uint64_t interval_us;  /* from pass to pass */
	uint64_t max_stall_us; /* that one call may keep the target waiting */
	uint64_t nr_present;   /* entries, in the last pass; 0: this is the first */
	uint64_t nr_young;
	enum tide_way wanted; /* AUTO, or the user's */
	enum tide_way way;    /* out: never AUTO */
	bool whole;           /* out: everything is forgotten at once, at the pass's end, by forget_all */
};

/* Pages whose accesses are to be forgotten: [start, end) of present, young entries of one size. */
struct tide_young_run {
	uint64_t start;
	uint64_t end;
	uint32_t entry_shift;
};

/* Pages of a run that could not be made old, and why: nothing can be said of them in the next interval. */
typedef int tide_stuck_fn(void *arg, uint64_t start, uint64_t end, enum tide_reason reason);

/* What the sensor has cost so far: counted work, and the longest time it kept the target waiting. */
struct tide_sensor_cost {
	uint64_t nr_read;         /* page-table entries looked at, one by one */
	uint64_t nr_scanned;      /* page-table entries read in bulk */
	uint64_t nr_cleared;      /* pages, or runs of pages, whose accessed bits were cleared in one go */
	uint64_t nr_calls;        /* system calls that took the target's mmap lock */
	uint64_t longest_hold_ns; /* longest single call that held the target's mmap lock in read mode: upper bound of a
	                             stall */
	/* Of whole-process clearing (exact mode, sensor "refs"): */
	uint64_t nr_stalls;        /* calls that held the lock in write mode */
	uint64_t longest_stall_ns; /* the longest of them */
	uint64_t stall_ns;         /* their sum */
	uint64_t blind_ns;         /* time between looking and clearing, in which accesses went unseen; sum */
	uint32_t ways;             /* bit 1 << enum tide_way for each way in which more than samples was cleared */
	uint64_t stopped_ns; /* the process stood still while a descriptor was made inside of it (sensor "rwp"); sum */
};

enum tide_sensor_flags {
	TIDE_SENSOR_DISTURBS_LRU = 1 << 0, /* clearing moves sampled pages towards reclaim */
	TIDE_SENSOR_SEES_GUESTS = 1 << 1,  /* accesses through secondary page tables are seen */
	/*
	 * Each prepare is a pass over the whole target, which waits meanwhile, and answers hold for whole mappings. A
	 * session then checks once per aggregation interval (default: 1,000,000 us), and in exact mode if the sensor
	 * can, unless it is told how often to check.
	 */
	TIDE_SENSOR_WHOLE = 1 << 2,
	/*
	 * It tells writes only: "accessed" means written. Never the ladder's choice: taken by name, or to be asked
	 * beside another one.
	 */
	TIDE_SENSOR_TELLS_WRITES = 1 << 3,
	/* It needs a target's userfaultfd, of which there can be one: two such sensors cannot watch one process. */
	TIDE_SENSOR_TAKES_UFFD = 1 << 4,
};

/*
 * A sensor. `state` points to `state_size` zeroed bytes, one per target, allocated by the core.
 * All calls for one state come from one thread at a time. Negative returns are -errno with `err` filled; cause GONE
 * ends the monitoring of that target cleanly. NULL members mean what their line says.
 */
struct tide_sensor_ops {
	const char *name;
	const char *summary;
	size_t state_size;
	uint32_t flags; /* enum tide_sensor_flags */
	uint32_t ways;  /* bit 1 << enum tide_way for each that `plan` may choose; 0: no exact mode */
	/* 1 usable here, 0 not (why->text says why and what to do), negative: could not be asked. May be called any
	 * time. */
	int (*probe)(struct tide_error *why);
	/* Get ready for `target`, which outlives the state. On failure nothing is left behind. */
	int (*init)(void *state, struct tide_target *target, struct tide_error *err);
	/* Report the address ranges that are mapped now, ascending. `*out` belongs to the sensor until the next call.
	 */
	int (*update)(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err);
	/* Start watching the pages at checks[].addr (ascending): forget accesses so far. */
	int (*prepare_access_checks)(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
	/* Answer for the same array as the last prepare of these checks; other checks may have come between. */
	int (*check_accesses)(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
	/* An aggregation interval ended. NULL: nothing to do. */
	void (*reset_aggregated)(void *state);
	/* 1 valid, 0 gone (err filled), negative could not tell. NULL: always valid. */
	int (*target_valid)(void *state, struct tide_error *err);
	/* Undo everything; the state is freed by the core afterwards. NULL: nothing to do. */
	void (*cleanup)(void *state);
	/*
	 * Bulk answer: calls `fn` for every page table with a present entry in [start, end), ascending, reading at most
	 * `max_entries` entries; sets `*next` to where to go on (end when done). Clears nothing. NULL: cannot.
	 */
	int (*scan)(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
	            uint64_t *next, struct tide_error *err);
	/* Fill in the cost so far. NULL: free of cost. */
	void (*cost)(const void *state, struct tide_sensor_cost *out);
	/*
	 * check_accesses(old) and then prepare_access_checks(fresh), in one look at the target where the sensor can. On
	 * failure the fresh checks are not prepared, and old checks that were not answered keep the answer they came
	 * with. NULL: the core makes both calls.
	 */
	int (*turn)(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
	            struct tide_error *err);
	/*
	 * Exact mode, which needs `scan` and these; one pass is: plan, then scans over all memory with second_look and
	 * forget for what each showed, in the end forget_all where the plan is a whole one.
	 *
	 * Decides how this pass will forget accesses; fills in `way` and `whole`. NULL: no exact mode.
	 */
	int (*plan)(void *state, struct tide_pass *pass, struct tide_error *err);
	/*
	 * Pages (ascending addresses) that were accessed and forgotten in the last pass and are not young now: was the
	 * accessed bit cleared by somebody else since? Fills in answer and reason. NULL: it cannot be told, believe the
	 * bit.
	 */
	int (*second_look)(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
	/* Makes the pages of `runs` (ascending) old, and takes the marks away that others leave at old ones; `stuck` is
	 * told, ascending, what could not be. NULL: whole only.
	 */
	int (*forget)(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
	              struct tide_error *err);
	/*
	 * Makes all memory old that the pass scanned, at least, in one stall of at most the plan's max_stall_us;
	 * `stuck` as above. NULL: never planned.
	 */
	int (*forget_all)(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err);
	/*
	 * The longest that one call may keep the target waiting (100,000 before it is told): after init, before all
	 * else. Errors: LIMIT, the target is so large that it would be longer. NULL: calls are bounded by themselves.
	 */
	int (*bound_stall)(void *state, uint64_t max_stall_us, struct tide_error *err);
};

/*
 * All sensors of this build, best first; NULL-terminated, static storage. The ladder takes the first whose probe
 * says 1. "walk": Linux 6.1 or later on x86-64 with BPF and BTF; CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_NICE, and
 * CAP_SYS_PTRACE for other users' processes. "rwp": Linux 7.3; the rights of ptrace(2), as it makes a descriptor inside
 * the target, which is stopped for a millisecond or so (docs/design/003-injection.md), and refuses targets that use
 * userfaultfd themselves.
 * "writes": Linux 6.7; writes only; otherwise as "rwp".
 * "refs": any Linux with CONFIG_PROC_PAGE_MONITOR, without privileges for one's own processes, but whole mappings only:
 * whether all of one was accessed, or nothing.
 */
TIDE_EXPORT const struct tide_sensor_ops *const *tide_sensors(void);

/*
 * The sensor called `name`, or with NULL the first of the ladder that works here. `why` receives the reason of the
 * choice, why better ones do not work included, or of the refusal. Not for two threads at the same time. Errors: USAGE
 * no such sensor; UNSUPPORTED or DENIED none works here; SYSTEM it could not be asked.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_sensor_choose(const struct tide_sensor_ops **out, const char *name,
                                                 struct tide_error *why);

/*
 * The same for exact mode: the sensor that can forget accesses by `way`; with AUTO the one that has the best way, in
 * the order of TIDE_WAYS. Among several the first of the ladder.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_sensor_choose_exact(const struct tide_sensor_ops **out, const char *name,
                                                       enum tide_way way, struct tide_error *why);

#ifdef __cplusplus
}
#endif
#endif
