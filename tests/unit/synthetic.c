/* SPDX-License-Identifier: MIT */
/*
 * This file makes up processes: a heap with a hot end, a big mapping through which a hot window wanders, a library, a
 * stack; regions of changing sizes in the three areas that DAMON would watch.
 */
#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define MIB         (UINT64_C(1) << 20)
#define HEAP        UINT64_C(0x55d0a3c21000)
#define BIG         UINT64_C(0x7f2a40000000)
#define LIBC        UINT64_C(0x7f2a9b400000)
#define STACK       UINT64_C(0x7ffd1c800000)
#define NR_CHECKS   20
#define NR_OTHERS   7 /* mappings beside the big one */
#define INTERVAL_NS UINT64_C(100000000)
#define NR_AGES     40 /* of a target at most */

struct area {
	uint64_t start;
	uint64_t end;
	uint32_t share; /* of the regions, in percent */
};

static const struct area areas[] = {
	{ HEAP - 33 * MIB, HEAP + 64 * MIB, 30 },
	{ BIG, LIBC + 2 * MIB, 65 },
	{ STACK, STACK + MIB, 5 },
};

struct synthetic {
	struct synthetic_opts opts;
	struct rng rng;
	uint64_t nr_made;
	struct tide_mapping *mappings;
	struct tide_layout layout;
	struct record_source *sources;
	struct tide_idle *idle; /* by target */
	struct tide_age *ages;  /* of all targets */
	VEC(struct tide_region) regions;
	struct tide_sample sample;
};

#define COMMON                                                                                                         \
	.tool_version = "0.1.0", .sensor = "walk", .sensor_why = "the page-table walker works here",                   \
	.kernel = "6.18.0", .started_unix_us = UINT64_C(1795219200000000), .update_us = 1000000,                       \
	.max_nr_regions = 1000
#define SAMPLED COMMON, .sampling_us = 5000, .aggregation_us = 100000, .min_nr_regions = 10

const struct record_info synthetic_info = {
	SAMPLED,
};

const struct record_info synthetic_exact_info = {
	COMMON,
	.aggregation_us = 1000000,
	.exact = 1,
};

const struct record_info synthetic_writes_info = {
	SAMPLED,
	.writes = "writes",
};

const struct record_info *synthetic_info_of(const struct synthetic_opts *opts)
{
	return opts->exact ? &synthetic_exact_info : opts->writes ? &synthetic_writes_info : &synthetic_info;
}

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void set_mapping(struct synthetic *synthetic, size_t i, uint64_t start, uint64_t end, uint32_t flags,
                        const char *name)
{
	synthetic->mappings[i] = (struct tide_mapping){ .start = start, .end = end, .flags = flags, .name = name };
}

static void make_layout(struct synthetic *synthetic)
{
	const uint32_t r = TIDE_MAPPING_READ;
	const uint32_t w = TIDE_MAPPING_WRITE;
	uint64_t grown = synthetic->opts.growing ? synthetic->nr_made / 10 * MIB % (32 * MIB) : 32 * MIB;
	size_t nr = synthetic->opts.nr_pieces;
	uint64_t piece = 1024 * MIB / nr / 4096 * 4096;
	size_t i = 3;

	set_mapping(synthetic, 0, HEAP - 33 * MIB, HEAP - 31 * MIB, r, "/usr/bin/redis-server");
	set_mapping(synthetic, 1, HEAP - 31 * MIB, HEAP - 30 * MIB, r | TIDE_MAPPING_EXEC, "/usr/bin/redis-server");
	set_mapping(synthetic, 2, HEAP, HEAP + 32 * MIB + grown, r | w, "[heap]");
	for (; i < 3 + nr; i++)
		set_mapping(synthetic, i, BIG + (i - 3) * piece, BIG + (i - 2) * piece - (nr > 1 ? 4096 : 0), r | w,
		            "");
	set_mapping(synthetic, i++, BIG + 1024 * MIB, BIG + 1400 * MIB, 0, ""); /* reserved, no access */
	set_mapping(synthetic, i++, LIBC, LIBC + MIB, r | TIDE_MAPPING_EXEC, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	set_mapping(synthetic, i++, LIBC + MIB, LIBC + 2 * MIB, r | w | TIDE_MAPPING_SHARED, "/dev/shm/pool");
	set_mapping(synthetic, i++, STACK, STACK + MIB, r | w, "[stack]");
	synthetic->layout.mappings = synthetic->mappings;
	synthetic->layout.nr_mappings = i;
	synthetic->layout.generation = synthetic->opts.growing ? 1 + synthetic->nr_made / 10 : 1;
}

struct synthetic *synthetic_new(const struct synthetic_opts *opts)
{
	static const char *const names[] = { "redis-server", "worker", "third" };
	struct synthetic *synthetic = must(calloc(1, sizeof(*synthetic)));

	synthetic->opts = *opts;
	if (opts->nr_targets == 0)
		synthetic->opts.nr_targets = 1;
	if (opts->nr_regions == 0)
		synthetic->opts.nr_regions = 100;
	if (opts->nr_pieces == 0)
		synthetic->opts.nr_pieces = 1;
	synthetic->mappings = must(calloc(NR_OTHERS + synthetic->opts.nr_pieces, sizeof(*synthetic->mappings)));
	rng_init(&synthetic->rng, opts->seed);
	synthetic->sources = must(calloc(synthetic->opts.nr_targets, sizeof(*synthetic->sources)));
	synthetic->idle = must(calloc(synthetic->opts.nr_targets, sizeof(*synthetic->idle)));
	synthetic->ages = must(calloc(synthetic->opts.nr_targets * NR_AGES, sizeof(*synthetic->ages)));
	for (uint32_t i = 0; i < synthetic->opts.nr_targets; i++)
		synthetic->sources[i] = (struct record_source){ .pid = 4242 + i,
			                                        .name = names[i % 3],
			                                        .layout = opts->no_layout ? NULL : &synthetic->layout };
	return synthetic;
}

void synthetic_free(struct synthetic *synthetic)
{
	if (synthetic == NULL)
		return;
	vec_free(&synthetic->regions);
	free(synthetic->sources);
	free(synthetic->idle);
	free(synthetic->ages);
	free(synthetic->mappings);
	free(synthetic);
}

/* How often `addr` is accessed now, of NR_CHECKS. */
static uint32_t heat(const struct synthetic *synthetic, uint64_t addr)
{
	uint64_t window = BIG + synthetic->nr_made * 2 * MIB % (1024 * MIB);

	if (addr >= STACK || (addr >= LIBC && addr < LIBC + MIB))
		return NR_CHECKS - 1;
	if (addr >= HEAP + 24 * MIB && addr < HEAP + 32 * MIB)
		return NR_CHECKS;
	if (addr >= HEAP && addr < HEAP + 24 * MIB)
		return (uint32_t)((addr - HEAP) / (3 * MIB));
	return addr >= window && addr < window + 96 * MIB ? NR_CHECKS * 3 / 4 : 0;
}

/* Of so many accesses: code is only read, the stack and the hot end of the heap written, the rest half and half. */
static uint32_t writes(uint64_t addr, uint32_t nr_accesses)
{
	if (addr >= STACK || (addr >= HEAP + 24 * MIB && addr < BIG))
		return nr_accesses;
	return addr < HEAP || addr >= LIBC || addr < BIG + 256 * MIB ? 0 : nr_accesses / 2;
}

static void add_region(struct synthetic *synthetic, uint32_t target, uint64_t start, uint64_t end)
{
	struct tide_region region = { .start = start, .end = end, .target = target };
	uint64_t middle = start + (end - start) / 2;

	region.nr_accesses = target == 0 ? heat(synthetic, middle) : heat(synthetic, middle) / 2;
	region.age = (uint32_t)(synthetic->nr_made % 200);
	if (region.nr_accesses > 0 && region.nr_accesses < NR_CHECKS)
		region.nr_accesses += (uint32_t)rng_below(&synthetic->rng, 2);
	if (synthetic->opts.unobservable && middle >= BIG + 768 * MIB && middle < BIG + 1024 * MIB)
		region.nr_unobservable = NR_CHECKS - region.nr_accesses;
	if (synthetic->opts.writes) {
		region.nr_writes = writes(middle, region.nr_accesses);
		region.nr_writes_unobservable = region.nr_unobservable;
	}
	/* As with huge pages: seen to be accessed, written or not. */
	if (synthetic->opts.writes && synthetic->opts.unobservable && middle >= BIG + 512 * MIB &&
	    middle < BIG + 768 * MIB) {
		region.nr_writes = 0;
		region.nr_writes_unobservable = NR_CHECKS;
	}
	synthetic->sample.reasons[TIDE_REASON_SHARED] += region.nr_unobservable;
	if (vec_push(&synthetic->regions, region) < 0)
		abort();
}

static void add_area(struct synthetic *synthetic, uint32_t target, const struct area *area)
{
	uint64_t nr = synthetic->opts.nr_regions * area->share / 100;
	uint64_t pages = (area->end - area->start) / 4096;
	uint64_t start = area->start;

	for (uint64_t i = 1; i <= nr; i++) {
		uint64_t jitter = pages / nr > 8 ? rng_below(&synthetic->rng, pages / nr / 2) : 0;
		uint64_t end = i == nr ? area->end : area->start + (pages * i / nr - jitter) * 4096;

		if (end <= start)
			continue;
		if (!synthetic->opts.holes || i % 7 != 3)
			add_region(synthetic, target, start, end);
		start = end;
	}
}

static void make_exact(struct synthetic *synthetic)
{
	struct tide_sample *sample = &synthetic->sample;

	sample->idle = synthetic->idle;
	sample->nr_checks = 100;
	sample->start_ns = UINT64_C(7000000000) + synthetic->nr_made * 10 * INTERVAL_NS;
	sample->end_ns = sample->start_ns + 10 * INTERVAL_NS;
	for (size_t i = 0; i < synthetic->regions.nr; i++)
		synthetic->regions.items[i].nr_accesses *= 4;
}

/* Of 512 MiB: 64 used all the time, 4 that were used in each interval before, for a while; the rest never. */
static void make_idle(struct synthetic *synthetic, uint32_t target)
{
	struct tide_age *ages = &synthetic->ages[target * NR_AGES];
	struct tide_idle *idle = &synthetic->idle[target];
	uint64_t nr_before = synthetic->nr_made < NR_AGES - 2 ? synthetic->nr_made : NR_AGES - 2;
	uint64_t rest = 512 * MIB;

	*idle = (struct tide_idle){ .present_bytes = rest, .ages = ages, .accessed_bytes = 64 * MIB };
	if (synthetic->opts.unobservable)
		idle->unobservable_bytes = 5 * MIB + 4096;
	rest -= idle->unobservable_bytes;
	for (uint64_t i = 0; i <= nr_before; i++) {
		ages[i] = (struct tide_age){ .idle_us = i * 1000000, .bytes = i == 0 ? 64 * MIB : 4 * MIB };
		rest -= ages[i].bytes;
	}
	ages[nr_before + 1] = (struct tide_age){ .idle_us = (synthetic->nr_made + 1) * 1000000, .bytes = rest };
	idle->nr_ages = nr_before + 2;
}

const struct tide_sample *synthetic_next(struct synthetic *synthetic)
{
	struct tide_sample *sample = &synthetic->sample;

	make_layout(synthetic);
	*sample = (struct tide_sample){ .nr_checks = NR_CHECKS, .nr_targets = synthetic->opts.nr_targets };
	sample->start_ns = UINT64_C(7000000000) + synthetic->nr_made * INTERVAL_NS;
	sample->end_ns = sample->start_ns + INTERVAL_NS;
	synthetic->regions.nr = 0;
	for (uint32_t target = 0; target < sample->nr_targets; target++)
		for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
			add_area(synthetic, target, &areas[i]);
	for (uint32_t target = 0; synthetic->opts.exact && target < sample->nr_targets; target++)
		make_idle(synthetic, target);
	if (synthetic->opts.exact)
		make_exact(synthetic);
	sample->nr_regions = synthetic->regions.nr;
	sample->regions = synthetic->regions.items;
	synthetic->nr_made++;
	return sample;
}

const struct record_source *synthetic_sources(const struct synthetic *synthetic)
{
	return synthetic->sources;
}

int synthetic_put(struct record_writer *writer, struct synthetic *synthetic, size_t nr, struct tide_error *err)
{
	for (size_t i = 0; i < nr; i++) {
		int result = record_put(writer, synthetic_next(synthetic), synthetic_sources(synthetic), err);

		if (result < 0)
			return result;
	}
	return 0;
}
