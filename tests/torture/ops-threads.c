/* SPDX-License-Identifier: MIT */
/* This file writes with many threads at the same time. */
#include <pthread.h>

#include "mutator.h"

enum {
	NR_THREADS = 4,
	NR_STORES = 400,
};

/* What a thread needs of its own: the seed; the memory is everybody's. */
struct writer {
	struct mutator m;
	char *at;
	size_t size;
	pthread_t thread;
};

static void *write_pages(void *arg)
{
	struct writer *writer = arg;

	for (unsigned i = 0; i < NR_STORES; i++)
		*(volatile uint64_t *)(writer->at + draw_below(&writer->m, writer->size / 8) * 8) = draw(&writer->m);
	return NULL;
}

static void together(struct mutator *m, size_t most)
{
	struct writer writers[NR_THREADS];
	size_t size;
	char *at = pick(m, AREA_PRIVATE, most, PAGE, &size);

	for (unsigned i = 0; i < NR_THREADS; i++) {
		writers[i] = (struct writer){ .m.rng = draw(m), .at = at, .size = size };
		must(pthread_create(&writers[i].thread, NULL, write_pages, &writers[i]) == 0, "pthread_create");
	}
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(writers[i].thread, NULL);
}

static void scatter(struct mutator *m)
{
	together(m, HUGE);
}

static void same_pages(struct mutator *m)
{
	together(m, 4 * PAGE);
}

static const struct op OPS[] = {
	{ .name = "threads", .flags = OP_MOVES, .run = scatter },
	{ .name = "threads-same-page", .flags = OP_MOVES, .run = same_pages },
	{ 0 },
};

const struct family family_threads = { .name = "threads", .ops = OPS };
