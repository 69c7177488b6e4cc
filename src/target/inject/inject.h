/* SPDX-License-Identifier: MIT */
/* System calls run inside a target that does not cooperate, in one short transaction, and everything put back. */
#ifndef TARGET_INJECT_INJECT_H
#define TARGET_INJECT_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/target.h>

enum {
	INJECT_MAX_CALLS = 16,
};

/* One call. The kernel of the target's view: numbers are those of its architecture. */
struct inject_call {
	long nr;
	uint64_t args[6];
	/* args[0] is to be a copy of the caller's descriptor `given`, which is closed there after the call. */
	bool gives;
	int given;
	/*
	 * Its result is a descriptor: bring a copy of it here, and close it there before anything of the target runs.
	 */
	bool fetch;
	long result; /* out: as the kernel returned it, >= 0 or -errno */
	int fd; /* out, with `fetch`: the copy, close-on-exec, the caller's to close; -1: none, so after any failure */
};

/* What it took. */
struct inject_cost {
	uint64_t stopped_ns; /* the target's threads stood still */
	uint64_t window_ns;  /* of it: the target would not have survived the death of the helper */
	uint64_t leak_ns;    /* the longest in which a dying helper would have left a descriptor there */
	uint32_t nr_threads; /* threads and tasks sharing the memory or the descriptors that were stopped */
	bool self_restoring; /* it heals itself if the helper dies: no such window, but what window_ns says */
};

/*
 * Makes the calls one after another in one thread of the target, all threads stopped; a call with a negative result
 * ends the sequence, the rest get -ECANCELED. What was there before is there afterwards: registers, signal masks,
 * interrupted calls, memory, descriptors. Returns 0 when all calls were made and succeeded, else negative and `err`
 * says which call failed how, or why nothing was done: GONE; DENIED (not ours to trace, or a seccomp filter that cannot
 * be suspended); BUSY (somebody traces it, says who; a thread cannot be stopped in time: vfork); UNSUPPORTED (32-bit,
 * x32, system calls diverted); LIMIT (its RLIMIT_NOFILE); USAGE (the calling process itself); SYSTEM also when the
 * helper was killed: the target goes on, what was fetched is lost. Takes the calling thread some milliseconds, and
 * clones it. The layout that was last read of the target stays valid. Privileges: those of ptrace(2).
 */
TIDE_MUST_USE int inject_run(struct tide_target *target, struct inject_call *calls, size_t nr, struct inject_cost *cost,
                             struct tide_error *err);

#endif
