/* SPDX-License-Identifier: MIT */
/*
 * This file measures what emulators do with GetWriteWatch and its reset flag: 8 threads write random words of 8,192
 * pages, while another one asks again and again which pages were written.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "write-tracking.h"

#define NR_PAGES ((uint64_t)8192)
#define ARENA    (NR_PAGES * PAGE)
#define TIME_NS  ((uint64_t)300000000)

enum {
	NR_WRITERS = 8,
	BURST = 64,
};

enum way { PLAIN, WATCHED, PROTECTED, NR_WAYS };

struct writer {
	pthread_t thread;
	unsigned char *arena;
	const atomic_bool *stop;
	uint64_t state;
	uint64_t nr, cpu_ns;
};

struct gets {
	unsigned char *arenas[NR_WAYS];
	struct watched watched;
	struct series write_ns[NR_WAYS], get_us[NR_WAYS], wall_us[NR_WAYS], pages[NR_WAYS];
};

static void *write_on(void *arg)
{
	struct writer *self = arg;
	uint64_t began_ns = spent_ns();

	while (!atomic_load_explicit(self->stop, memory_order_relaxed)) {
		for (int i = 0; i < BURST; i++) {
			self->state = self->state * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
			__atomic_fetch_add(&self->arena[(self->state >> 40) % ARENA], 1, __ATOMIC_RELAXED);
		}
		self->nr += BURST;
	}
	self->cpu_ns = spent_ns() - began_ns;
	return NULL;
}

static uint64_t get(struct gets *self, enum way way)
{
	static uint64_t addresses[NR_PAGES];
	uint64_t start = (uint64_t)(uintptr_t)self->arenas[way];
	size_t count = NR_PAGES;
	struct tide_error err = { 0 };

	if (way == PROTECTED)
		return fault_collect(addresses, NR_PAGES);
	if (tide_watch_get(self->watched.watch, TIDE_GET_RESET, start, start + ARENA, addresses, &count, NULL, &err) <
	    0)
		fail_error(&err);
	return count;
}

static void ask(struct gets *self, enum way way, uint64_t until_ns)
{
	uint64_t nr = 0, nr_pages = 0, cpu_ns = spent_ns(), began_ns = now_ns();

	while (now_ns() < until_ns) {
		nr_pages += get(self, way);
		nr++;
	}
	series_add(&self->get_us[way], (double)(spent_ns() - cpu_ns) / 1e3 / (double)nr);
	series_add(&self->wall_us[way], (double)(now_ns() - began_ns) / 1e3 / (double)nr);
	series_add(&self->pages[way], (double)nr_pages / (double)nr);
}

static void measure(struct gets *self, enum way way)
{
	struct writer writers[NR_WRITERS];
	atomic_bool stop = false;
	uint64_t nr = 0, cpu_ns = 0, until_ns = now_ns() + TIME_NS;

	for (int i = 0; i < NR_WRITERS; i++) {
		writers[i] = (struct writer){ .arena = self->arenas[way], .stop = &stop, .state = (uint64_t)i + 1 };
		if (pthread_create(&writers[i].thread, NULL, write_on, &writers[i]) != 0)
			fail("cannot start a thread", 0);
	}
	if (way == PLAIN)
		nanosleep(&(struct timespec){ .tv_nsec = (long)TIME_NS }, NULL);
	else
		ask(self, way, until_ns);
	atomic_store(&stop, true);
	for (int i = 0; i < NR_WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		nr += writers[i].nr;
		cpu_ns += writers[i].cpu_ns;
	}
	series_add(&self->write_ns[way], (double)cpu_ns / (double)nr);
}

void bench_get(size_t nr_pairs)
{
	static const char *const names[NR_WAYS] = { "untracked", "tide_watch_get", "mprotect and SIGSEGV" };
	struct gets self = { 0 };

	for (enum way way = PLAIN; way < NR_WAYS; way++) {
		self.arenas[way] = arena_map(ARENA, MADV_NOHUGEPAGE);
		arena_populate(self.arenas[way], ARENA);
	}
	watched_open(&self.watched, getpid(), self.arenas[WATCHED], ARENA, NULL);
	fault_start(self.arenas[PROTECTED], ARENA);
	fault_arm();
	for (size_t pair = 0; pair < nr_pairs; pair++)
		for (int i = 0; i < NR_WAYS; i++)
			measure(&self, (enum way)(pair % 2 ? NR_WAYS - 1 - i : i));
	puts("### As GetWriteWatch: 8 threads write 8,192 pages, and one asks without a pause, and resets\n\n"
	     "| way | processor time of one write | of one get | wall time of one get | pages in one get |\n"
	     "|---|---|---|---|---|");
	for (enum way way = PLAIN; way < NR_WAYS; way++)
		printf("| %s | %s | %s | %s | %s |\n", names[way], series_text(&self.write_ns[way], " ns"),
		       way == PLAIN ? "" : series_text(&self.get_us[way], " us"),
		       way == PLAIN ? "" : series_text(&self.wall_us[way], " us"),
		       way == PLAIN ? "" : series_text(&self.pages[way], ""));
	fault_end();
	watched_close(&self.watched);
	for (enum way way = PLAIN; way < NR_WAYS; way++)
		munmap(self.arenas[way], ARENA);
	putchar('\n');
}
