/* SPDX-License-Identifier: MIT */
/* This file forks: pages are shared, then copied by whichever side writes first. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutator.h"

static void write_around(struct mutator *m, unsigned nr)
{
	size_t size;

	for (unsigned i = 0; i < nr; i++) {
		char *at = pick(m, AREA_PRIVATE, 32 << 10, PAGE, &size);

		touch(m, at, size);
	}
}

static void both_write(struct mutator *m)
{
	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0) {
		m->rng ^= 0x5555;
		write_around(m, 8);
		_exit(0);
	}
	write_around(m, 4);
	must(waitpid(child, NULL, 0) == child, "waitpid");
	write_around(m, 2);
}

/* A child that lives on does nothing but share pages while they are collected. */
static void bystand(struct mutator *m)
{
	pid_t parent;

	if (m->bystander > 0) {
		kill(m->bystander, SIGKILL);
		must(waitpid(m->bystander, NULL, 0) == m->bystander, "waitpid");
	}
	parent = getpid();
	m->bystander = fork();
	must(m->bystander >= 0, "fork");
	if (m->bystander == 0) {
		die_with(parent);
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		for (;;)
			pause();
	}
	write_around(m, 4);
}

static void store(struct mutator *m)
{
	write_around(m, 1);
}

static const struct op OPS[] = {
	{ .name = "fork", .run = both_write },
	{ .name = "fork-stay", .run = bystand },
	{ .name = "fork-store", .run = store },
	{ 0 },
};

const struct family family_fork = { .name = "fork", .ops = OPS };
