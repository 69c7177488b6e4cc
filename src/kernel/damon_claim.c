/* SPDX-License-Identifier: MIT */
/*
 * This file claims DAMON's sysfs files and gives them back.
 *
 * The lock is on the journal itself, so it ends with its holder. A journal that says something and is not locked was
 * left by a tidemark that died; what it had claimed is recognised by its mark, or by holding nothing yet, and removed.
 * Anything else was set up by others, and is let be.
 *
 * One gap is the kernel's to close: between reading "nobody" and claiming, a few microseconds, somebody else may have
 * claimed too; what they have set up by then is gone, unless it runs already.
 */
#include "kernel/damon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"

#define KDAMONDS "/sys/kernel/mm/damon/admin/kdamonds"
#define MARK     "contexts/0/monitoring_attrs/intervals/update_us"
#define RUN      "/run/tidemark"
#define JOURNAL  RUN "/damon"

static int nr_kdamonds(uint64_t *out)
{
	return damon_read_number(AT_FDCWD, KDAMONDS "/nr_kdamonds", out);
}

/* Takes the lock. A descriptor; -EWOULDBLOCK: another tidemark has it. */
static int lock_journal(void)
{
	int result = sys_mkdir(RUN, 0755);
	int fd;

	/* Not to be taken for a kernel without DAMON. */
	if (result < 0 && result != -EEXIST)
		return result == -ENOENT ? -ENOTDIR : result;
	fd = sys_create(JOURNAL, O_RDWR, 0600);
	if (fd < 0)
		return fd;
	result = sys_lock(fd);
	if (result < 0) {
		sys_close(fd);
		return result;
	}
	return fd;
}

/* "PID START", the holder and when it was started, as /proc/PID/stat has it: for people. */
static int write_journal(int fd)
{
	scope_sys_fd int dir = procfs_open(getpid());
	struct procfs_stat stat = { 0 };
	char text[64];
	ssize_t result = dir < 0 ? dir : procfs_read_stat(dir, 0, &stat);
	int size = snprintf(text, sizeof(text), "%d %llu\n", (int)getpid(), (unsigned long long)stat.start_ticks);

	if (result == 0)
		result = sys_pwrite(fd, text, (size_t)size, 0);
	return result < 0 ? (int)result : 0;
}

/* The kdamond that `dir` stands for bears our mark, or holds nothing yet that anybody could miss. */
static bool is_left_by_ours(int dir)
{
	uint64_t nr;

	if (damon_read_number(dir, MARK, &nr) == 0 && nr == DAMON_MARK_US)
		return true;
	if (damon_read_number(dir, "contexts/nr_contexts", &nr) == 0 && nr == 0)
		return true;
	return damon_read_number(dir, "contexts/0/targets/nr_targets", &nr) == 0 && nr == 0 &&
	       damon_read_number(dir, "contexts/0/schemes/nr_schemes", &nr) == 0 && nr == 0;
}

/* Stops and removes the kdamond whose `state` this is; 0 also when it is no more there. */
static int give_back(int state)
{
	char byte;

	/* Refused when it does not run. */
	(void)damon_command(state, "off");
	if (sys_pread(state, &byte, 1, 0) == -ENODEV)
		return 0;
	return damon_write_number(AT_FDCWD, KDAMONDS "/nr_kdamonds", 0);
}

/* Gives back what the journal says was left claimed. 0 also when nothing was. */
static int sweep(int lock)
{
	char byte;
	uint64_t nr = 0;
	ssize_t result = sys_pread(lock, &byte, 1, 0);

	if (result <= 0)
		return (int)result;
	result = nr_kdamonds(&nr);
	if (result == 0 && nr == 1) {
		scope_sys_fd int dir = sys_open(KDAMONDS "/0", O_RDONLY | O_DIRECTORY);
		scope_sys_fd int state = dir < 0 ? dir : sys_openat(dir, "state", O_RDWR);

		if (state >= 0 && is_left_by_ours(dir))
			result = give_back(state);
	}
	return result < 0 ? (int)result : sys_ftruncate(lock, 0);
}

static int is_kdamond(void *arg, pid_t pid)
{
	struct procfs_stat stat;
	scope_sys_fd int dir = procfs_open(pid);

	(void)arg;
	return dir >= 0 && procfs_read_stat(dir, 0, &stat) == 0 && stat.kthread &&
	       strncmp(stat.name, "kdamond", strlen("kdamond")) == 0;
}

/* Is it free? 0, or -EBUSY with `user`. Modules run theirs for themselves alone: the kernel would refuse to start ours.
 */
static int look_around(enum damon_user *user)
{
	uint64_t nr = 0;
	int result = nr_kdamonds(&nr);

	if (result < 0)
		return result;
	if (nr > 0) {
		*user = DAMON_OTHERS;
		return -EBUSY;
	}
	result = procfs_each_process(is_kdamond, NULL);
	if (result > 0)
		*user = DAMON_MODULE;
	return result > 0 ? -EBUSY : result;
}

static int take(struct damon *damon)
{
	int result = damon_write_number(AT_FDCWD, KDAMONDS "/nr_kdamonds", 1);

	if (result < 0)
		return result;
	damon->dir = sys_open(KDAMONDS "/0", O_RDONLY | O_DIRECTORY);
	damon->state = damon->dir < 0 ? damon->dir : sys_openat(damon->dir, "state", O_RDWR);
	result = damon->state;
	if (result >= 0)
		result = damon_write_number(damon->dir, "contexts/nr_contexts", 1);
	if (result >= 0)
		result = damon_write_number(damon->dir, MARK, DAMON_MARK_US);
	if (result < 0 && damon->state < 0)
		(void)damon_write_number(AT_FDCWD, KDAMONDS "/nr_kdamonds", 0);
	return result;
}

int damon_claim(struct damon *damon, enum damon_user *user)
{
	uint64_t nr;
	int result;

	*damon = (struct damon){ .lock = -1, .dir = -1, .state = -1 };
	*user = DAMON_FREE;
	/* Where there is no DAMON nothing is created. */
	result = nr_kdamonds(&nr);
	if (result < 0)
		return result;
	damon->lock = lock_journal();
	if (damon->lock == -EWOULDBLOCK) {
		*user = DAMON_OURS;
		return -EBUSY;
	}
	result = damon->lock < 0 ? damon->lock : sweep(damon->lock);
	if (result == 0)
		result = look_around(user);
	if (result == 0)
		result = write_journal(damon->lock);
	if (result == 0)
		result = take(damon);
	if (result < 0)
		damon_release(damon);
	return result;
}

void damon_release(struct damon *damon)
{
	int result = damon->state < 0 ? 0 : give_back(damon->state);

	/* What could not be given back is left to the next claim. */
	if (result == 0 && damon->lock >= 0)
		(void)sys_ftruncate(damon->lock, 0);
	sys_close(damon->state);
	sys_close(damon->dir);
	sys_close(damon->lock);
	vec_free(&damon->written);
	*damon = (struct damon){ .lock = -1, .dir = -1, .state = -1 };
}
