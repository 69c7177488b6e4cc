/* SPDX-License-Identifier: MIT */
/* This file draws the mutator's decisions from its seed, says what it changes, and ends children with it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mutator.h"

void must(bool good, const char *what)
{
	int error = errno;

	if (good)
		return;
	dprintf(STDERR_FILENO, "mutator: %s: %s\n", what, strerror(error));
	syscall(SYS_exit_group, 2);
}

void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

bool agreed(struct mutator *m, bool good)
{
	m->done.nr_refused += !good;
	return good;
}

/* splitmix64 */
uint64_t draw(struct mutator *m)
{
	uint64_t z = m->rng += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t draw_below(struct mutator *m, uint64_t bound)
{
	return draw(m) % bound;
}

void scribble(struct mutator *m, void *at, size_t size)
{
	char *to = at;

	while (size > 0) {
		uint64_t word = draw(m);
		size_t part = size < sizeof(word) ? size : sizeof(word);

		memcpy(to, &word, part);
		to += part;
		size -= part;
	}
}

void touch(struct mutator *m, char *at, size_t size)
{
	for (size_t i = 0; i + PAGE <= size; i += PAGE)
		*(volatile uint64_t *)(at + i + draw_below(m, PAGE / 8) * 8) = draw(m);
}

void note(struct mutator *m, const void *at, size_t size)
{
	m->now->start = (uint64_t)(uintptr_t)at;
	m->now->size = size;
}

struct area *pick_area(struct mutator *m, unsigned kinds)
{
	unsigned nr = 0;
	uint64_t nth;

	for (unsigned i = 0; i < m->nr_areas; i++)
		nr += (m->areas[i].kinds & kinds) != 0;
	if (nr == 0)
		return NULL;
	nth = draw_below(m, nr);
	for (unsigned i = 0; i < m->nr_areas; i++)
		if ((m->areas[i].kinds & kinds) != 0 && nth-- == 0)
			return &m->areas[i];
	return NULL;
}

char *pick(struct mutator *m, unsigned kinds, size_t max, size_t align, size_t *size)
{
	struct area *area = pick_area(m, kinds);
	char *at;

	if (area == NULL)
		return NULL;
	max = max > area->size ? area->size : max;
	*size = (1 + draw_below(m, max / align)) * align;
	at = area->at + draw_below(m, (area->size - *size) / align + 1) * align;
	note(m, at, *size);
	return at;
}
