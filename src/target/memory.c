/* SPDX-License-Identifier: MIT */
/* This file reads a target's mappings, and says whether its memory is still the one it had when it was opened. */
#include "target/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/procmap.h"
#include "kernel/sys.h"

enum {
	NR_TRIES = 5, /* how often a thread may exit just when we look through it */
};

/*
 * How an exec is noticed.
 *
 * Nothing in procfs names an address space: after an exec of the same file the PID, the start time, /proc/PID/exe and
 * the name are what they were. But an open descriptor of /proc/PID/maps stays with the memory it was opened on; it
 * holds the kernel's small structure, not the memory itself, and from the moment that the last user of that memory is
 * gone it answers ESRCH or nothing. This is exact, also without ASLR, with one exception: after vfork() or
 * clone(CLONE_VM) the memory has another user, another process, and lives on when ours executes something.
 *
 * So the addresses of code and stack that the process has now are compared as well. They differ after an exec by ASLR,
 * and by the files mostly. They are not shown of a process that has become undumpable; then the descriptor alone
 * decides. What is left: shared memory, no ASLR, the same program. The page-table walker also compares the mm pointer.
 */

static struct program program_of(const struct procfs_stat *stat)
{
	return (struct program){ stat->start_code, stat->end_code, stat->start_stack };
}

/* Of other people's processes the kernel shows start_code as 1 and the rest as 0 (fs/proc/array.c, do_task_stat). */
static bool is_shown(const struct program *program)
{
	return program->start_code != 1 && program->start_stack != 0;
}

int memory_replaced(struct tide_target *target)
{
	struct procfs_stat stat;
	struct program now;
	pid_t tid;
	int result = thread_find(target->dir, target->pid, &tid, &stat);

	if (result < 0)
		return result;
	now = program_of(&stat);
	if (!is_shown(&now) || !is_shown(&target->program))
		return 0;
	return now.start_code != target->program.start_code || now.end_code != target->program.end_code ||
	       now.start_stack != target->program.start_stack;
}

/* Opens the maps of a thread that has memory. */
static int open_maps(struct tide_target *target, int *fd, struct program *program)
{
	char path[32] = "maps";
	struct procfs_stat stat;
	pid_t tid;
	int result = thread_find(target->dir, target->pid, &tid, &stat);

	if (result < 0)
		return result;
	if (tid != target->pid)
		snprintf(path, sizeof(path), "task/%d/maps", tid);
	result = sys_openat(target->dir, path, O_RDONLY);
	if (result < 0)
		return result == -ENOENT ? -ESRCH : result;
	*fd = result;
	*program = program_of(&stat);
	return 0;
}

/*
 * The text can be read only while the thread through which it was opened exists, if only as a zombie. When that was not
 * the main thread, which stays to the end, another one must take its place.
 */
static int reopen_maps(struct tide_target *target)
{
	scope_sys_fd int fd = -1;
	struct program program;
	int result = open_maps(target, &fd, &program);

	if (result < 0)
		return result;
	if (memcmp(&program, &target->program, sizeof(program)) != 0)
		return -ESRCH;
	sys_close(target->maps);
	target->maps = take_fd(&fd);
	return 0;
}

/* 1 or 0, of the memory behind target->maps alone; -ESRCH: only the thread is known to be gone. */
static int ask_alive(const struct tide_target *target)
{
	struct vma vma;
	ssize_t got;
	int result;
	char byte;

	if (target->query) {
		result = procmap_query(target->maps, 0, &vma, NULL);
		if (result == -ESRCH)
			return 0;
		return result == -ENOENT ? 1 : result < 0 ? result : 1;
	}
	got = sys_pread(target->maps, &byte, 1, 0);
	return got < 0 ? (int)got : got > 0;
}

int memory_alive(struct tide_target *target)
{
	int alive = ask_alive(target);

	if (alive != -ESRCH)
		return alive;
	alive = reopen_maps(target);
	if (alive < 0)
		return alive == -ESRCH ? 0 : alive;
	alive = ask_alive(target);
	return alive == -ESRCH ? -EAGAIN : alive;
}

/*
 * A 32-bit program is known by the size of its program headers, in the vector the kernel gave it. Unlike the file it
 * was started from, this can be read without touching a file system, which might hang or say no.
 */
static bool read_is_32bit(const struct tide_target *target)
{
	char path[32] = "auxv";
	struct procfs_stat stat;
	Elf32_auxv_t vector[128];
	ssize_t size;
	pid_t tid;

	if (thread_find(target->dir, target->pid, &tid, &stat) < 0)
		return false;
	if (tid != target->pid)
		snprintf(path, sizeof(path), "task/%d/auxv", tid);
	size = procfs_read(target->dir, path, (char *)vector, sizeof(vector));
	for (ssize_t i = 0; (i + 1) * (ssize_t)sizeof(vector[0]) <= size && vector[i].a_type != AT_NULL; i++) {
		/* In a 64-bit vector these would be the halves of one value, 32 << 32 | 4, which nothing there has. */
		if (vector[i].a_type == AT_PHENT && vector[i].a_un.a_val == sizeof(Elf32_Phdr))
			return true;
	}
	return false;
}

/* 0 when the memory behind target->maps was there a moment ago. */
static int open_alive(struct tide_target *target)
{
	int result = open_maps(target, &target->maps, &target->program);

	if (result < 0)
		return result;
	target->query = procmap_probe() == 1;
	result = memory_alive(target);
	if (result > 0)
		return 0;
	sys_close(take_fd(&target->maps));
	return result == 0 ? -ESRCH : result;
}

int memory_open(struct tide_target *target, struct tide_error *err)
{
	int result = -ESRCH;

	/* The thread found first may exit before its maps are opened. */
	for (int tries = 0; result == -ESRCH && tries < NR_TRIES; tries++)
		result = open_alive(target);
	if (result == -EACCES || result == -EPERM)
		return error_set(err, TIDE_CAUSE_DENIED, result,
		                 "not allowed to look into process %d (%s): run as root or as its user", target->pid,
		                 target->name);
	if (result == -ESRCH)
		return error_set(err, TIDE_CAUSE_GONE, result, "process %d (%s) has just exited", target->pid,
		                 target->name);
	if (result < 0)
		return error_system(err, result, "cannot read the mappings of process %d (%s)", target->pid,
		                    target->name);
	target->is_32bit = read_is_32bit(target);
	return 0;
}

/* Pages of the kernel that every process sees ([vsyscall]) are in no page table of its own. */
static bool is_kernels(const struct vma *vma)
{
	return vma->start >> 63 != 0;
}

static int add_mapping(void *arg, const struct vma *vma)
{
	struct tide_target *target = arg;

	return is_kernels(vma) ? 0 : layout_add(&target->layout, vma);
}

static int read_text(struct tide_target *target)
{
	int alive;

	for (int tries = 0; tries < NR_TRIES; tries++) {
		long result;

		layout_begin(&target->layout);
		result = maps_read(target->maps, add_mapping, target);
		if (result < 0 && result != -ESRCH)
			return (int)result;
		/* Memory that goes away during the reading ends the text early, in good order. */
		alive = memory_alive(target);
		if (alive <= 0)
			return alive == 0 ? -ESRCH : alive;
		if (result > 0)
			return 0;
	}
	return -EAGAIN;
}

/* Writes newlines as the text has them. The name grows to four times its size at most. */
static size_t escape(char *out, const char *name, size_t size)
{
	size_t nr = 0;

	for (size_t i = 0; i < size; i++) {
		if (name[i] == '\n') {
			memcpy(out + nr, "\\012", 4);
			nr += 4;
		} else {
			out[nr++] = name[i];
		}
	}
	return nr;
}

static int query_all(struct tide_target *target)
{
	char name[PROCMAP_NAME_SIZE];
	char escaped[4 * PROCMAP_NAME_SIZE];
	struct vma vma;
	uint64_t at = 0;
	int result;

	layout_begin(&target->layout);
	for (;;) {
		result = procmap_query(target->maps, at, &vma, name);
		if (result == -ENOENT)
			return 0;
		if (result < 0)
			return result;
		if (memchr(name, '\n', vma.name_size) != NULL) {
			vma.name_size = escape(escaped, name, vma.name_size);
			vma.name = escaped;
		}
		at = vma.end;
		result = add_mapping(target, &vma);
		if (result < 0)
			return result;
	}
}

int memory_read(struct tide_target *target)
{
	int result;

	if (!target->query)
		return read_text(target);
	result = query_all(target);
	/* The text has no bound on the length of a path. */
	return result == -ENAMETOOLONG ? read_text(target) : result;
}
