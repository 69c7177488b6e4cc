/* SPDX-License-Identifier: MIT */
/*
 * This file puts pictures into files: drawn in memory, written into a file beside, renamed when all of it is safe. So
 * whoever looks sees the old picture or the new one.
 */
#include "picture-file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "options.h"
#include "report/picture.h"

/* The place is wrong, nothing that doctor would explain: none of errno's causes but SYSTEM. */
static int refuse(const char *path, int failure, struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_SYSTEM, -failure, "cannot write %.150s: %s", path, strerror(failure));
}

/* "a and b", "a, b and c" out of what `next` names until it returns NULL. */
static const char *list(char *buf, size_t size, const char *(*next)(size_t i), const char *last_gap)
{
	size_t length = 0;

	buf[0] = 0;
	for (size_t i = 0; next(i) != NULL && length < size; i++) {
		const char *gap = i == 0 ? "" : next(i + 1) != NULL ? ", " : last_gap;

		length += (size_t)snprintf(buf + length, size - length, "%s%s", gap, next(i));
	}
	return buf;
}

static const char *drawn_report(size_t i)
{
	for (const struct report *report = reports; report->name != NULL; report++)
		if (report->draw != NULL && i-- == 0)
			return report->name;
	return NULL;
}

static const char *known_ending(size_t i)
{
	return picture_formats[i].ending;
}

static int check_place(const char *path, struct tide_error *err)
{
	scope_free char *copy = strdup(path);
	struct stat status;

	if (copy == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (access(dirname(copy), W_OK | X_OK) < 0)
		return refuse(path, errno, err);
	if (stat(path, &status) < 0)
		return errno == ENOENT ? 0 : refuse(path, errno, err);
	if (!S_ISREG(status.st_mode))
		return error_set(err, TIDE_CAUSE_USAGE, -EEXIST, "%.100s is not a regular file: name another with -o",
		                 path);
	return access(path, W_OK) < 0 ? refuse(path, errno, err) : 0;
}

int picture_file_check(const struct report *report, const struct options *options, struct tide_error *err)
{
	char names[120];

	if (options->output == NULL && options->picture_width != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--size is of a picture: name a file for it with -o, ending in %s",
		                 list(names, sizeof(names), known_ending, " or "));
	if (options->output == NULL)
		return 0;
	if (report->draw == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no picture of %s, only of %s: leave -o out",
		                 report->name, list(names, sizeof(names), drawn_report, " and "));
	if (options->json)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "-o draws a picture and --json prints text: give one of them");
	if (options->width != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--width counts columns of text: a picture's pixels are set by --size");
	if (picture_format_of(options->output) == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "%.100s has no ending that says what to draw: there are %s", options->output,
		                 list(names, sizeof(names), known_ending, " and "));
	return check_place(options->output, err);
}

static int draw(const struct report *report, struct record_reader *reader, const struct report_opts *opts,
                const struct options *options, char **data, size_t *size, struct tide_error *err)
{
	struct picture picture = { .format = picture_format_of(options->output),
		                   .width = (int)options->picture_width,
		                   .height = (int)options->picture_height };
	int result;

	picture.out = open_memstream(data, size);
	if (picture.out == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	result = picture_draw(report, reader, opts, &picture, err);
	if (fclose(picture.out) != 0 && result == 0)
		result = error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return result;
}

/* A file of our own in the directory of `path`; its name into `name`. */
static int create_beside(const char *path, char **name)
{
	scope_free char *copy = strdup(path);
	const char *directory = copy != NULL ? dirname(copy) : NULL;
	int fd = directory != NULL ? -EEXIST : -ENOMEM;

	for (int i = 0; i < 100 && fd == -EEXIST; i++) {
		free(*name);
		*name = NULL;
		/* Not made from the name of `path`, which may be as long as names can be. */
		if (asprintf(name, "%s/.tidemark-%d-%d.tmp", directory, (int)getpid(), i) < 0) {
			*name = NULL;
			return -ENOMEM;
		}
		fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		fd = fd < 0 ? -errno : fd;
	}
	return fd;
}

/* 0 or -errno. */
static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t nr = write(fd, data, size);

		if (nr < 0 && errno != EINTR)
			return -errno;
		if (nr > 0) {
			data += nr;
			size -= (size_t)nr;
		}
	}
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* 0 or -errno. */
static int replace(const char *path, const char *data, size_t size)
{
	scope_free char *name = NULL;
	struct stat old;
	int result;
	int fd = create_beside(path, &name);

	if (fd < 0)
		return fd;
	if (stat(path, &old) == 0)
		(void)!fchmod(fd, old.st_mode & 0777); /* who could read the old one can read the new one */
	result = write_all(fd, data, size);
	if (close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(name, path) < 0)
		result = -errno;
	if (result < 0)
		unlink(name);
	return result;
}

int picture_file_write(const struct report *report, struct record_reader *reader, const struct report_opts *opts,
                       const struct options *options, struct tide_error *err)
{
	char *data = NULL;
	size_t size = 0;
	sigset_t all;
	sigset_t before;
	int result = draw(report, reader, opts, options, &data, &size, err);

	if (result == 0) {
		/* A signal that ends us waits until nothing is left beside; a file that outgrows a limit is an error.
		 */
		sigfillset(&all);
		signal(SIGXFSZ, SIG_IGN);
		sigprocmask(SIG_BLOCK, &all, &before);
		result = replace(options->output, data, size);
		sigprocmask(SIG_SETMASK, &before, NULL);
		if (result < 0)
			refuse(options->output, -result, err);
	}
	free(data);
	return result;
}
