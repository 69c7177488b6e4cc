/* SPDX-License-Identifier: MIT */
/*
 * The operations that the model and the kernel both perform, on an arena of MODEL_PAGES pages at MODEL_BASE in each of
 * up to MODEL_PROCESSES processes. Process 0 is there at first; the others come by OP_FORK and have the same addresses.
 *
 * `page` and `nr` are counted from the beginning of the arena. Values are what the first word of a page holds, unique
 * for each write of a program, so that it shows where a page's contents come from.
 */
#ifndef MODEL_OP_H
#define MODEL_OP_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MODEL_PROCESSES = 3,
	MODEL_PAGES = 2048,
	MODEL_HUGE = 512, /* pages of a huge page; the arena begins at such a boundary */
	MODEL_PINS = 4,   /* registered buffers of each process */
};
#define MODEL_BASE UINT64_C(0x100000000000)

/* What OP_MAP maps (in `flags`); the last is for OP_MAP_HUGETLB. */
enum model_kind {
	MODEL_ANON,    /* private and anonymous */
	MODEL_SHARED,  /* shared and anonymous: shmem */
	MODEL_FILE,    /* private, of a file in shmem whose page n of the arena holds the value MODEL_FILE_VALUE + n */
	MODEL_HUGETLB, /* private and anonymous, of hugetlb's pool */
	MODEL_NR_KINDS,
};
#define MODEL_FILE_VALUE (UINT64_C(1) << 48)

enum {
	MODEL_READ = 1, /* protections, the kernel's numbers */
	MODEL_WRITE = 2,
};

/*
 * Name, and what it does in terms of system calls; a result is what the call returned, 0 or -errno, or -EFAULT where an
 * access would be killed by a signal. Each is run to its end before the next one, unless the scheduler interleaves
 * them.
 */
#define MODEL_OPS(X)                                                                                                   \
	X(MAP, map, "mmap MAP_FIXED over [page, +nr), `flags` the kind, `value` the protection")                       \
	X(MAP_HUGETLB, map_hugetlb, "mmap MAP_HUGETLB of whole huge pages, private, `value` the protection")           \
	X(UNMAP, unmap, "munmap of [page, +nr)")                                                                       \
	X(READ, read, "the first word of `page` is read: the value it had")                                            \
	X(WRITE, write, "`value` is written to the first word of `page`")                                              \
	X(PROTECT, protect, "mprotect of [page, +nr) to `value`")                                                      \
	X(MOVE, move, "mremap MAYMOVE|FIXED of [page, +nr) to `to`; with `flags` DONTUNMAP as well")                   \
	X(DONTNEED, dontneed, "madvise MADV_DONTNEED")                                                                 \
	X(FREE, free, "madvise MADV_FREE")                                                                             \
	X(COLD, cold, "madvise MADV_COLD")                                                                             \
	X(PAGEOUT, pageout, "madvise MADV_PAGEOUT")                                                                    \
	X(HUGEPAGE, hugepage, "madvise MADV_HUGEPAGE")                                                                 \
	X(NOHUGEPAGE, nohugepage, "madvise MADV_NOHUGEPAGE")                                                           \
	X(COLLAPSE, collapse, "madvise MADV_COLLAPSE of the huge page at `page`, which is aligned")                    \
	X(MERGEABLE, mergeable, "madvise MADV_MERGEABLE")                                                              \
	X(UNMERGEABLE, unmergeable, "madvise MADV_UNMERGEABLE")                                                        \
	X(MERGE, merge, "KSM passes over everything until it has nothing more to do")                                  \
	X(MIGRATE, migrate, "move_pages of [page, +nr) to the other node, MPOL_MF_MOVE_ALL")                           \
	X(FORK, fork, "fork: process `to`, which is not there, comes into being")                                      \
	X(EXIT, exit, "the process ends, if it is not process 0")                                                      \
	X(PIN, pin, "[page, +nr) becomes the fixed buffer `to` of an io_uring: a long-term pin for writing")           \
	X(UNPIN, unpin, "fixed buffer `to` is let go")                                                                 \
	X(DEVICE_WRITE, device_write, "IORING_OP_READ_FIXED puts `value` at page `page` of fixed buffer `to`")         \
	X(DEVICE_READ, device_read, "IORING_OP_WRITE_FIXED: the value at page `page` of fixed buffer `to`")            \
	X(REGISTER, register, "UFFDIO_REGISTER of [page, +nr) for asynchronous write protection")                      \
	X(UNREGISTER, unregister, "UFFDIO_UNREGISTER of [page, +nr)")                                                  \
	X(ARM, arm, "UFFDIO_WRITEPROTECT of [page, +nr)")                                                              \
	X(DISARM, disarm, "UFFDIO_WRITEPROTECT of [page, +nr), the protection taken away")                             \
	X(REARM, rearm, "PAGEMAP_SCAN of [page, +nr) for what is written, and protects it again (CHECK_WPASYNC)")      \
	X(SCAN, scan, "PAGEMAP_SCAN of [page, +nr) by masks: `value` is MODEL_ASK(all of, any of, inverted)")          \
	X(CLEAR_SOFT, clear_soft, "4 into /proc/PID/clear_refs")                                                       \
	X(CLEAR_YOUNG, clear_young, "1 into /proc/PID/clear_refs: young entries become old")                           \
	X(COLLECT, collect, "a tracker's collect over all that is registered: what was written, and what is pinned")   \
	X(CLEAR_PART, clear_part, "soft-dirty bits of [page, +nr) alone are cleared; no call of the kernel does that") \
	X(TO_DEVICE, to_device, "private pages of [page, +nr) migrate to a device's memory, as a driver makes them")   \
	X(MKOLD, mkold, "DAMON's preparation of a check: the entry of `page` becomes old, its folio idle")             \
	X(YOUNG, young, "DAMON's check: 1 if `page` was used since its preparation")

enum model_op_kind {
#define X(name, lower, text) OP_##name,
	MODEL_OPS(X)
#undef X
	        NR_MODEL_OPS,
	/* From here on the kernel has no call of its own for it. */
	FIRST_MODEL_OP = OP_COLLECT,
};

/* Masks of PAGEMAP_SCAN, 16 bits each, in the kernel's numbers; those that a scan may ask for here. */
#define MODEL_ASK(all, any, inverted) ((uint64_t)(all) | (uint64_t)(any) << 16 | (uint64_t)(inverted) << 32)
enum {
	ASK_FILE = 1 << 2,
	ASK_PRESENT = 1 << 3,
	ASK_SWAPPED = 1 << 4,
	ASK_ZERO = 1 << 5,
	ASK_HUGE = 1 << 6,
	ASK_ALL = ASK_FILE | ASK_PRESENT | ASK_SWAPPED | ASK_ZERO | ASK_HUGE,
};

struct model_op {
	enum model_op_kind kind;
	unsigned process;
	uint32_t page, nr, to;
	uint32_t flags;
	uint64_t value;
};

/* What is told of a page from outside; the kernel's by pagemap and PAGEMAP_SCAN. */
enum {
	SEEN_PRESENT = 1 << 0,
	SEEN_SWAPPED = 1 << 1, /* an entry that is not present and not empty: a marker of a tracker, too */
	SEEN_FILE = 1 << 2,    /* a page of a file or of shared memory */
	SEEN_ONCE = 1 << 3,    /* mapped once */
	SEEN_ARMED = 1 << 4,   /* uffd-wp */
	SEEN_SOFT = 1 << 5,    /* soft-dirty, of the entry or its mapping */
	SEEN_HUGE = 1 << 6,    /* mapped by a huge entry */
	SEEN_ZERO = 1 << 7,    /* the zero page */
	SEEN_ALL = (1 << 8) - 1,
	SEEN_UNREAD = 1 << 8, /* only how it is mapped: nobody may read what it holds */
};

struct model_seen {
	uint32_t flags;
	uint64_t value; /* present pages only */
};

/* What came of an operation. */
struct model_result {
	int code;                            /* 0 or -errno */
	uint64_t value;                      /* of OP_READ, OP_DEVICE_READ and OP_YOUNG */
	uint64_t reported[MODEL_PAGES / 64]; /* OP_REARM, OP_SCAN, OP_COLLECT: these pages, a bit each */
};

static inline void model_report(struct model_result *result, uint64_t page)
{
	result->reported[page / 64] |= UINT64_C(1) << page % 64;
}

static inline bool model_reported(const struct model_result *result, uint64_t page)
{
	return result->reported[page / 64] >> page % 64 & 1;
}

const char *model_op_name(enum model_op_kind kind);

#endif
