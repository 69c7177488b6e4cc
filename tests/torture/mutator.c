/* SPDX-License-Identifier: MIT */
/*
 * This file is a process that changes its memory: it takes orders on its standard input and says when they are done.
 *
 * Usage: mutator --list | mutator SEED FAMILY [--userfaultfd]
 * FAMILY is a name that --list shows, or "mixed".
 */
#include "mutator.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct family *const FAMILIES[] = {
	&family_cpu,    &family_kernel,  &family_direct,  &family_foreign, &family_ring,
	&family_splice, &family_zap,     &family_huge,    &family_move,    &family_fork,
	&family_shared, &family_protect, &family_threads, &family_machine,
};

enum {
	NR_FAMILIES = sizeof(FAMILIES) / sizeof(FAMILIES[0]),
	MAX_OPS = 128,
};

/* The operations of this case that can be done here. */
static const struct op *ops[MAX_OPS];
static unsigned nr_ops;

static bool chosen(const struct family *family, const char *name)
{
	return strcmp(name, "mixed") == 0 || strcmp(name, family->name) == 0;
}

static void choose(struct mutator *m, const char *name)
{
	for (unsigned i = 0; i < NR_FAMILIES; i++)
		for (const struct op *op = FAMILIES[i]->ops; chosen(FAMILIES[i], name) && op->name != NULL; op++)
			if (op->lacks == NULL || op->lacks(m) == NULL) {
				must(nr_ops < MAX_OPS, "room for operations");
				ops[nr_ops++] = op;
			}
}

static bool needs_shared(const char *name)
{
	for (unsigned i = 0; i < NR_FAMILIES; i++)
		for (const struct op *op = FAMILIES[i]->ops; chosen(FAMILIES[i], name) && op->name != NULL; op++)
			if ((op->flags & OP_SHARED) != 0)
				return true;
	return false;
}

static void prepare(struct mutator *m, const char *name)
{
	m->log = mmap(NULL, WIRE_LOG_ENTRIES * sizeof(*m->log), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	              0);
	must(m->log != MAP_FAILED, "mmap");
	m->now = m->log;
	peer_start(m);
	areas_make(m, needs_shared(name));
	for (unsigned i = 0; i < NR_FAMILIES; i++)
		if (chosen(FAMILIES[i], name) && FAMILIES[i]->setup != NULL)
			FAMILIES[i]->setup(m);
	choose(m, name);
}

static void run(struct mutator *m, const struct op *op)
{
	m->done.nr_ops++;
	m->now = &m->log[m->done.nr_ops % WIRE_LOG_ENTRIES];
	*m->now = (struct wire_log){ .number = m->done.nr_ops };
	strncpy(m->now->name, op->name, WIRE_NAME_SIZE - 1);
	op->run(m);
}

static void obey(struct mutator *m, const struct wire_command *command)
{
	bool found = false;

	for (unsigned i = 0; command->kind == WIRE_RUN && nr_ops > 0 && i < command->nr; i++)
		run(m, ops[draw_below(m, nr_ops)]);
	for (unsigned i = 0; command->kind == WIRE_DO && i < nr_ops; i++)
		if (strcmp(ops[i]->name, command->name) == 0) {
			found = true;
			for (unsigned k = 0; k < command->nr; k++)
				run(m, ops[i]);
		}
	must(command->kind == WIRE_RUN || found, "an operation of that name");
}

static void list(struct mutator *m)
{
	for (unsigned i = 0; i < NR_FAMILIES; i++)
		for (const struct op *op = FAMILIES[i]->ops; op->name != NULL; op++) {
			const char *lack = op->lacks != NULL ? op->lacks(m) : NULL;

			printf("%s %s%s%s\n", FAMILIES[i]->name, op->name, lack != NULL ? " skipped: " : "",
			       lack != NULL ? lack : "");
		}
}

static struct wire_hello hello(const struct mutator *m, bool with_userfaultfd)
{
	struct wire_hello word = {
		.log = (uint64_t)(uintptr_t)m->log,
		.quiet_start = (uint64_t)(uintptr_t)m->quiet,
		.quiet_end = (uint64_t)(uintptr_t)(m->quiet + HUGE),
		.uffd = -1,
	};

	for (unsigned i = 0; i < nr_ops; i++)
		word.flags |= ops[i]->flags;
	if (with_userfaultfd)
		word.uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	return word;
}

int main(int argc, char **argv)
{
	static struct mutator m = { .direct = -1 };
	struct wire_command command;
	struct wire_hello word;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	m.source = memfd_create("source", MFD_CLOEXEC);
	m.direct = temporary_file(O_DIRECT, BOUNCE_SIZE);
	must(m.source >= 0 && ftruncate(m.source, BOUNCE_SIZE) == 0, "a file in memory");
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list(&m);
		return 0;
	}
	must(argc >= 3, "usage: mutator --list | mutator SEED FAMILY [--userfaultfd]");
	m.rng = strtoull(argv[1], NULL, 0);
	prepare(&m, argv[2]);
	word = hello(&m, argc > 3);
	must(write(STDOUT_FILENO, &word, sizeof(word)) == sizeof(word), "write");
	while (read(STDIN_FILENO, &command, sizeof(command)) == sizeof(command)) {
		obey(&m, &command);
		must(write(STDOUT_FILENO, &m.done, sizeof(m.done)) == sizeof(m.done), "write");
	}
	return 0;
}
