/* SPDX-License-Identifier: MIT */
/* This file is a child process that does what it is told with an arena of its own. */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring.h"
#include "write-tracking.h"

#define CHUNK ((size_t)1 << 20) /* compared at once */

/* Shared by both. */
struct subject_page {
	enum order order;
	uint64_t argument[2];
	uint64_t answer, more, copy_ns;
};

/* The copy that keeps the old state: it compares when it is told. */
struct copy {
	pid_t pid;
	int orders, answers;
};

static void put(int fd)
{
	char byte = 0;

	if (write(fd, &byte, 1) != 1)
		_exit(1);
}

/* False: the other side has gone. */
static bool get(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static uint64_t write_huge(const struct subject *self, uint64_t each)
{
	uint64_t nr = 0, began_ns = spent_ns();

	for (uint64_t at = 0; at < self->size; at += each * HUGE_PAGE, nr++)
		self->arena[at + 8]++;
	return (spent_ns() - began_ns) / nr;
}

static uint64_t pin(void)
{
	static struct ring ring;
	struct iovec page = { arena_map(PAGE, MADV_NOHUGEPAGE), PAGE };

	arena_populate(page.iov_base, PAGE);
	return ring_open(&ring) == 0 && ring_register(&ring, &page, 1) == 0;
}

/* How many pages of the copy's arena are not what they are in its parent. */
static uint64_t count_changes(const struct subject *self, pid_t parent)
{
	unsigned char *buf = malloc(CHUNK);
	uint64_t nr = 0;

	for (uint64_t at = 0; buf != NULL && at < self->size; at += CHUNK) {
		struct iovec local = { buf, CHUNK }, remote = { self->arena + at, CHUNK };

		if (process_vm_readv(parent, &local, 1, &remote, 1, 0) != (ssize_t)CHUNK)
			_exit(1);
		for (size_t i = 0; i < CHUNK; i += PAGE)
			nr += memcmp(buf + i, self->arena + at + i, PAGE) != 0;
	}
	free(buf);
	return nr;
}

static uint64_t keep_copy(const struct subject *self, struct copy *copy)
{
	uint64_t began_ns = spent_ns();
	pid_t parent = getpid();
	int down[2], up[2];

	if (pipe(down) != 0 || pipe(up) != 0)
		_exit(1);
	copy->pid = fork();
	if (copy->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (get(down[0])) {
			self->page->more = count_changes(self, parent);
			self->page->copy_ns = spent_ns();
			put(up[1]);
		}
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	copy->orders = down[1];
	copy->answers = up[0];
	return spent_ns() - began_ns;
}

static uint64_t compare(const struct subject *self, const struct copy *copy)
{
	put(copy->orders);
	if (!get(copy->answers))
		_exit(1);
	close(copy->orders);
	close(copy->answers);
	waitpid(copy->pid, NULL, 0);
	return self->page->copy_ns;
}

static uint64_t obey(const struct subject *self, struct copy *copy)
{
	struct subject_page *page = self->page;

	switch (page->order) {
	case ORDER_WRITE:
		return arena_write(self->arena, self->size, page->argument[0], page->argument[1]);
	case ORDER_WRITE_HUGE:
		return write_huge(self, page->argument[0]);
	case ORDER_ARM:
		bare_arm(self->arena, self->size);
		return 0;
	case ORDER_PIN:
		return pin();
	case ORDER_FORK:
		return keep_copy(self, copy);
	case ORDER_COMPARE:
		return compare(self, copy);
	case ORDER_END:
		_exit(0);
	}
	return 0;
}

static _Noreturn void serve(const struct subject *self)
{
	struct copy copy = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	arena_populate(self->arena, self->size);
	for (put(self->answers); get(self->orders); put(self->answers))
		self->page->answer = obey(self, &copy);
	_exit(0);
}

uint64_t subject_huge_kib(const struct subject *subject)
{
	return huge_kib(subject->pid);
}

void subject_start(struct subject *subject, uint64_t size, int advice)
{
	int down[2], up[2];

	subject->size = size;
	subject->arena = arena_map(size, advice);
	subject->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (subject->page == MAP_FAILED || pipe(down) != 0 || pipe(up) != 0)
		fail("cannot set a child up", 0);
	subject->orders = down[0];
	subject->answers = up[1];
	subject->pid = fork();
	if (subject->pid == 0) {
		close(down[1]);
		close(up[0]);
		serve(subject);
	}
	close(down[0]);
	close(up[1]);
	subject->orders = down[1];
	subject->answers = up[0];
	if (subject->pid < 0 || !get(subject->answers))
		fail("the child did not start", 0);
}

uint64_t subject_do(struct subject *subject, enum order order, uint64_t first, uint64_t second)
{
	subject->page->order = order;
	subject->page->argument[0] = first;
	subject->page->argument[1] = second;
	put(subject->orders);
	if (!get(subject->answers))
		fail("the child has gone", 0);
	return subject->page->answer;
}

uint64_t subject_more(const struct subject *subject)
{
	return subject->page->more;
}

void subject_end(struct subject *subject)
{
	subject->page->order = ORDER_END;
	put(subject->orders);
	waitpid(subject->pid, NULL, 0);
	close(subject->orders);
	close(subject->answers);
	munmap(subject->page, PAGE);
	munmap(subject->arena, subject->size);
}
