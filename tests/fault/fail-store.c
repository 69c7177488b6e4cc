/* SPDX-License-Identifier: MIT */
/* This file stands between the store and libc. A call that gives something back (close, munmap) does so all the same.
 */
#include "fail-store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The functions carry no argument of ours, so this cannot live elsewhere. */
static struct {
	enum fail_kind kind;
	unsigned left; /* until the one that fails; 0: it has failed, or nothing is armed */
	bool paused;
	int error;
	const char *name;
} state;

static sqlite3_mem_methods sqlite_memory;

static bool due(enum fail_kind kind, const char *name)
{
	if (state.left == 0 || state.paused || kind != state.kind || --state.left > 0)
		return false;
	state.name = name;
	errno = state.error;
	return true;
}

/* X-macro: type, symbol, parameters, arguments, result on failure. */
#define ALLOCATIONS(X)                                                                                                 \
	X(void *, malloc, (size_t size), (size), NULL)                                                                 \
	X(void *, calloc, (size_t nr, size_t size), (nr, size), NULL)                                                  \
	X(void *, realloc, (void *old, size_t size), (old, size), NULL)                                                \
	X(char *, strdup, (const char *text), (text), NULL)

#define CALLS(X)                                                                                                       \
	X(int, fstat64, (int fd, struct stat64 *st), (fd, st), -1)                                                     \
	X(int, stat64, (const char *path, struct stat64 *st), (path, st), -1)                                          \
	X(int, lstat64, (const char *path, struct stat64 *st), (path, st), -1)                                         \
	X(int, link, (const char *from, const char *to), (from, to), -1)                                               \
	X(char *, mkdtemp, (char *template), (template), NULL)                                                         \
	X(ssize_t, pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at), -1)                       \
	X(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -1)                                          \
	X(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size), -1)                               \
	X(int, renameat2, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags),                \
	  (from_dir, from, to_dir, to, flags), -1)                                                                     \
	X(int, rmdir, (const char *path), (path), -1)                                                                  \
	X(char *, realpath, (const char *path, char *to), (path, to), NULL)                                            \
	X(int, unlink, (const char *path), (path), -1)

#define WRAP(kind, type, name, parameters, arguments, failure)                                                         \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		return due(kind, #name) ? failure : __real_##name arguments;                                           \
	}
#define WRAP_ALLOCATION(...) WRAP(FAIL_ALLOCATION, __VA_ARGS__)
#define WRAP_CALL(...)       WRAP(FAIL_CALL, __VA_ARGS__)
ALLOCATIONS(WRAP_ALLOCATION)
CALLS(WRAP_CALL)

int __wrap_asprintf(char **out, const char *format, ...);
int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list args;
	int result;

	if (due(FAIL_ALLOCATION, "asprintf"))
		return -1;
	va_start(args, format);
	result = vasprintf(out, format, args);
	va_end(args);
	return result;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode)
{
	return due(FAIL_CALL, "open") ? -1 : __real_open64(path, flags, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int result = __real_close(fd);

	return due(FAIL_CALL, "close") ? -1 : result;
}

/* SQLite's own. fdatasync(2) is not among what it lets us replace. */
static int sqlite_fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return due(FAIL_CALL, "fcntl") ? -1 : fcntl(fd, command, arg);
}

static int sqlite_ftruncate(int fd, off64_t size)
{
	return due(FAIL_CALL, "ftruncate") ? -1 : ftruncate64(fd, size);
}

static ssize_t sqlite_pwrite(int fd, const void *from, size_t size, off64_t at)
{
	return due(FAIL_CALL, "pwrite") ? -1 : pwrite64(fd, from, size, at);
}

static int sqlite_access(const char *path, int mode)
{
	return due(FAIL_CALL, "access") ? -1 : access(path, mode);
}

static void *sqlite_mmap(void *addr, size_t size, int protection, int flags, int fd, off64_t offset)
{
	return due(FAIL_CALL, "mmap") ? MAP_FAILED : mmap64(addr, size, protection, flags, fd, offset);
}

static void *sqlite_malloc(int size)
{
	return due(FAIL_ALLOCATION, "SQLite's malloc") ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
	return due(FAIL_ALLOCATION, "SQLite's realloc") ? NULL : sqlite_memory.xRealloc(old, size);
}

/* SQLite waits between tries of what another process may hold; here nobody does. */
static int do_not_sleep(sqlite3_vfs *vfs, int microseconds)
{
	return microseconds;
}

static void install_calls(void)
{
	static const struct {
		const char *name;
		sqlite3_syscall_ptr call;
	} calls[] = {
		{ "open", (sqlite3_syscall_ptr)__wrap_open64 },
		{ "close", (sqlite3_syscall_ptr)__wrap_close },
		{ "access", (sqlite3_syscall_ptr)sqlite_access },
		{ "stat", (sqlite3_syscall_ptr)__wrap_stat64 },
		{ "fstat", (sqlite3_syscall_ptr)__wrap_fstat64 },
		{ "ftruncate", (sqlite3_syscall_ptr)sqlite_ftruncate },
		{ "fcntl", (sqlite3_syscall_ptr)sqlite_fcntl },
		{ "read", (sqlite3_syscall_ptr)__wrap_read },
		{ "pread", (sqlite3_syscall_ptr)__wrap_pread64 },
		{ "pread64", (sqlite3_syscall_ptr)__wrap_pread64 },
		{ "write", (sqlite3_syscall_ptr)__wrap_write },
		{ "pwrite", (sqlite3_syscall_ptr)sqlite_pwrite },
		{ "pwrite64", (sqlite3_syscall_ptr)sqlite_pwrite },
		{ "unlink", (sqlite3_syscall_ptr)__wrap_unlink },
		{ "mmap", (sqlite3_syscall_ptr)sqlite_mmap },
	};
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

	vfs->xSleep = do_not_sleep;
	/* Of reading and writing, a build has one or the other. */
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (vfs->xGetSystemCall(vfs, calls[i].name) != NULL)
			vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
	}
}

void fail_store_install(void)
{
	sqlite3_mem_methods failing;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
	failing = sqlite_memory;
	failing.xMalloc = sqlite_malloc;
	failing.xRealloc = sqlite_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
	sqlite3_initialize();
	install_calls();
	json_set_alloc_funcs(malloc, free);
}

void fail_store_arm(enum fail_kind kind, unsigned nth, int error)
{
	state.kind = kind;
	state.error = kind == FAIL_ALLOCATION ? ENOMEM : error;
	state.name = "none";
	state.paused = false;
	state.left = nth;
}

bool fail_store_disarm(void)
{
	bool reached = state.left == 0;

	state.left = 0;
	return reached;
}

void fail_store_pause(void)
{
	state.paused = true;
}

void fail_store_resume(void)
{
	state.paused = false;
}

const char *fail_store_name(void)
{
	return state.name;
}
