/* SPDX-License-Identifier: MIT */
/* This file tests regions as text: what is written is read back the same, and whatever else is written is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/rng.h"
#include "record/ages.h"
#include "record/pack.h"

#define NR 3000

static void make_regions(struct tide_region regions[NR], struct rng *rng)
{
	uint64_t at = UINT64_C(0x7f0000000000);

	memset(regions, 0, NR * sizeof(regions[0]));
	for (size_t i = 0; i < NR; i++) {
		struct tide_region *region = &regions[i];

		region->start = at + rng_below(rng, 3) / 2 * rng_below(rng, 100) * 4096;
		region->end = region->start + (1 + rng_below(rng, i % 7 == 0 ? UINT64_C(1) << 30 : 500)) * 4096;
		if (rng_below(rng, 2) != 0)
			region->nr_accesses = (uint32_t)rng_below(rng, 21);
		if (rng_below(rng, 2) != 0)
			region->age = (uint32_t)rng_below(rng, UINT32_MAX);
		if (rng_below(rng, 4) == 0)
			region->nr_unobservable = (uint32_t)rng_below(rng, 21);
		if (rng_below(rng, 4) == 0)
			region->nr_writes = UINT32_MAX;
		region->target = 3;
		at = region->end;
	}
}

static void what_is_packed_is_parsed(void **state)
{
	struct tide_region regions[NR];
	struct tide_region parsed[NR];
	char text[PACK_ROOM];
	struct rng rng;
	size_t done = 0;

	rng_init(&rng, 5);
	make_regions(regions, &rng);
	while (done < NR) {
		size_t size;
		size_t nr = pack_regions(text, &size, &regions[done], NR - done);

		assert_true(nr > 0 && done + nr <= NR);
		assert_true(size == strlen(text) && size < PACK_ROOM);
		assert_true(done + nr == NR || size >= PACK_FULL);
		assert_int_equal(pack_parse(text, size, 3, regions[done].start, regions[done + nr - 1].end, parsed, nr),
		                 0);
		assert_memory_equal(parsed, &regions[done], nr * sizeof(parsed[0]));
		done += nr;
	}
}

static void numbers_of_any_length_have_room(void **state)
{
	struct tide_region regions[200];
	char text[PACK_ROOM];
	size_t size;

	for (size_t i = 0; i < 200; i++)
		regions[i] = (struct tide_region){ .start = (UINT64_C(1) << 62) * (i > 0) + i * 8192,
			                           .end = (UINT64_C(1) << 62) * (i > 0) + i * 8192 + 4096,
			                           .nr_accesses = UINT32_MAX,
			                           .nr_writes = UINT32_MAX,
			                           .nr_unobservable = UINT32_MAX,
			                           .age = UINT32_MAX };
	assert_true(pack_regions(text, &size, regions, 200) > 1);
	assert_true(size < PACK_ROOM && strlen(text) == size);
}

static int parse(const char *text, size_t size, size_t nr)
{
	struct tide_region out[4];

	return pack_parse(text, size, 0, 0x10000, 0x10000 + 100 * 4096, out, nr);
}

static void other_spellings_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"[",
		"[]",
		"[[]]",
		"[[0],[50],100",
		"[[0],[50]]",
		"[[0],[50],99]",
		"[[0],[50],101]",
		"[[0],[50],100] ",
		" [[0],[50],100]",
		"[[0], [50],100]",
		"[[0],[50],100,]",
		"[[1],[50],100]",
		"[[0],[0],100]",
		"[[50],[0],100]",
		"[[00],[50],100]",
		"[[0],[050],100]",
		"[[0],[-50],100]",
		"[[0],[5e1],100]",
		"[[0],[50.0],100]",
		"[[0],[50,],100]",
		"[[0],[50,01],100]",
		"[[0,4294967296],[50],100]",
		"[[0],[50,1,2,3,4,5,6],100]",
		"[[0],[50,99999999999999999999],100]",
		"[[0],40,50,[60],100]",
		"[0,[50],100]",
		"[[0],[50],[70],100]",
		"[[0],100]",
		"[[0],[100],100]",
		"{\"a\":1}",
		"[[0],[50,null],100]",
		"[[0][50],100]",
		"[[0],[50],[18446744073709551617]]",
	};

	assert_int_equal(parse("[[0],[50],100]", 14, 2), 0);
	assert_int_equal(parse("[[0,0],40,[50,1,2,3,4,5],100]", 29, 2), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (parse(texts[i], strlen(texts[i]), 2) != -EBADMSG)
			fail_msg("accepted: %s", texts[i]);
	}
	/* A NUL inside, and more or fewer regions than are said to be there. */
	assert_int_equal(parse("[[0],[50],100]\0]", 16, 2), -EBADMSG);
	assert_int_equal(parse("[[0],[50],100]", 14, 1), -EBADMSG);
	assert_int_equal(parse("[[0],[50],100]", 14, 3), -EBADMSG);
}

static void ages_have_to_add_up(void **state)
{
	struct tide_age ages[] = { { 0, 4096 }, { 1000000, 8192 }, { 3000000, 4096 } };
	struct tide_idle idle = { 20480, 4096, 4096, 3, ages };

	assert_true(ages_are_sound(&idle));
	assert_true(ages_are_sound(&(struct tide_idle){ 0 }));
	idle.present_bytes = 16384;
	assert_false(ages_are_sound(&idle));
	idle.present_bytes = 24576;
	assert_false(ages_are_sound(&idle));
	idle.present_bytes = 20480;
	idle.unobservable_bytes = UINT64_MAX;
	assert_false(ages_are_sound(&idle));
	idle.unobservable_bytes = 4096;
	idle.accessed_bytes = 24576;
	assert_false(ages_are_sound(&idle));
	idle.accessed_bytes = 4096;
	ages[2].idle_us = 1000000;
	assert_false(ages_are_sound(&idle));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_is_parsed),
		cmocka_unit_test(numbers_of_any_length_have_room),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(ages_have_to_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
