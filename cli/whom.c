/* SPDX-License-Identifier: MIT */
/*
 * This file finds processes by the names of their commands.
 *
 * A name is what ps and top show, /proc/PID/comm. The kernel cuts it after 15 bytes; a name that is longer is compared
 * with the program's file and with the word that the program was called by, of processes whose cut name fits.
 */
#include "whom.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "nearest.h"

struct search {
	struct options *options;
	const char *name;
	struct nearest nearest;
	char best[PROCFS_NAME_SIZE]; /* what nearest.best points to */
	bool is_found;
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* `dir` is /proc/PID. Its program's file is shown to those only who may look into the process. */
static bool is_called(int dir, const char *name)
{
	char text[PATH_MAX];
	ssize_t size = sys_readlinkat(dir, "exe", text, sizeof(text) - 1);

	if (size > 0) {
		text[size] = 0;
		if (strcmp(last_part(text), name) == 0)
			return true;
	}
	size = procfs_read(dir, "cmdline", text, sizeof(text) - 1);
	if (size <= 0)
		return false;
	text[size] = 0; /* argv[0] ends at its own zero before that, as a rule */
	return strcmp(last_part(text), name) == 0;
}

static bool matches(int dir, const struct procfs_stat *stat, const char *name)
{
	if (strlen(name) < PROCFS_NAME_SIZE)
		return strcmp(stat->name, name) == 0;
	return strncmp(stat->name, name, PROCFS_NAME_SIZE - 1) == 0 && is_called(dir, name);
}

static bool is_named_already(const struct options *options, pid_t pid)
{
	for (size_t i = 0; i < options->pids.nr; i++)
		if (options->pids.items[i] == pid)
			return true;
	return false;
}

static int try_process(void *arg, pid_t pid)
{
	struct search *search = arg;
	struct procfs_stat stat;
	scope_sys_fd int dir = procfs_open(pid);

	if (pid == getpid() || dir < 0 || procfs_read_stat(dir, 0, &stat) < 0)
		return 0;
	if (stat.kthread || stat.state == 'Z' || stat.state == 'X')
		return 0;
	if (!matches(dir, &stat, search->name)) {
		nearest_try(&search->nearest, stat.name);
		if (search->nearest.best == stat.name) {
			memcpy(search->best, stat.name, sizeof(search->best));
			search->nearest.best = search->best;
		}
		return 0;
	}
	search->is_found = true;
	return is_named_already(search->options, pid) ? 0 : vec_push(&search->options->pids, pid);
}

static int resolve(struct options *options, const char *name, struct tide_error *err)
{
	struct search search = { .options = options, .name = name };
	int result;

	nearest_begin(&search.nearest, name);
	result = procfs_each_process(try_process, &search);
	if (result < 0)
		return error_system(err, result, "cannot look for processes called '%.40s'", name);
	if (search.is_found)
		return 0;
	if (search.nearest.best != NULL)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "no process is called '%.40s': did you mean '%s'?", name,
		                 search.best);
	return error_set(err, TIDE_CAUSE_GONE, -ESRCH,
	                 "no process is called '%.40s': it may have exited; \"ps -e\" lists the names", name);
}

int whom_resolve(struct options *options, struct tide_error *err)
{
	int result = 0;

	for (size_t i = 0; i < options->names.nr && result == 0; i++)
		result = resolve(options, options->names.items[i], err);
	return result;
}

/* "12, 13, 14" as far as there is room. */
static void list(const struct options *options, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = 0;
	for (size_t i = 0; i < options->pids.nr; i++) {
		int length = snprintf(buf + used, size - used, "%s%d", i > 0 ? ", " : "", (int)options->pids.items[i]);

		used += (size_t)length;
		if (used + sizeof(", 2147483647, ...") > size) {
			if (i + 1 < options->pids.nr)
				snprintf(buf + used, size - used, ", ...");
			return;
		}
	}
}

int whom_check_one(const struct options *options, const char *what, struct tide_error *err)
{
	char numbers[120];

	if (options->pids.nr == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "nothing to %s: name a process with -p", what);
	if (options->pids.nr == 1)
		return 0;
	if (options->names.nr == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "one process at a time: run this once for each");
	list(options, numbers, sizeof(numbers));
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "one process at a time: give one of the numbers %s", numbers);
}

int whom_check_ranges(const struct options *options, struct tide_error *err)
{
	if (options->ranges.nr == 0 || (options->pids.nr <= 1 && !options->children))
		return 0;
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
	                 "--range needs a single process%s: addresses are each one's own",
	                 options->children ? ", so not --children" : "");
}
