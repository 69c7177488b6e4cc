/* SPDX-License-Identifier: MIT */
/* This file starts the processes that tests reach into, and takes down what is seen of them from outside. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault/fail-nth.h"
#include "kernel/procfs.h"
#include "kernel/uffd.h"
#include "victim.h"

enum {
	RED_ZONE_BYTES = 128,
	PAGE_BYTES = 4096,
	BOOKS_BYTES = 64 << 20,
};

void victim_start(struct victim *victim, child_fn *fn, void *arg)
{
	struct tide_error err = { 0 };

	victim->target = NULL;
	child_start(&victim->child, fn, arg);
	if (tide_target_open(&victim->target, victim->child.pid, &err) < 0)
		fail_msg("%s", err.text);
}

void victim_end(struct victim *victim)
{
	tide_target_close(victim->target);
	child_end(&victim->child);
}

void *victim_shared(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	return shared;
}

static void add_file(FILE *out, pid_t pid, const char *name, const char *const *keys)
{
	char path[64];
	char line[512];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	in = fopen(path, "re");
	if (in == NULL)
		return;
	while (fgets(line, sizeof(line), in) != NULL) {
		bool wanted = keys == NULL;

		for (size_t i = 0; !wanted && keys[i] != NULL; i++)
			wanted = strncmp(line, keys[i], strlen(keys[i])) == 0;
		if (wanted)
			fputs(line, out);
	}
	fclose(in);
}

static void add_descriptors(FILE *out, pid_t pid)
{
	char path[64];
	struct dirent **list;
	int nr;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	nr = scandir(path, &list, NULL, versionsort);
	for (int i = 0; i < nr; i++) {
		char name[128];
		char link[256];
		ssize_t size;

		snprintf(name, sizeof(name), "%s/%.20s", path, list[i]->d_name);
		size = readlink(name, link, sizeof(link));
		if (size > 0)
			fprintf(out, "fd %s %.*s\n", list[i]->d_name, (int)size, link);
		free(list[i]);
	}
	if (nr >= 0)
		free(list);
}

static void add_threads(FILE *out, pid_t pid)
{
	static const char *const keys[] = { "SigPnd", "SigBlk",    "SigIgn",  "SigCgt",
		                            "ShdPnd", "TracerPid", "Seccomp", NULL };
	char path[64];
	struct dirent **list;
	int nr;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	nr = scandir(path, &list, NULL, versionsort);
	for (int i = 0; i < nr; i++) {
		char name[64];

		snprintf(name, sizeof(name), "task/%.20s/status", list[i]->d_name);
		if (list[i]->d_name[0] != '.') {
			fprintf(out, "thread %s\n", list[i]->d_name);
			add_file(out, pid, name, keys);
		}
		free(list[i]);
	}
	if (nr >= 0)
		free(list);
}

/* Where the stack that is in use begins: the stack pointer, as /proc/PID/syscall has it of a thread that waits. */
static unsigned long stack_pointer(pid_t pid)
{
	char path[64];
	char line[512] = "";
	unsigned long sp = 0;
	char *at;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	fclose(in);
	at = strrchr(line, ' ');
	if (at != NULL) {
		*at = 0;
		at = strrchr(line, ' ');
		sp = at != NULL ? strtoul(at, NULL, 16) : 0;
	}
	return sp;
}

static uint64_t checksum(int mem, unsigned long start, unsigned long end)
{
	static unsigned char page[PAGE_BYTES];
	uint64_t sum = 14695981039346656037u;

	while (start < end) {
		size_t size = end - start < sizeof(page) ? end - start : sizeof(page);

		if (pread(mem, page, size, (off_t)start) != (ssize_t)size)
			return 1;
		for (size_t i = 0; i < size; i++)
			sum = (sum ^ page[i]) * 1099511628211u;
		start += size;
	}
	return sum;
}

static void add_memory(FILE *out, pid_t pid)
{
	char path[64];
	char line[512];
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	assert_true(mem >= 0 && maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long start;
		unsigned long end;
		char rights[5];

		/* What it shares with the test is the test's to write. */
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3 || rights[1] != 'w' || rights[3] != 'p')
			continue;
		/* A sanitizer's books. */
		if (end - start > BOOKS_BYTES)
			continue;
		if (strstr(line, "[stack]") != NULL)
			start = stack_pointer(pid) - RED_ZONE_BYTES;
		fprintf(out, "sum %lx %lx\n", start, (unsigned long)checksum(mem, start, end));
	}
	fclose(maps);
	close(mem);
}

char *victim_look(pid_t pid, bool with_memory)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	add_file(out, pid, "maps", NULL);
	add_descriptors(out, pid);
	add_threads(out, pid);
	if (with_memory)
		add_memory(out, pid);
	fclose(out);
	return text;
}

void victim_compare(const char *before, char *after, const char *when)
{
	size_t line = 0;
	size_t i = 0;

	for (; before[i] != 0 && before[i] == after[i]; i++) {
		if (before[i] == '\n')
			line = i + 1;
	}
	if (before[i] != after[i])
		fail_msg("%s: was '%.*s', is '%.*s'", when, (int)strcspn(before + line, "\n"), before + line,
		         (int)strcspn(after + line, "\n"), after + line);
	free(after);
}

int victim_fetch(struct tide_target *target, struct inject_cost *cost, struct tide_error *err)
{
	struct inject_call calls[] = {
		{ .nr = SYS_getpid },
		{ .nr = SYS_userfaultfd, .args = { O_CLOEXEC | UFFD_USER_ONLY }, .fetch = true },
		/* A descriptor goes there, and comes back. */
		{ .nr = SYS_fcntl, .args = { 0, F_DUPFD_CLOEXEC }, .gives = true, .fetch = true },
	};
	struct uffdio_api api = { .api = UFFD_API };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stat given, back;
	int result;

	calls[2].given = null;
	assert_int_equal(fstat(null, &given), 0);
	result = inject_run(target, calls, 3, cost, err);
	close(null);
	if (result < 0) {
		assert_int_equal(calls[1].fd, -1);
		assert_int_equal(calls[2].fd, -1);
		return result;
	}
	assert_int_equal(fstat(calls[2].fd, &back), 0);
	assert_true(back.st_rdev == given.st_rdev && back.st_ino == given.st_ino);
	close(calls[2].fd);
	assert_true(calls[0].result > 0);
	/* Not through the table of system calls, where the call may be one that is to fail. */
	assert_int_equal(ioctl(calls[1].fd, UFFDIO_API, &api), 0);
	assert_int_equal(fcntl(calls[1].fd, F_GETFD), FD_CLOEXEC);
	close(calls[1].fd);
	return 0;
}

void victim_fetch_well(struct tide_target *target)
{
	struct inject_cost cost;
	struct tide_error err = { 0 };

	if (victim_fetch(target, &cost, &err) < 0)
		fail_msg("%s", err.text);
}

void victim_stop_rseq(void)
{
	char *thread = __builtin_thread_pointer();

	if (__rseq_size != 0)
		syscall(SYS_rseq, thread + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

void victim_wait_state(pid_t pid, char state)
{
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(pid);

	assert_true(dir >= 0);
	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != state)
		usleep(500);
	assert_int_equal(stat.state, state);
	close(dir);
}

/* What the registers hold while it spins, and what was found in them. Vectors lie behind each other. */
struct values {
	uint64_t general[12]; /* rax rbx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 */
	uint64_t flags;
	uint64_t red_zone;
	unsigned char vectors[16][32];
};

#define VECTORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD(n)    "vmovdqu 112+32*" #n "(%%r14), %%ymm" #n "\n"
#define STORE(n)   "vmovdqu %%ymm" #n ", 112+32*" #n "(%%r14)\n"

/* jecxz leaves the flags alone. r14 and r15 hold `values` and `told`, rcx what was told. */
__attribute__((noinline)) static void spin_with(struct values *values, const int *told)
{
	__asm__ volatile("movq %0, %%r14\n"
	                 "movq %1, %%r15\n"
	                 "pushq %%rbp\n"
	                 "leaq -256(%%rsp), %%rsp\n" VECTORS(LOAD) "pushq 96(%%r14)\n"
	                                                           "popfq\n"
	                                                           "movq 104(%%r14), %%rax\n"
	                                                           "movq %%rax, -120(%%rsp)\n"
	                                                           "movq 0(%%r14), %%rax\n"
	                                                           "movq 8(%%r14), %%rbx\n"
	                                                           "movq 16(%%r14), %%rdx\n"
	                                                           "movq 24(%%r14), %%rsi\n"
	                                                           "movq 32(%%r14), %%rdi\n"
	                                                           "movq 40(%%r14), %%rbp\n"
	                                                           "movq 48(%%r14), %%r8\n"
	                                                           "movq 56(%%r14), %%r9\n"
	                                                           "movq 64(%%r14), %%r10\n"
	                                                           "movq 72(%%r14), %%r11\n"
	                                                           "movq 80(%%r14), %%r12\n"
	                                                           "movq 88(%%r14), %%r13\n"
	                                                           "1: movl (%%r15), %%ecx\n"
	                                                           "jecxz 1b\n"
	                                                           "movq %%rax, 0(%%r14)\n"
	                                                           "movq %%rbx, 8(%%r14)\n"
	                                                           "movq %%rdx, 16(%%r14)\n"
	                                                           "movq %%rsi, 24(%%r14)\n"
	                                                           "movq %%rdi, 32(%%r14)\n"
	                                                           "movq %%rbp, 40(%%r14)\n"
	                                                           "movq %%r8, 48(%%r14)\n"
	                                                           "movq %%r9, 56(%%r14)\n"
	                                                           "movq %%r10, 64(%%r14)\n"
	                                                           "movq %%r11, 72(%%r14)\n"
	                                                           "movq %%r12, 80(%%r14)\n"
	                                                           "movq %%r13, 88(%%r14)\n"
	                                                           "movq -120(%%rsp), %%rax\n"
	                                                           "movq %%rax, 104(%%r14)\n"
	                                                           "pushfq\n"
	                                                           "popq 96(%%r14)\n"
	                                                           "cld\n" VECTORS(STORE) "leaq 256(%%rsp), %%rsp\n"
	                                                                                  "popq %%rbp\n"
	                 : "+a"(values), "+c"(told)
	                 :
	                 : "memory", "cc", "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
	                   "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
	                   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

int victim_spin(int in, int out, void *arg)
{
	static char alternate[16384];
	const stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	stack_t now = { 0 };
	int *told = arg;
	struct values before;
	struct values after;

	(void)in;
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(before); i++)
		((unsigned char *)&before)[i] = (unsigned char)(i * 7 + 1);
	before.flags = 0xed7; /* carry, parity, adjust, zero, sign, interrupt, direction, overflow */
	_mm_setcsr(0x9fc0);   /* flush to zero, denormals are zeros: not what a program begins with */
	for (;;) {
		child_say(out);
		after = before;
		spin_with(&after, told);
		if (sigaltstack(NULL, &now) != 0 || now.ss_sp != alternate || now.ss_flags != 0 ||
		    memcmp(&before, &after, sizeof(before)) != 0 || (_mm_getcsr() & ~0x3fu) != 0x9fc0)
			return 1;
		__atomic_store_n(told, 0, __ATOMIC_SEQ_CST);
	}
}

void victim_spin_check(struct victim *victim, int *told)
{
	int status = 0;
	char byte;

	__atomic_store_n(told, 1, __ATOMIC_SEQ_CST);
	/* The end of the pipe means that it has exited. */
	if (read(victim->child.ready, &byte, 1) == 1)
		return;
	waitpid(victim->child.pid, &status, 0);
	victim->child.pid = 0;
	fail_msg("the spinning process ended with status %#x after %s", (unsigned)status, fail_nth_name());
}
