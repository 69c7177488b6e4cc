/* SPDX-License-Identifier: MIT */
/* This file looks at what is at a record's path, and puts new records there without ever overwriting anything else. */
#include "record/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/schema.h"

static int out_of_memory(struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

/* cause_of() knows no EROFS: for a file to be written it means what EACCES means. */
static int write_error(struct tide_error *err, const char *path)
{
	int code = -errno;

	if (code == -EROFS)
		return error_set(err, TIDE_CAUSE_DENIED, code,
		                 "%.150s: the file system is read-only: choose another path", path);
	return error_system(err, code, "cannot create %s", path);
}

static uint32_t big_endian(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* https://www.sqlite.org/fileformat2.html, "The Database Header". */
static void read_header(int fd, struct file_facts *facts)
{
	uint8_t header[100] = { 0 };
	ssize_t got = pread(fd, header, sizeof(header), 0);

	facts->kind = facts->size_bytes == 0 ? FILE_EMPTY : FILE_FOREIGN;
	if (got < 72 || memcmp(header, "SQLite format 3", 16) != 0 || big_endian(header + 68) != SCHEMA_APPLICATION_ID)
		return;
	facts->version = big_endian(header + 60);
	facts->uses_log = header[18] == 2;
	facts->wanted_bytes = (uint64_t)big_endian(header + 28) * (header[16] * 256u + header[17]);
	/* While a log exists the header may be ahead of the file. */
	facts->kind = facts->wanted_bytes > facts->size_bytes && facts->log_bytes == 0 ? FILE_TRUNCATED : FILE_RECORD;
}

static uint64_t size_of_log(const char *path)
{
	scope_free char *log = NULL;
	struct stat st;

	if (asprintf(&log, "%s-wal", path) < 0) {
		log = NULL;
		return 0;
	}
	return stat(log, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int file_look(const char *path, struct file_facts *out, struct tide_error *err)
{
	/* Non-blocking: opening a pipe must not wait for its writer. */
	scope_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	*out = (struct file_facts){ .kind = FILE_ABSENT };
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != ENXIO && errno != ENODEV)
			return error_system(err, -errno, "cannot open %s", path);
		out->kind = FILE_SPECIAL;
		return 0;
	}
	if (fstat(fd, &st) < 0)
		return error_system(err, -errno, "cannot look at %s", path);
	if (S_ISDIR(st.st_mode)) {
		out->kind = FILE_DIRECTORY;
	} else if (!S_ISREG(st.st_mode)) {
		out->kind = FILE_SPECIAL;
	} else {
		out->size_bytes = (uint64_t)st.st_size;
		out->log_bytes = size_of_log(path);
		read_header(fd, out);
	}
	return 0;
}

int file_resolve(const char *path, char **out, bool *replaces, struct tide_error *err)
{
	scope_free char *real = realpath(path, NULL);
	struct file_facts facts;
	struct stat st;
	int result;

	*out = NULL;
	*replaces = false;
	if (path[0] == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "the record needs a file name");
	if (real == NULL && lstat(path, &st) == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EEXIST,
		                 "%.120s is a link that leads nowhere: remove it or choose another path", path);
	if (real == NULL) {
		real = strdup(path);
		if (real == NULL)
			return out_of_memory(err);
	}
	result = file_look(real, &facts, err);
	if (result < 0)
		return result;
	if (facts.kind == FILE_DIRECTORY)
		return error_set(err, TIDE_CAUSE_USAGE, -EISDIR, "%.120s is a directory: name a file in it", path);
	if (facts.kind == FILE_SPECIAL || facts.kind == FILE_FOREIGN)
		return error_set(err, TIDE_CAUSE_USAGE, -EEXIST,
		                 "%.120s exists and is not a tidemark record: it is left as it is, choose another path",
		                 path);
	*replaces = facts.kind != FILE_ABSENT;
	*out = take_ptr(real);
	return 0;
}

int file_create_beside(const char *path, char **out, struct tide_error *err)
{
	scope_free char *name = NULL;
	int fd;

	*out = NULL;
	if (asprintf(&name, "%s.new-%d", path, (int)getpid()) < 0) {
		name = NULL;
		return out_of_memory(err);
	}
	fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
	if (fd < 0)
		return write_error(err, errno == EEXIST ? name : path);
	close(fd);
	*out = take_ptr(name);
	return 0;
}

int file_install(const char *from, const char *to, bool replace, struct tide_error *err)
{
	int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE);

	/* Some network file systems know no RENAME_NOREPLACE; link(2) never replaces either. */
	if (result < 0 && !replace && (errno == EINVAL || errno == ENOSYS)) {
		result = link(from, to);
		if (result == 0)
			unlink(from);
	}
	if (result == 0)
		return 0;
	if (errno == EEXIST)
		return error_set(err, TIDE_CAUSE_USAGE, -EEXIST,
		                 "%.120s was created by another process just now: choose another path", to);
	return write_error(err, to);
}

static void remove_with(const char *path, const char *suffix)
{
	scope_free char *name = NULL;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		name = NULL;
	else
		unlink(name);
}

void file_remove(const char *path)
{
	remove_with(path, "-wal");
	remove_with(path, "-shm");
	remove_with(path, "-journal");
	unlink(path);
}
