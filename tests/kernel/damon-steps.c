/* SPDX-License-Identifier: MIT */
/* This file looks at DAMON, and at accessed bits, for tests. */
#include "damon-steps.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "sensor/walk.h"
#include "need.h"

#define KDAMONDS    "/sys/kernel/mm/damon/admin/kdamonds/"
#define STAT_MODULE "/sys/module/damon_stat/parameters/enabled"

int damon_steps_need_guest(void)
{
	if (getenv("TIDEMARK_LANE") != NULL && access(KDAMONDS "nr_kdamonds", F_OK) == 0)
		return 0;
	fprintf(stderr, "%s\n",
	        getenv("TIDEMARK_LANE") == NULL
	                ? "DAMON is this machine's, not ours to try: tests/vm/lane runs this in a guest"
	                : "this kernel has no DAMON with sysfs files");
	return 77;
}

/* The way was refused, as `why` says. */
static int refused(const char *why)
{
	const char *lane = getenv("TIDEMARK_LANE");

	fprintf(stderr, "%s\n", why);
	return lane != NULL && (strcmp(lane, "stable") == 0 || strcmp(lane, "oldstable") == 0) ? 77 : 1;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool read_file(const char *path, char text[64])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -1 : read(fd, text, 63);

	close(fd);
	if (nr < 0)
		return false;
	text[nr] = 0;
	text[strcspn(text, "\n")] = 0;
	return true;
}

bool damon_steps_stat_module(bool on)
{
	char text[64];

	if (!read_file(STAT_MODULE, text))
		return false;
	if ((text[0] == 'Y') != on)
		write_file(STAT_MODULE, on ? "Y" : "N");
	return text[0] == 'Y';
}

void damon_steps_write(const char *path, const char *text)
{
	char whole[256];

	snprintf(whole, sizeof(whole), KDAMONDS "%s", path);
	write_file(whole, text);
}

void damon_steps_read(const char *path, char text[64])
{
	char whole[256];

	snprintf(whole, sizeof(whole), KDAMONDS "%s", path);
	assert_true(read_file(whole, text));
}

static int count_kdamond(void *arg, pid_t pid)
{
	struct procfs_stat stat;
	scope_sys_fd int dir = procfs_open(pid);

	if (dir >= 0 && procfs_read_stat(dir, 0, &stat) == 0 && strncmp(stat.name, "kdamond", 7) == 0)
		++*(unsigned *)arg;
	return 0;
}

unsigned damon_steps_nr_kdamonds(void)
{
	unsigned nr = 0;

	assert_int_equal(procfs_each_process(count_kdamond, &nr), 0);
	return nr;
}

void damon_steps_assert_free(void)
{
	char text[64];

	damon_steps_read("nr_kdamonds", text);
	assert_string_equal(text, "0");
	assert_int_equal(damon_steps_nr_kdamonds(), 0);
	if (read_file("/run/tidemark/damon", text))
		assert_string_equal(text, "");
}

static int add(void *arg, const struct tide_block *block)
{
	*(uint64_t *)arg += (uint64_t)block->nr_young << (block->entry_shift - 12);
	return 0;
}

/* Loading the walker takes an emulated machine seconds: it is kept for the process that was asked about last. */
static void *walk_of(pid_t pid)
{
	static struct walk_state walk;
	struct tide_error err = { 0 };

	if (walk.target != NULL && tide_target_pid(walk.target) == pid && tide_target_valid(walk.target, &err) == 1)
		return &walk;
	if (walk.target != NULL) {
		sensor_walk.cleanup(&walk);
		tide_target_close(walk.target);
	}
	walk = (struct walk_state){ 0 };
	assert_int_equal(tide_target_open(&walk.target, pid, &err), 0);
	assert_int_equal(sensor_walk.init(&walk, walk.target, &err), 0);
	return &walk;
}

uint64_t damon_steps_young(pid_t pid, uint64_t start, uint64_t end)
{
	void *walk = walk_of(pid);
	uint64_t nr = 0;
	struct tide_error err = { 0 };

	while (start < end)
		assert_int_equal(sensor_walk.scan(walk, start, end, 1u << 18, add, &nr, &start, &err), 0);
	return nr;
}

void damon_steps_flush_tlb(void)
{
	size_t size = (size_t)2 << 20;
	char *other = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (other == MAP_FAILED)
		abort();
	/* For more than 33 pages, the kernel flushes all of it. */
	memset(other, 1, size);
	munmap(other, size);
}

int damon_steps_main(int (*tests)(void))
{
	struct tide_error why = { 0 };
	bool was_on;
	int result = damon_steps_need_guest();

	if (result == 0)
		result = need_walk();
	if (result != 0)
		return result;
	was_on = damon_steps_stat_module(false);
	if (way_damon_probe(&why) == 1) {
		result = tests();
	} else {
		result = refused(why.text);
		/* What cannot be used is not left claimed either. */
		damon_steps_assert_free();
	}
	damon_steps_stat_module(was_on);
	return result;
}
