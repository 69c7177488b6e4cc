/* SPDX-License-Identifier: MIT */
/*
 * This file measures whole cycles in one's own process: arm, write N pages of 256 MiB once each, learn which. Before a
 * figure counts, the number of pages must be right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "write-tracking.h"

#define ARENA    ((uint64_t)256 << 20)
#define NR_PAGES (ARENA / PAGE)

enum way { PLAIN, WATCHED, PROTECTED, NR_WAYS };

struct cycles {
	unsigned char *arenas[NR_WAYS];
	struct watched watched;
	uint64_t *addresses;
	struct series writes[NR_WAYS], cycles[NR_WAYS], ratio;
};

/* Nanoseconds for one write. */
static double write_pages(unsigned char *arena, const uint32_t *pages, uint64_t nr)
{
	uint64_t began_ns = spent_ns();

	for (uint64_t i = 0; i < nr; i++)
		arena[pages[i] * PAGE + 8]++;
	return (double)(spent_ns() - began_ns) / (double)nr;
}

static void measure(struct cycles *self, enum way way, uint64_t nr, const uint32_t *pages)
{
	uint64_t began_ns = spent_ns(), found = nr;

	/* The last collect has armed what was written, and here is nothing more to do, with either. */
	series_add(&self->writes[way], write_pages(self->arenas[way], pages, nr));
	if (way == WATCHED)
		found = watched_collect(&self->watched);
	else if (way == PROTECTED)
		found = fault_collect(self->addresses, NR_PAGES);
	series_add(&self->cycles[way], (double)(spent_ns() - began_ns) / 1e3);
	if (found != nr)
		fail("the number of written pages is wrong", 0);
}

static void measure_all(struct cycles *self, uint64_t nr, size_t nr_pairs)
{
	for (enum way way = PLAIN; way < NR_WAYS; way++)
		self->writes[way].nr = self->cycles[way].nr = 0;
	self->ratio.nr = 0;
	for (size_t pair = 0; pair <= nr_pairs; pair++) {
		uint32_t *pages = arena_pages(NR_PAGES, nr, pair);

		for (int i = 0; i < NR_WAYS; i++)
			measure(self, (enum way)(pair % 2 ? NR_WAYS - 1 - i : i), nr, pages);
		series_add_ratio(&self->ratio, &self->cycles[PROTECTED], &self->cycles[WATCHED]);
		free(pages);
		if (pair > 0)
			continue;
		for (enum way way = PLAIN; way < NR_WAYS; way++) /* it warmed up */
			self->writes[way].nr = self->cycles[way].nr = 0;
		self->ratio.nr = 0;
	}
}

void bench_first(size_t nr_pairs)
{
	static const unsigned numbers[] = { 10, 100, 10000 };
	static const char *const names[NR_WAYS] = { "untracked", "tide_watch", "mprotect and SIGSEGV" };
	struct cycles self = { 0 };

	self.addresses = malloc(NR_PAGES * sizeof(self.addresses[0]));
	if (self.addresses == NULL)
		fail("no memory", 0);
	for (enum way way = PLAIN; way < NR_WAYS; way++) {
		self.arenas[way] = arena_map(ARENA, MADV_NOHUGEPAGE);
		arena_populate(self.arenas[way], ARENA);
	}
	watched_open(&self.watched, getpid(), self.arenas[WATCHED], ARENA, NULL);
	fault_start(self.arenas[PROTECTED], ARENA);
	fault_arm();
	puts("### A whole cycle: N pages of 256 MiB are written once, collected, and armed again\n\n"
	     "| N | way | first write of a page | whole cycle | mprotect's cycle takes ... times as long |\n"
	     "|---|---|---|---|---|");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		measure_all(&self, numbers[i], nr_pairs);
		for (enum way way = PLAIN; way < NR_WAYS; way++)
			printf("| %u | %s | %s | %s | %s |\n", numbers[i], names[way],
			       series_text(&self.writes[way], " ns"), series_text(&self.cycles[way], " us"),
			       way == WATCHED ? series_text(&self.ratio, "") : "");
	}
	fault_end();
	watched_close(&self.watched);
	for (enum way way = PLAIN; way < NR_WAYS; way++)
		munmap(self.arenas[way], ARENA);
	free(self.addresses);
	putchar('\n');
}
