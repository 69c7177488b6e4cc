/* SPDX-License-Identifier: MIT */
/* This file tests that a 32-bit program is told from a 64-bit one. */
#include <stdio.h>
#include <unistd.h>

#include <tidemark/target.h>

#include "child.h"

static int execute(int in, int out, void *path)
{
	dup2(in, 0);
	dup2(out, 1);
	execl(path, path, (char *)NULL);
	return 1;
}

static int wait64(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

static int check(pid_t pid, int wanted)
{
	struct tide_target *target;
	struct tide_error err;
	int got;

	if (tide_target_open(&target, pid, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	got = tide_target_is_32bit(target);
	tide_target_close(target);
	if (got != wanted)
		fprintf(stderr, "a %d-bit program was taken for the other kind\n", wanted ? 32 : 64);
	return got != wanted;
}

int main(int argc, char **argv)
{
	struct child child;
	int result;

	child_start(&child, wait64, NULL);
	result = check(child.pid, 0);
	child_end(&child);
	if (result != 0)
		return result;
	if (argc < 2) {
		fprintf(stderr, "skipped: this compiler builds no 32-bit programs\n");
		return 77;
	}
	if (access("/proc/sys/abi/vsyscall32", F_OK) != 0) {
		fprintf(stderr, "skipped: this kernel runs no 32-bit programs\n");
		return 77;
	}
	child_start(&child, execute, argv[1]);
	result = check(child.pid, 1);
	child_end(&child);
	return result;
}
