/* SPDX-License-Identifier: MIT */
/* Whom: one process, identified so that neither a reused PID nor an exec is ever taken for it, and its mappings. */
#ifndef TIDEMARK_TARGET_H
#define TIDEMARK_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tidemark/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tide_target;

/* A half-open range of byte addresses, page-aligned at both ends. */
struct tide_range {
	uint64_t start;
	uint64_t end;
};

enum tide_mapping_flags {
	TIDE_MAPPING_READ = 1 << 0,
	TIDE_MAPPING_WRITE = 1 << 1,
	TIDE_MAPPING_EXEC = 1 << 2,
	TIDE_MAPPING_SHARED = 1 << 3, /* MAP_SHARED */
};

/* One VMA, as /proc/PID/maps describes it. */
struct tide_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset;  /* bytes into the file; 0 for anonymous memory */
	uint64_t inode;   /* 0: anonymous */
	uint32_t flags;   /* enum tide_mapping_flags */
	const char *name; /* path, "[heap]", "[stack]", "[anon:NAME]"; "" when the kernel names nothing. Never NULL. */
};

/* All mappings in ascending order, as of one refresh. */
struct tide_layout {
	uint64_t generation; /* changes when, and only when, the mappings differ from those of the refresh before; first
	                        is 1 */
	size_t nr_mappings;
	const struct tide_mapping *mappings;
};

/*
 * Opens a live process for observation; nothing in it changes. Holds a pidfd, so the number can be reused by the
 * kernel but not mistaken by us; its start time is compared wherever only a number can be passed (proc(5),
 * pidfd_open(2)). A process whose main thread has exited while others run is opened like any other. Errors: GONE no
 * such process; USAGE pid is not positive, or a kernel thread's; DENIED not ours to look at (needs CAP_SYS_PTRACE or
 * the same user, see ptrace(2) "access mode checking"). One thread at a time may use a target. The caller closes it.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_target_open(struct tide_target **out, pid_t pid, struct tide_error *err);

/* Accepts NULL. The target itself is not touched. */
TIDE_EXPORT void tide_target_close(struct tide_target *target);

/* The process ID it was opened with. */
TIDE_EXPORT pid_t tide_target_pid(const struct tide_target *target);

/* A descriptor that becomes readable when the whole process has exited (pidfd_open(2)). Owned by the target. */
TIDE_EXPORT int tide_target_pidfd(const struct tide_target *target);

/* The command name at the time of opening (at most 15 bytes, no control characters). Owned by the target. */
TIDE_EXPORT const char *tide_target_name(const struct tide_target *target);

/* 1 for a 32-bit program on a 64-bit kernel, else 0. */
TIDE_EXPORT int tide_target_is_32bit(const struct tide_target *target);

/*
 * 1 while the same process still runs the same program; 0 with `err` filled (cause GONE, a sentence that says whether
 * it exited or executed another program) when not; negative when it could not be told.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_target_valid(struct tide_target *target, struct tide_error *err);

/*
 * Reads the mappings again and returns them. They stay valid until the next refresh or close; a second call with
 * nothing changed keeps `generation`. Kernel: /proc/PID/maps, with PROCMAP_QUERY (6.11) where it is there. Errors:
 * GONE; LIMIT out of memory; SYSTEM.
 */
TIDE_EXPORT TIDE_MUST_USE int tide_target_refresh(struct tide_target *target, const struct tide_layout **out,
                                                  struct tide_error *err);

/* The layout of the last refresh; before the first one an empty layout with generation 0. Never NULL. */
TIDE_EXPORT const struct tide_layout *tide_target_layout(const struct tide_target *target);

/* The mapping that holds `addr`, or NULL. Points into `layout`. O(log n). */
TIDE_EXPORT const struct tide_mapping *tide_layout_find(const struct tide_layout *layout, uint64_t addr);

#ifdef __cplusplus
}
#endif
#endif
