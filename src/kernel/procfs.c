/* SPDX-License-Identifier: MIT */
/* This file reads /proc/PID/stat, /proc/PID/status and the list of threads. */
#include "kernel/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"
#include "kernel/text.h"

enum {
	PF_KTHREAD =
	        0x00200000, /* include/linux/sched.h; the same since 2.6.30. Kernels before 6.8 say it nowhere else */
};

/* Numbers of the fields of /proc/PID/stat, as proc(5) counts them. */
enum {
	FIELD_PPID = 4,
	FIELD_FLAGS = 9,
	FIELD_START_TICKS = 22,
	FIELD_VSIZE = 23,
	FIELD_START_CODE = 26,
	FIELD_END_CODE = 27,
	FIELD_START_STACK = 28,
	NR_FIELDS,
};

int procfs_open(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return sys_open(path, O_PATH | O_DIRECTORY);
}

ssize_t procfs_read(int dir, const char *path, char *buf, size_t size)
{
	scope_sys_fd int fd = sys_openat(dir, path, O_RDONLY);
	size_t nr = 0;

	/* What is missing in a process's directory is the process; or, of a few files, this kernel's support. */
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	while (nr < size) {
		ssize_t got = sys_read(fd, buf + nr, size - nr);

		if (got < 0)
			return got;
		if (got == 0)
			break;
		nr += (size_t)got;
	}
	return (ssize_t)nr;
}

/* Unlike in status, the name stands in stat as it is, newlines and brackets included. */
static void copy_name(char *out, const char *at, const char *end)
{
	size_t nr = 0;

	for (; at < end && nr < PROCFS_NAME_SIZE - 1; at++)
		out[nr++] = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
	out[nr] = 0;
}

int procfs_parse_stat(const char *text, size_t size, struct procfs_stat *out)
{
	/* The name may hold anything, ") R 1" as well: what follows the last bracket are numbers only. */
	const char *open = memchr(text, '(', size);
	const char *close = memrchr(text, ')', size);
	uint64_t field[NR_FIELDS] = { 0 };
	struct text rest;

	if (open == NULL || close == NULL || close < open)
		return -EBADMSG;
	rest = (struct text){ close + 1, text + size };
	if (!text_char(&rest, ' ') || rest.at == rest.end)
		return -EBADMSG;
	out->state = *rest.at++;
	for (int i = 4; i < NR_FIELDS; i++) {
		if (!text_char(&rest, ' '))
			return -EBADMSG;
		(void)text_char(&rest, '-'); /* nice, tpgid and priority; their values are not used */
		if (!text_decimal(&rest, &field[i]))
			return -EBADMSG;
	}
	copy_name(out->name, open + 1, close);
	out->ppid = (pid_t)field[FIELD_PPID];
	out->kthread = (field[FIELD_FLAGS] & PF_KTHREAD) != 0;
	out->start_ticks = field[FIELD_START_TICKS];
	out->vsize_bytes = field[FIELD_VSIZE];
	out->start_code = field[FIELD_START_CODE];
	out->end_code = field[FIELD_END_CODE];
	out->start_stack = field[FIELD_START_STACK];
	return 0;
}

int procfs_read_stat(int dir, pid_t tid, struct procfs_stat *out)
{
	char path[32] = "stat";
	char text[2048];
	ssize_t size;

	if (tid != 0)
		snprintf(path, sizeof(path), "task/%d/stat", tid);
	size = procfs_read(dir, path, text, sizeof(text));
	return size < 0 ? (int)size : procfs_parse_stat(text, (size_t)size, out);
}

/* What follows "\nkey". The name is the first line and its newlines are written as "\n": it cannot forge a key. */
static bool find(const char *text, size_t size, const char *key, struct text *rest)
{
	const char *found = memmem(text, size, key, strlen(key));

	if (found == NULL)
		return false;
	*rest = (struct text){ found + strlen(key), text + size };
	text_blanks(rest);
	return true;
}

static bool find_number(const char *text, size_t size, const char *key, uint64_t *out)
{
	struct text rest;

	return find(text, size, key, &rest) && text_decimal(&rest, out);
}

int procfs_parse_status(const char *text, size_t size, struct procfs_status *out)
{
	uint64_t tgid;
	uint64_t uid;
	uint64_t kthread;
	uint64_t swapped_kib;

	if (!find_number(text, size, "\nTgid:", &tgid) || !find_number(text, size, "\nUid:", &uid))
		return -EBADMSG;
	out->tgid = (pid_t)tgid;
	out->uid = (uid_t)uid;
	out->kthread = find_number(text, size, "\nKthread:", &kthread) ? kthread != 0 : -1;
	out->swapped_bytes = find_number(text, size, "\nVmSwap:", &swapped_kib) ? swapped_kib * 1024 : 0;
	return 0;
}

int procfs_read_status(int dir, struct procfs_status *out)
{
	char text[4096];
	ssize_t size = procfs_read(dir, "status", text, sizeof(text));

	return size < 0 ? (int)size : procfs_parse_status(text, (size_t)size, out);
}

static ssize_t read_task_status(int dir, pid_t tid, char *text, size_t size)
{
	char path[32];

	snprintf(path, sizeof(path), "task/%d/status", tid);
	return procfs_read(dir, path, text, size);
}

int procfs_read_trace(int dir, pid_t tid, struct procfs_trace *out)
{
	char text[4096];
	struct text state;
	uint64_t tracer;
	uint64_t seccomp = 0;
	ssize_t size = read_task_status(dir, tid, text, sizeof(text));

	if (size < 0)
		return (int)size;
	if (!find(text, (size_t)size, "\nState:", &state) || state.at == state.end ||
	    !find_number(text, (size_t)size, "\nTracerPid:", &tracer))
		return -EBADMSG;
	/* A kernel without seccomp has no such line. */
	(void)find_number(text, (size_t)size, "\nSeccomp:", &seccomp);
	*out = (struct procfs_trace){ *state.at, (pid_t)tracer, (int)seccomp };
	return 0;
}

int procfs_has_pending(int dir, pid_t tid, int signal)
{
	char text[4096];
	struct text rest;
	uint64_t pending;
	ssize_t size = read_task_status(dir, tid, text, sizeof(text));

	if (size < 0)
		return (int)size;
	if (!find(text, (size_t)size, "\nSigPnd:", &rest) || !text_hex(&rest, &pending))
		return -EBADMSG;
	return (int)(pending >> (signal - 1) & 1);
}

/* What getdents64(2) writes; libc has no name for it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static int each_entry(const char *buf, size_t size, procfs_thread_fn *fn, void *arg)
{
	for (size_t at = 0; at < size;) {
		const struct entry *entry = (const struct entry *)(buf + at);
		struct text name = { entry->name, entry->name + strlen(entry->name) };
		uint64_t tid;
		int result;

		at += entry->size;
		if (!text_decimal(&name, &tid) || name.at != name.end)
			continue;
		result = fn(arg, (pid_t)tid);
		if (result != 0)
			return result;
	}
	return 0;
}

static int each_number(int fd, procfs_thread_fn *fn, void *arg)
{
	char buf[4096] __attribute__((aligned(8)));

	for (;;) {
		ssize_t size = sys_getdents(fd, buf, sizeof(buf));
		int result;

		/* A directory whose process was reaped while it was open. */
		if (size == -ENOENT)
			return -ESRCH;
		if (size <= 0)
			return (int)size;
		result = each_entry(buf, (size_t)size, fn, arg);
		if (result != 0)
			return result;
	}
}

int procfs_each_thread(int dir, procfs_thread_fn *fn, void *arg)
{
	scope_sys_fd int fd = sys_openat(dir, "task", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	return each_number(fd, fn, arg);
}

int procfs_each_descriptor(int dir, pid_t tid, procfs_thread_fn *fn, void *arg)
{
	char path[32];
	scope_sys_fd int fd = -1;

	snprintf(path, sizeof(path), "task/%d/fd", tid);
	fd = sys_openat(dir, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	return each_number(fd, fn, arg);
}

int procfs_has_children(void)
{
	scope_sys_fd int fd = sys_open("/proc/thread-self/children", O_RDONLY);

	return fd >= 0 ? 1 : fd == -ENOENT ? 0 : fd;
}

int procfs_each_child(int dir, pid_t tid, procfs_thread_fn *fn, void *arg)
{
	char path[40];
	char text[16384];
	struct text rest = { text, text };
	uint64_t child;
	ssize_t size;

	snprintf(path, sizeof(path), "task/%d/children", tid);
	size = procfs_read(dir, path, text, sizeof(text));
	if (size < 0)
		return (int)size;
	rest.end += size;
	/* Each number is followed by a blank: one that is not was cut off by the end of the buffer. */
	while (text_decimal(&rest, &child) && text_char(&rest, ' ')) {
		int result = fn(arg, (pid_t)child);

		if (result != 0)
			return result;
	}
	return 0;
}

int procfs_each_process(procfs_thread_fn *fn, void *arg)
{
	scope_sys_fd int fd = sys_open("/proc", O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : each_number(fd, fn, arg);
}
