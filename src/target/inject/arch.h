/* SPDX-License-Identifier: MIT */
/*
 * What reaching into a thread needs to know of the processor: a port is one file, arch_ARCH.c. Registers are those of
 * PTRACE_GETREGSET, NT_PRSTATUS; the extended state (floating point, vectors) is an image that only this file reads.
 */
#ifndef TARGET_INJECT_ARCH_H
#define TARGET_INJECT_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

enum {
	ARCH_STATE_MAX = 16384, /* of the extended state, all features of the processor */
	ARCH_FRAME_MAX = ARCH_STATE_MAX + 2048,
	ARCH_FRAME_ALIGN = 64, /* a frame built at another address may be larger by as much */
	ARCH_CODE_MAX = 16,    /* no piece of code below is longer */
};

struct arch_regs {
	struct user_regs_struct user;
};

struct arch_state {
	size_t size_bytes;
	unsigned char image[ARCH_STATE_MAX] __attribute__((aligned(64)));
};

/* Code of the target's own that is made use of; 0: not found. */
struct arch_code {
	uint64_t call;   /* enters the kernel, then returns to the address on the stack */
	uint64_t enter;  /* enters the kernel; what follows is not looked at */
	uint64_t resume; /* makes sigreturn of the frame below the stack pointer */
};

/* Fills what is still 0 of `code` with what lies in `text`, read from address `at`. True when nothing is missing. */
bool arch_code_find(struct arch_code *code, const unsigned char *text, size_t size, uint64_t at);

/* Is what was found still there? Reads through `mem`, a descriptor of /proc/PID/mem. */
bool arch_code_valid(const struct arch_code *code, int mem);

/* Of a stopped thread. 0 or -errno. */
int arch_regs_read(pid_t tid, struct arch_regs *regs);
int arch_regs_write(pid_t tid, const struct arch_regs *regs);
int arch_state_read(pid_t tid, struct arch_state *state);
int arch_state_write(pid_t tid, struct arch_state *state);

/* Does returning to another address than the one that was called from kill this thread (shadow stack)? */
bool arch_returns_are_guarded(pid_t tid);

/* Runs code of the program's, and of the kernel's own word size, whose calls we know how to make. */
bool arch_is_native(const struct arch_regs *regs);

/* Was interrupted inside a system call, which will be finished or made again when it goes on. */
bool arch_in_call(const struct arch_regs *regs);

uint64_t arch_ip(const struct arch_regs *regs);
void arch_set_ip(struct arch_regs *regs, uint64_t ip);
uint64_t arch_sp(const struct arch_regs *regs);

/*
 * The system call that our stop interrupted would return EINTR, although no signal came: turns that into the kernel's
 * own "make it again, unless a handler runs". True when `regs` were changed. `mem` as above.
 */
bool arch_hide_interruption(struct arch_regs *regs, int mem);

/* What the kernel does to the registers of an interrupted call before it goes on, when no handler runs. */
void arch_restart(struct arch_regs *regs);

/*
 * A signal frame out of which the kernel's sigreturn restores `regs`, `state` and `mask`, leaving the alternate stack
 * as it is. _place: where below `top` it must begin; the bytes [result, top) are used. _build fills `bytes` with
 * `top - at` bytes, at most ARCH_FRAME_MAX.
 */
uint64_t arch_frame_place(const struct arch_state *state, uint64_t top);
size_t arch_frame_build(unsigned char *bytes, uint64_t at, const struct arch_code *code, const struct arch_regs *regs,
                        const struct arch_state *state, uint64_t mask);

/* Are `bytes` a frame that arch_frame_build() made? */
bool arch_frame_is_ours(const unsigned char *bytes, const struct arch_code *code);

/* How much below the stack pointer belongs to the program all the same. */
uint64_t arch_red_zone_bytes(void);

/* The thread would make call `nr`, and then restore itself out of `frame`; with `frame` 0 it would run wild. */
void arch_set_call(struct arch_regs *regs, const struct arch_code *code, uint64_t frame, long nr,
                   const uint64_t args[6]);

/* The thread would restore itself at once; with `frame` 0: at least it is in no system call. */
void arch_set_parked(struct arch_regs *regs, const struct arch_code *code, uint64_t frame);

long arch_result(const struct arch_regs *regs);
long arch_close_number(void);

#endif
