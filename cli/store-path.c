/* SPDX-License-Identifier: MIT */
/* This file judges the place where a record is to go. */
#include "store-path.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/record.h"

/* Not a lack of the kernel's that doctor would explain: the place is wrong, so none of errno's causes but SYSTEM. */
static int refuse(const char *path, int failure, struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_SYSTEM, -failure, "cannot record to %.150s: %s", path, strerror(failure));
}

static int check_directory(const char *path, struct tide_error *err)
{
	scope_free char *copy = strdup(path);

	if (copy == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return access(dirname(copy), W_OK | X_OK) < 0 ? refuse(path, errno, err) : 0;
}

static int check_record(const char *path, struct tide_error *err)
{
	struct record_reader *reader = NULL;
	struct tide_error why = { 0 };
	int result = record_open(&reader, path, &why);

	record_close(reader);
	if (result == 0 || why.cause != TIDE_CAUSE_CORRUPT)
		return 0; /* whatever else it is, creating the record will say it better */
	return error_set(err, TIDE_CAUSE_USAGE, -EEXIST, "%.100s exists and is not a record: name another file with -o",
	                 path);
}

int store_path_check(const char *path, struct tide_error *err)
{
	struct stat status;
	int result = check_directory(path, err);

	if (result < 0)
		return result;
	if (stat(path, &status) < 0)
		return errno == ENOENT ? 0 : refuse(path, errno, err);
	if (!S_ISREG(status.st_mode))
		return error_set(err, TIDE_CAUSE_USAGE, -EEXIST, "%.100s is not a regular file: name another with -o",
		                 path);
	if (access(path, W_OK) < 0)
		return refuse(path, errno, err);
	return status.st_size == 0 ? 0 : check_record(path, err);
}

void store_path_remove(const char *path)
{
	static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
	char name[4096 + 16];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (snprintf(name, sizeof(name), "%s%s", path, endings[i]) < (int)sizeof(name))
			unlink(name);
}
