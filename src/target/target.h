/* SPDX-License-Identifier: MIT */
/* What the rooms above may ask of a target beyond the public header, and how its files fit together. */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>

#include <tidemark/target.h>

#include "base/vec.h"
#include "kernel/maps.h"
#include "kernel/procfs.h"

/*
 * A thread of the process that still has its memory: the main thread while it lives, else another. A dead main thread
 * has an empty /proc/PID/maps and ESRCH elsewhere, while /proc/PID/task/TID/... work. The thread may exit at any time
 * after. 0 and `*tid`, or negative: GONE when no thread is left.
 */
TIDE_MUST_USE int target_live_thread(struct tide_target *target, pid_t *tid, struct tide_error *err);

/* When the process was started, in clock ticks since boot: with the PID, the name of the process wherever only numbers
 * go. */
uint64_t target_start_ticks(const struct tide_target *target);

/* A descriptor (O_PATH) of its /proc/PID, for sys_openat(); it never stands for another process. Owned by the target.
 */
int target_procfs(const struct tide_target *target);

/*
 * The process has ended, or is not this target any more: its descriptors are given back. Its name, number and last
 * layout stay; whether it is valid, and what it has mapped, is answered with GONE from now on.
 */
void target_retire(struct tide_target *target);

/*
 * Opens a file of its memory below /proc/PID ("pagemap", "mem", ...) that stays with this memory, whatever becomes of
 * the thread that it is opened through. A descriptor, the caller's to close, or negative: GONE, DENIED, SYSTEM.
 */
TIDE_MUST_USE int target_open_file(struct tide_target *target, const char *name, int flags, struct tide_error *err);

/*
 * userfaultfd.c. A userfaultfd for the target's memory with these features (enum of kernel/uffd.h, asynchronous ones),
 * made inside of it where it is another process; `*stopped_ns` grows by how long that stood still. The descriptor, the
 * caller's to close, or negative: BUSY it uses userfaultfd itself; UNSUPPORTED; what inject_run() says.
 */
TIDE_MUST_USE int target_userfaultfd(struct tide_target *target, uint64_t features, uint64_t *stopped_ns,
                                     struct tide_error *err);

/*
 * The same with synchronous protection: whoever writes waits for whoever reads the descriptor, also in system calls.
 */
TIDE_MUST_USE int target_userfaultfd_sync(struct tide_target *target, uint64_t features, uint64_t *stopped_ns,
                                          struct tide_error *err);

/* layout.c: mappings in one buffer, their names in one arena that may move while it grows. */
struct layout_buffer {
	VEC(struct tide_mapping) mappings;
	VEC(size_t) name_at; /* per mapping, into names */
	VEC(char) names;     /* each zero-terminated; "" at 0 */
};

/* Two buffers: the one that `view` shows, and the one that the next refresh fills. Zeroed to begin with. */
struct layout {
	struct layout_buffer buffers[2];
	unsigned shown;
	struct tide_layout view;
};

/* Empties the hidden buffer. */
void layout_begin(struct layout *layout);

/* Appends to the hidden buffer what lies above the mappings there already. 0 or -ENOMEM. */
int layout_add(struct layout *layout, const struct vma *vma);

/* Shows the hidden buffer if it differs from the shown one; returns whether it did. */
bool layout_commit(struct layout *layout);
void layout_fini(struct layout *layout);

/* What tells one program from another while the process stays the same: set by exec, all of it random under ASLR. */
struct program {
	uint64_t start_code;
	uint64_t end_code;
	uint64_t start_stack;
};

struct tide_target {
	pid_t pid;
	int pidfd;  /* -1: retired */
	int dir;    /* /proc/PID */
	int maps;   /* of the memory the process had when it was opened: it dies with it */
	bool query; /* PROCMAP_QUERY can be used */
	bool is_32bit;
	char name[PROCFS_NAME_SIZE];
	uint64_t start_ticks;
	struct program program;
	struct layout layout;
};

/* memory.c. Opens target->maps and takes down the program. 0 or negative with `err` filled. */
int memory_open(struct tide_target *target, struct tide_error *err);

/* Whether the memory that target->maps was opened on is still there: 1, 0, or -errno. */
int memory_alive(struct tide_target *target);

/* The same task, but another program than at opening? 1, 0 also when we may not know, -ESRCH no thread is left, -errno.
 */
int memory_replaced(struct tide_target *target);

/* Fills the hidden buffer with all mappings. 0; -ESRCH the memory has gone; -errno. */
int memory_read(struct tide_target *target);

/* threads.c. As target_live_thread(), without a sentence: 0; -ESRCH no thread is left; -errno. `*stat` is the thread's.
 */
int thread_find(int dir, pid_t pid, pid_t *tid, struct procfs_stat *stat);

/* identity.c. Fills `err` with how it went: exited, or executed another program. Returns a negative errno. */
int target_gone(struct tide_target *target, struct tide_error *err);

#endif
