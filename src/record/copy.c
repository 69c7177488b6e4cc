/* SPDX-License-Identifier: MIT */
/*
 * This file copies a record to a place where SQLite may write: the log of a killed recorder can only be read with an
 * index beside it, which a read-only directory has no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/file.h"

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, bytes, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes += done;
		size -= (size_t)done;
	}
	return 0;
}

static int copy_bytes(int in, int out)
{
	size_t room = 1 << 16;
	scope_free char *bytes = malloc(room);

	if (bytes == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(in, bytes, room);
		int result;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		result = write_all(out, bytes, (size_t)got);
		if (result < 0)
			return result;
	}
}

/* Copies FROM+suffix to TO+suffix. A log that is not there is not an error: the file alone is whole then. */
static int copy_with(const char *from, const char *to, const char *suffix)
{
	scope_free char *source = NULL;
	scope_free char *sink = NULL;
	scope_fd int in = -1;
	scope_fd int out = -1;

	if (asprintf(&source, "%s%s", from, suffix) < 0) {
		source = NULL;
		return -ENOMEM;
	}
	if (asprintf(&sink, "%s%s", to, suffix) < 0) {
		sink = NULL;
		return -ENOMEM;
	}
	in = open(source, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return errno == ENOENT && suffix[0] != 0 ? 0 : -errno;
	out = open(sink, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	return copy_bytes(in, out);
}

int file_copy_private(const char *path, char **out, struct tide_error *err)
{
	const char *parent = getenv("TMPDIR");
	scope_free char *dir = NULL;
	scope_free char *copy = NULL;
	int result;

	*out = NULL;
	if (asprintf(&dir, "%s/tidemark-XXXXXX", parent != NULL && parent[0] != 0 ? parent : "/tmp") < 0) {
		dir = NULL;
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	if (mkdtemp(dir) == NULL)
		return error_system(err, -errno, "%.60s has a log that needs a writable copy: cannot create %.60s",
		                    path, dir);
	if (asprintf(&copy, "%s/copy", dir) < 0) {
		copy = NULL;
		rmdir(dir);
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	result = copy_with(path, copy, "");
	if (result == 0)
		result = copy_with(path, copy, "-wal");
	if (result < 0) {
		file_remove_private(copy);
		return error_system(err, result, "%.60s has a log that needs a writable copy in %.60s", path, dir);
	}
	*out = take_ptr(copy);
	return 0;
}

void file_remove_private(const char *copy)
{
	scope_free char *dir = strdup(copy);
	char *slash = dir != NULL ? strrchr(dir, '/') : NULL;

	file_remove(copy);
	if (slash != NULL) {
		*slash = 0;
		rmdir(dir);
	}
}
