/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that measures the list of writes (uffd_log) beside tracking by scans (uffd_async):
 *
 *     write-list [PAIRS [mapped|first|away|share]...]
 *
 * Prints Markdown tables: the median of PAIRS (9) interleaved rounds, with the lowest and the highest, and ratios
 * within a round. Times are wall time, as writers wait. Before a figure counts, the number of pages must be right.
 * Needs about 8 GiB of memory, and two processors: the one who lists is a process of its own.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"
#include "write-list.h"

enum {
	SCAN,
	LIST,
	NR_BACKENDS,
};

static const char *const backends[NR_BACKENDS] = { [SCAN] = "uffd_async", [LIST] = "uffd_log" };

static void want(uint64_t found, uint64_t written, const char *name)
{
	if (found == written)
		return;
	fprintf(stderr, "%s: %lu pages were written, %lu reported\n", name, (unsigned long)written,
	        (unsigned long)found);
	fail("the number of written pages is wrong", 0);
}

/* The order alternates, so that a drift falls on all alike. */
static size_t turn(size_t pair, size_t i, size_t nr)
{
	return pair % 2 ? nr - 1 - i : i;
}

/* The kernel's calls of our own process; those of the helpers who list are not among them. */
static uint64_t nr_ioctls;

static int counted_ioctl(int fd, unsigned long request, void *arg)
{
	nr_ioctls++;
	return sys_table_linux.ioctl(fd, request, arg);
}

enum {
	NR_THOUSAND = 1000,
};

/* Armed memory that costs little more than its page tables. */
struct memory {
	unsigned gib;
	const char *name;
	task_fn *make;
};

struct mapped {
	struct writer writers[NR_BACKENDS];
	struct series write_us[NR_BACKENDS], collect_us[NR_BACKENDS], steps[NR_BACKENDS], calls[NR_BACKENDS];
	struct series total_us[NR_BACKENDS], collect_ratio, total_ratio;
};

static void measure_mapped(struct mapped *self, size_t which, bool counts)
{
	struct writer *writer = &self->writers[which];
	uint64_t write_ns = writer_do(writer, write_each_64th, NR_THOUSAND, 0), before = nr_ioctls, nr_pages;
	struct tide_epoch epoch;

	nr_pages = writer_collect(writer, &epoch);
	/* All of the child is watched: it writes a few pages for itself. */
	if (nr_pages < NR_THOUSAND || (counts && nr_pages > NR_THOUSAND + 100))
		want(nr_pages, NR_THOUSAND, backends[which]);
	if (!counts)
		return;
	series_add(&self->write_us[which], (double)write_ns / 1e3);
	series_add(&self->collect_us[which], (double)epoch.cost_ns / 1e3);
	series_add(&self->total_us[which], (double)(write_ns + epoch.cost_ns) / 1e3);
	series_add(&self->steps[which], (double)epoch.nr_calls);
	series_add(&self->calls[which], (double)(nr_ioctls - before));
}

static void print_mapped(const struct mapped *self, const struct memory *memory)
{
	for (size_t i = 0; i < NR_BACKENDS; i++)
		printf("| %u GiB of %s | %s | %s | %.0f | %.0f | %s | %s | %s |\n", memory->gib, memory->name,
		       backends[i], series_text(&self->collect_us[i], " us"), series_median(&self->steps[i]),
		       series_median(&self->calls[i]), i == LIST ? series_text(&self->collect_ratio, "") : "",
		       series_text(&self->write_us[i], " us"), i == LIST ? series_text(&self->total_ratio, "") : "");
}

static void measure_memory(const struct memory *memory, size_t nr_pairs)
{
	struct mapped self = { 0 };

	for (size_t i = 0; i < NR_BACKENDS; i++)
		writer_start(&self.writers[i], memory->make, memory->gib * GIB);
	for (size_t i = 0; i < NR_BACKENDS; i++)
		writer_watch(&self.writers[i], backends[i], 0, true);
	for (size_t pair = 0; pair <= nr_pairs; pair++) {
		for (size_t i = 0; i < NR_BACKENDS; i++)
			measure_mapped(&self, turn(pair, i, NR_BACKENDS), pair > 0);
		if (pair == 0) /* it warmed up */
			continue;
		series_add_ratio(&self.collect_ratio, &self.collect_us[SCAN], &self.collect_us[LIST]);
		series_add_ratio(&self.total_ratio, &self.total_us[SCAN], &self.total_us[LIST]);
	}
	print_mapped(&self, memory);
	for (size_t i = 0; i < NR_BACKENDS; i++)
		writer_end(&self.writers[i]);
}

static void bench_mapped(size_t nr_pairs)
{
	static const struct memory memories[] = {
		{ 1, "huge pages", make_huge_zeros },   { 16, "huge pages", make_huge_zeros },
		{ 128, "huge pages", make_huge_zeros }, { 1024, "huge pages", make_huge_zeros },
		{ 1, "4 KiB pages", make_small_zeros }, { 16, "4 KiB pages", make_small_zeros },
	};
	struct sys_table counted = sys_table_linux;

	counted.ioctl = counted_ioctl;
	sys_table = &counted;
	puts("### Collects against what is mapped: pages of zeros in another process, 1,000 of them are written\n\n"
	     "| mapped | backend | collect | nr_calls | ioctl(2) | uffd_async takes ... times as long "
	     "| the 1,000 writes | both: uffd_async takes ... times as long |\n|---|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++)
		measure_memory(&memories[i], nr_pairs);
	sys_table = &sys_table_linux;
	putchar('\n');
}

enum {
	NR_FIRST = 20000,
	NR_ARENA = 20480, /* whole huge pages */
};

static const struct way {
	const char *name;
	const char *backend; /* NULL: nobody watches, or it does so itself */
	uint64_t granularity;
} ways[] = {
	{ "nothing is armed", NULL, 0 },
	{ "uffd_async", "uffd_async", 0 },
	{ "uffd_log", "uffd_log", 0 },
	{ "uffd_log, pieces of 64 KiB", "uffd_log", 16 * PAGE },
	{ "uffd_log, pieces of 2 MiB", "uffd_log", HUGE_PAGE },
	{ "mprotect and SIGSEGV", NULL, 0 },
};

enum { PLAIN, ASYNC, LOG, LOG_64K, LOG_2M, PROTECTED, NR_WAYS };

struct first {
	struct writer writers[NR_WAYS];
	struct series write_ns[NR_WAYS], ratios[NR_WAYS], faults[NR_WAYS];
	struct tide_epoch told[NR_WAYS]; /* of the last round */
};

static uint64_t round_up(uint64_t nr_pages, uint64_t granularity)
{
	uint64_t each = granularity == 0 ? 1 : granularity / PAGE;

	return (nr_pages + each - 1) / each * each;
}

static void measure_first(struct first *self, size_t way)
{
	struct writer *writer = &self->writers[way];
	uint64_t taken_ns = writer_do(writer, write_in_order, NR_FIRST, 0);
	struct tide_epoch epoch = { 0 };

	series_add(&self->write_ns[way], (double)taken_ns / NR_FIRST);
	if (way == PROTECTED)
		want(writer_do(writer, collect_oneself, 0, 0), NR_FIRST, ways[way].name);
	else if (way != PLAIN)
		want(writer_collect(writer, &epoch), round_up(NR_FIRST, ways[way].granularity), ways[way].name);
	series_add(&self->faults[way], (double)(epoch.nr_faults - self->told[way].nr_faults));
	self->told[way] = epoch;
}

static void start_ways(struct writer *writers, size_t nr, uint64_t size)
{
	for (size_t way = 0; way < nr; way++)
		writer_start(&writers[way], make_pages, size);
	for (size_t way = 0; way < nr; way++)
		if (way == PROTECTED)
			writer_do(&writers[way], track_oneself, 0, 0);
		else if (way != PLAIN)
			writer_watch(&writers[way], ways[way].backend, ways[way].granularity, false);
}

static void forget(struct first *self)
{
	for (size_t way = 0; way < NR_WAYS; way++)
		self->write_ns[way].nr = self->faults[way].nr = 0;
}

static void bench_first_write(size_t nr_pairs)
{
	struct first self = { 0 };

	start_ways(self.writers, NR_WAYS, NR_ARENA * PAGE);
	for (size_t pair = 0; pair <= nr_pairs; pair++) {
		if (pair == 1) /* it warmed up */
			forget(&self);
		for (size_t i = 0; i < NR_WAYS; i++)
			measure_first(&self, turn(pair, i, NR_WAYS));
		for (size_t way = 0; way < NR_WAYS && pair > 0; way++)
			series_add_ratio(&self.ratios[way], &self.write_ns[way], &self.write_ns[ASYNC]);
	}
	puts("### What a first write costs the writer: 20,000 pages of 4 KiB, one after the other\n\n"
	     "| way | one page | times uffd_async's | writes that waited | the longest waited, as who listed it saw "
	     "it |\n|---|---|---|---|---|");
	for (size_t way = 0; way < NR_WAYS; way++) {
		printf("| %s | %s | %s |", ways[way].name, series_text(&self.write_ns[way], " ns"),
		       series_text(&self.ratios[way], ""));
		if (self.told[way].nr_faults > 0)
			printf(" %.0f | %.0f us |\n", series_median(&self.faults[way]),
			       (double)self.told[way].longest_stall_ns / 1e3);
		else
			puts(" | |");
		writer_end(&self.writers[way]);
	}
	putchar('\n');
}

enum {
	NR_AWAY = 2000,
};

static void bench_away(size_t nr_pairs)
{
	struct writer writers[LOG + 1];
	struct series away_ns[LOG + 1] = { 0 }, ratios[LOG + 1] = { 0 };

	start_ways(writers, LOG + 1, NR_ARENA * PAGE);
	for (size_t pair = 0; pair <= nr_pairs; pair++) {
		for (size_t i = 0; i <= LOG; i++) {
			size_t way = turn(pair, i, LOG + 1);
			uint64_t taken_ns = writer_do(&writers[way], give_up, NR_AWAY, 0);

			if (way != PLAIN)
				want(writer_collect(&writers[way], NULL), NR_AWAY, ways[way].name);
			writer_do(&writers[way], write_in_order, NR_AWAY, 0);
			if (way != PLAIN)
				want(writer_collect(&writers[way], NULL), NR_AWAY, ways[way].name);
			if (pair > 0)
				series_add(&away_ns[way], (double)taken_ns / NR_AWAY);
		}
		for (size_t way = 0; way <= LOG && pair > 0; way++)
			series_add_ratio(&ratios[way], &away_ns[way], &away_ns[PLAIN]);
	}
	puts("### Giving up one page of 4 KiB (MADV_DONTNEED)\n\n"
	     "| way | one call | times that of unarmed memory |\n|---|---|---|");
	for (size_t way = 0; way <= LOG; way++) {
		printf("| %s | %s | %s |\n", ways[way].name, series_text(&away_ns[way], " ns"),
		       series_text(&ratios[way], ""));
		writer_end(&writers[way]);
	}
	putchar('\n');
}

struct share {
	struct series write_us[LOG + 1]; /* how much longer than with nothing armed */
	struct series collect_us[LOG + 1], total_us[LOG + 1], ratio;
};

static void measure_share(struct share *self, struct writer *writers, uint64_t nr_pages, size_t pair)
{
	uint64_t write_ns[LOG + 1], collect_ns[LOG + 1] = { 0 };

	for (size_t i = 0; i <= LOG; i++) {
		size_t way = turn(pair, i, LOG + 1);
		struct tide_epoch epoch;

		write_ns[way] = writer_do(&writers[way], write_here_and_there, nr_pages, pair);
		if (way == PLAIN)
			continue;
		want(writer_collect(&writers[way], &epoch), nr_pages, ways[way].name);
		collect_ns[way] = epoch.cost_ns;
	}
	for (size_t way = ASYNC; way <= LOG && pair > 0; way++) {
		double extra_us = write_ns[way] > write_ns[PLAIN] ? (double)(write_ns[way] - write_ns[PLAIN]) / 1e3 : 0;

		series_add(&self->write_us[way], extra_us);
		series_add(&self->collect_us[way], (double)collect_ns[way] / 1e3);
		series_add(&self->total_us[way], extra_us + (double)collect_ns[way] / 1e3);
	}
	if (pair > 0)
		series_add_ratio(&self->ratio, &self->total_us[LOG], &self->total_us[ASYNC]);
}

static void bench_share(size_t nr_pairs)
{
	static const unsigned per_million[] = { 0, 10, 100, 300, 1000, 10000, 100000 };
	struct writer writers[LOG + 1];

	start_ways(writers, LOG + 1, GIB);
	puts("### Both together: 1 GiB of 4 KiB pages, a share of it is written here and there\n\n"
	     "| written | pages | uffd_async: writes + collect | total | uffd_log: writes + collect | total | uffd_log "
	     "takes ... times as long |\n|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < sizeof(per_million) / sizeof(per_million[0]); i++) {
		uint64_t nr_pages = GIB / PAGE * per_million[i] / 1000000;
		struct share self = { 0 };

		for (size_t pair = 0; pair <= nr_pairs; pair++)
			measure_share(&self, writers, nr_pages, pair);
		printf("| %g %% | %lu |", per_million[i] / 1e4, (unsigned long)nr_pages);
		for (size_t way = ASYNC; way <= LOG; way++)
			printf(" %.0f + %.0f us | %s |", series_median(&self.write_us[way]),
			       series_median(&self.collect_us[way]), series_text(&self.total_us[way], " us"));
		printf(" %s |\n", series_text(&self.ratio, ""));
	}
	for (size_t way = 0; way <= LOG; way++)
		writer_end(&writers[way]);
	putchar('\n');
}

static const struct bench benches[] = {
	{ "mapped", bench_mapped },
	{ "first", bench_first_write },
	{ "away", bench_away },
	{ "share", bench_share },
};

int main(int argc, char **argv)
{
	return run_benches(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
