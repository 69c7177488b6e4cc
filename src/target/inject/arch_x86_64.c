/* SPDX-License-Identifier: MIT */
/*
 * This file knows the registers, the system call instruction and the signal frame of x86-64. It is long so that what a
 * port has to write is one file.
 */
#include "target/inject/arch.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kernel/sys.h"

#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204
#endif

enum {
	USER_CS = 0x33, /* 64-bit code; x32 has it too */
	RED_ZONE_BYTES = 128,
	SYSCALL_BYTES = 2,
};

/* Results that never reach a program: the kernel turns them into a restart, or into EINTR (linux/errno.h). */
enum {
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
	ERESTARTNOHAND = 514,
	ERESTART_RESTARTBLOCK = 516,
};

static const unsigned char syscall_ret[] = { 0x0f, 0x05, 0xc3 };
static const unsigned char sigreturn_long[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 }; /* glibc */
static const unsigned char sigreturn_short[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };            /* musl */

/* The bytes that end behind text[end] are `code`. */
static bool ends_with(const unsigned char *text, size_t end, const unsigned char *code, size_t size)
{
	return end >= size && memcmp(text + end - size, code, size) == 0;
}

bool arch_code_find(struct arch_code *code, const unsigned char *text, size_t size, uint64_t at)
{
	const unsigned char *found = text;

	while ((found = memmem(found, size - (size_t)(found - text), syscall_ret, SYSCALL_BYTES)) != NULL) {
		size_t start = (size_t)(found - text);
		size_t end = start + SYSCALL_BYTES;

		if (code->enter == 0)
			code->enter = at + start;
		if (code->call == 0 && end < size && text[end] == syscall_ret[SYSCALL_BYTES])
			code->call = at + start;
		if (code->resume == 0 && ends_with(text, end, sigreturn_long, sizeof(sigreturn_long)))
			code->resume = at + end - sizeof(sigreturn_long);
		if (code->resume == 0 && ends_with(text, end, sigreturn_short, sizeof(sigreturn_short)))
			code->resume = at + end - sizeof(sigreturn_short);
		if (code->call != 0 && code->resume != 0)
			return true;
		found++;
	}
	return false;
}

static bool is_at(int mem, uint64_t at, const unsigned char *code, size_t size)
{
	unsigned char bytes[ARCH_CODE_MAX];

	return sys_pread(mem, bytes, size, (off_t)at) == (ssize_t)size && memcmp(bytes, code, size) == 0;
}

bool arch_code_valid(const struct arch_code *code, int mem)
{
	if (code->call == 0 || code->resume == 0)
		return code->enter != 0 && is_at(mem, code->enter, syscall_ret, SYSCALL_BYTES);
	return is_at(mem, code->call, syscall_ret, sizeof(syscall_ret)) &&
	       (is_at(mem, code->resume, sigreturn_long, sizeof(sigreturn_long)) ||
	        is_at(mem, code->resume, sigreturn_short, sizeof(sigreturn_short)));
}

static int regset(int request, pid_t tid, uintptr_t note, void *buf, size_t *size)
{
	struct iovec vector = { .iov_base = buf, .iov_len = *size };
	long result = sys_ptrace(request, tid, (void *)note, &vector); /* NOLINT(performance-no-int-to-ptr) */

	*size = vector.iov_len;
	return result < 0 ? (int)result : 0;
}

int arch_regs_read(pid_t tid, struct arch_regs *regs)
{
	size_t size = sizeof(regs->user);

	return regset(PTRACE_GETREGSET, tid, NT_PRSTATUS, &regs->user, &size);
}

int arch_regs_write(pid_t tid, const struct arch_regs *regs)
{
	struct user_regs_struct copy = regs->user;
	size_t size = sizeof(copy);

	return regset(PTRACE_SETREGSET, tid, NT_PRSTATUS, &copy, &size);
}

int arch_state_read(pid_t tid, struct arch_state *state)
{
	int result;

	state->size_bytes = sizeof(state->image);
	result = regset(PTRACE_GETREGSET, tid, NT_X86_XSTATE, state->image, &state->size_bytes);
	/* As much as there was room for: perhaps not all. */
	return result == 0 && state->size_bytes == sizeof(state->image) ? -EOVERFLOW : result;
}

int arch_state_write(pid_t tid, struct arch_state *state)
{
	size_t size = state->size_bytes;

	return regset(PTRACE_SETREGSET, tid, NT_X86_XSTATE, state->image, &size);
}

bool arch_returns_are_guarded(pid_t tid)
{
	uint64_t pointer;
	size_t size = sizeof(pointer);

	/* ENODEV: not switched on for this thread; EINVAL: an older kernel, or processor, does not know the note. */
	return regset(PTRACE_GETREGSET, tid, NT_X86_SHSTK, &pointer, &size) == 0;
}

bool arch_is_native(const struct arch_regs *regs)
{
	/* The kernel's own threads inside of a process (io_uring, vhost) are nowhere in the program. */
	return regs->user.cs == USER_CS && regs->user.rip != 0;
}

bool arch_in_call(const struct arch_regs *regs)
{
	return (long)regs->user.orig_rax >= 0;
}

uint64_t arch_ip(const struct arch_regs *regs)
{
	return regs->user.rip;
}

void arch_set_ip(struct arch_regs *regs, uint64_t ip)
{
	regs->user.rip = ip;
}

uint64_t arch_sp(const struct arch_regs *regs)
{
	return regs->user.rsp;
}

/*
 * Calls that say EINTR when nothing was done yet, so that making them again is what would have happened without us;
 * the time they may wait begins anew. Any other may have closed or written something: its EINTR stays.
 */
static bool may_be_repeated(long nr)
{
	switch (nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case 441 /* epoll_pwait2 */:
	case SYS_rt_sigtimedwait:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_io_getevents:
	case 333 /* io_pgetevents */:
	case 426 /* io_uring_enter */:
	case 427 /* io_uring_register, which waits to unregister */:
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_futex:
	case 449 /* futex_waitv */:
		return true;
	default:
		return false;
	}
}

bool arch_hide_interruption(struct arch_regs *regs, int mem)
{
	struct user_regs_struct *user = &regs->user;

	if (!arch_is_native(regs) || !arch_in_call(regs) || (long)user->rax != -EINTR ||
	    !may_be_repeated((long)user->orig_rax))
		return false;
	/* int $0x80 has other numbers. */
	if (!is_at(mem, user->rip - SYSCALL_BYTES, syscall_ret, SYSCALL_BYTES))
		return false;
	user->rax = (uint64_t)-ERESTARTNOHAND;
	return true;
}

void arch_restart(struct arch_regs *regs)
{
	struct user_regs_struct *user = &regs->user;

	if (!arch_in_call(regs))
		return;
	switch (-(long)user->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK: /* what is left of its time is only known to the kernel: it begins anew */
		user->rax = user->orig_rax;
		user->rip -= SYSCALL_BYTES;
		break;
	default:
		break;
	}
	user->orig_rax = (uint64_t)-1;
}

/* arch/x86/include/asm/sigframe.h and uapi/asm/sigcontext.h, with the names of the latter. */
struct sigcontext64 {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};

struct frame {
	uint64_t pretcode;
	uint64_t uc_flags, uc_link;
	uint64_t ss_sp;
	uint32_t ss_flags, ss_pad;
	uint64_t ss_size;
	struct sigcontext64 context;
	uint64_t mask;
	unsigned char info[128];
};

_Static_assert(sizeof(struct sigcontext64) == 256, "struct sigcontext of the kernel");
_Static_assert(offsetof(struct frame, context) == 8 + 40, "struct ucontext of the kernel");

enum {
	UC_FP_XSTATE = 1,
	UC_SIGCONTEXT_SS = 2,
	UC_STRICT_RESTORE_SS = 4,
	SS_NO_SUCH_FLAG = 0x40, /* makes sigreturn's sigaltstack fail, which it ignores */
	STATE_ALIGN = ARCH_FRAME_ALIGN,
	STATE_SOFTWARE_AT = 464, /* the bytes of the image that the processor leaves to software */
	STATE_HEADER_AT = 512,
	STATE_LEGACY_BYTES = 576, /* x87, SSE and the header */
	NR_FEATURES = 63,
};

/* struct _fpx_sw_bytes: tells sigreturn that the image has more than x87 and SSE. */
struct software {
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t features;
	uint32_t state_size;
	uint32_t pad[7];
};

#define STATE_MAGIC1 0x46505853u
#define STATE_MAGIC2 0x46505845u

static uint64_t word_of(const unsigned char *image, size_t at)
{
	uint64_t word;

	memcpy(&word, image + at, sizeof(word));
	return word;
}

/* Where feature `i` ends in the image; 0 when the processor has not got it. */
static size_t feature_end(unsigned i)
{
	unsigned size;
	unsigned offset;
	unsigned flags;
	unsigned unused;

	if (i < 2)
		return STATE_LEGACY_BYTES;
	if (!__get_cpuid_count(0xd, i, &size, &offset, &flags, &unused) || size == 0 || (flags & 1) != 0)
		return 0;
	return (size_t)offset + size;
}

/*
 * How much of the image is not in its initial state. The kernel refuses an image that is larger than the thread is
 * allowed to have (AMX), and what a frame does not mention is set to its initial state.
 */
static size_t used_bytes(const struct arch_state *state)
{
	uint64_t used = word_of(state->image, STATE_HEADER_AT);
	size_t size = STATE_LEGACY_BYTES;

	for (unsigned i = 2; i < NR_FEATURES; i++) {
		size_t end = used >> i & 1 ? feature_end(i) : 0;

		size = end > size ? end : size;
	}
	return size < state->size_bytes ? size : state->size_bytes;
}

uint64_t arch_frame_place(const struct arch_state *state, uint64_t top)
{
	uint64_t state_at = (top - used_bytes(state) - sizeof(uint32_t)) & ~(uint64_t)(STATE_ALIGN - 1);

	/* As at a function's entry: 16 bytes, less one address. */
	return ((state_at - sizeof(struct frame)) & ~(uint64_t)15) - 8;
}

static void copy_context(struct sigcontext64 *out, const struct user_regs_struct *user)
{
	*out = (struct sigcontext64){
		.r8 = user->r8,
		.r9 = user->r9,
		.r10 = user->r10,
		.r11 = user->r11,
		.r12 = user->r12,
		.r13 = user->r13,
		.r14 = user->r14,
		.r15 = user->r15,
		.rdi = user->rdi,
		.rsi = user->rsi,
		.rbp = user->rbp,
		.rbx = user->rbx,
		.rdx = user->rdx,
		.rax = user->rax,
		.rcx = user->rcx,
		.rsp = user->rsp,
		.rip = user->rip,
		.eflags = user->eflags,
		.cs = (uint16_t)user->cs,
		.ss = (uint16_t)user->ss,
	};
}

size_t arch_frame_build(unsigned char *bytes, uint64_t at, const struct arch_code *code, const struct arch_regs *regs,
                        const struct arch_state *state, uint64_t mask)
{
	size_t used = used_bytes(state);
	uint64_t state_at = (at + sizeof(struct frame) + STATE_ALIGN - 1) & ~(uint64_t)(STATE_ALIGN - 1);
	unsigned char *image = bytes + (state_at - at);
	const uint32_t magic2 = STATE_MAGIC2;
	struct software software = {
		.magic1 = STATE_MAGIC1,
		.extended_size = (uint32_t)(used + sizeof(magic2)),
		.features = word_of(state->image, STATE_HEADER_AT) | 3,
		.state_size = (uint32_t)used,
	};
	struct frame frame = {
		.pretcode = code->resume,
		.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.ss_flags = SS_NO_SUCH_FLAG,
		.mask = mask,
	};

	copy_context(&frame.context, &regs->user);
	frame.context.fpstate = state_at;
	memset(bytes, 0, (size_t)(image - bytes));
	memcpy(bytes, &frame, sizeof(frame));
	memcpy(image, state->image, used);
	memcpy(image + STATE_SOFTWARE_AT, &software, sizeof(software));
	memcpy(image + used, &magic2, sizeof(magic2));
	return (size_t)(image - bytes) + used + sizeof(magic2);
}

bool arch_frame_is_ours(const unsigned char *bytes, const struct arch_code *code)
{
	struct frame frame;

	memcpy(&frame, bytes, sizeof(frame));
	return frame.pretcode == code->resume && frame.ss_flags == SS_NO_SUCH_FLAG;
}

uint64_t arch_red_zone_bytes(void)
{
	return RED_ZONE_BYTES;
}

void arch_set_call(struct arch_regs *regs, const struct arch_code *code, uint64_t frame, long nr,
                   const uint64_t args[6])
{
	struct user_regs_struct *user = &regs->user;

	user->rip = frame != 0 || code->enter == 0 ? code->call : code->enter;
	if (frame != 0)
		user->rsp = frame;
	user->rax = (uint64_t)nr;
	user->orig_rax = (uint64_t)-1;
	user->rdi = args[0];
	user->rsi = args[1];
	user->rdx = args[2];
	user->r10 = args[3];
	user->r8 = args[4];
	user->r9 = args[5];
}

void arch_set_parked(struct arch_regs *regs, const struct arch_code *code, uint64_t frame)
{
	regs->user.orig_rax = (uint64_t)-1;
	if (frame == 0)
		return;
	regs->user.rip = code->resume;
	regs->user.rsp = frame + sizeof(uint64_t); /* as `ret` leaves it */
}

long arch_result(const struct arch_regs *regs)
{
	return (long)regs->user.rax;
}

long arch_close_number(void)
{
	return SYS_close;
}
