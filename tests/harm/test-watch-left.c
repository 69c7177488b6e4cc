/* SPDX-License-Identifier: MIT */
/* This file looks whether a process that was watched is afterwards as it was before. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/watch-steps.h"

enum {
	AREA = 32 << 20,
	HALF = AREA / 2,
	TEXT = 1 << 20,
};

/* What anybody can see of a process without changing it. */
struct look {
	char maps[TEXT];
	char flags[TEXT]; /* VmFlags of all mappings */
	char descriptors[4096];
	uint64_t tables_kib;
	uint64_t huge_kib;
	uint64_t rss_kib;
};

static void append(char *text, size_t size, const char *more)
{
	size_t used = strlen(text);

	assert_true(used + strlen(more) < size);
	memcpy(text + used, more, strlen(more) + 1);
}

/* Appends the lines of a file that begin with `key`. */
static void take_lines(pid_t pid, const char *name, const char *key, char *text)
{
	char path[64], line[1024];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	in = fopen(path, "re");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			append(text, TEXT, line);
	fclose(in);
}

static void take_descriptors(pid_t pid, char *text, size_t size)
{
	for (int fd = 0; fd < 64; fd++) {
		char path[64], link[256], line[320];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		length = readlink(path, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = 0;
		snprintf(line, sizeof(line), "%d %s\n", fd, link);
		append(text, size, line);
	}
}

static struct look *look_at(pid_t pid)
{
	struct look *look = calloc(1, sizeof(*look));

	assert_non_null(look);
	take_lines(pid, "maps", "", look->maps);
	take_lines(pid, "smaps", "VmFlags", look->flags);
	take_descriptors(pid, look->descriptors, sizeof(look->descriptors));
	look->tables_kib = number_of(pid, "status", "VmPTE");
	look->huge_kib = number_of(pid, "smaps_rollup", "AnonHugePages");
	look->rss_kib = number_of(pid, "smaps_rollup", "Rss");
	return look;
}

static void assert_as_before(struct look *before, pid_t pid)
{
	struct look *after = look_at(pid);

	assert_string_equal(after->maps, before->maps);
	assert_string_equal(after->flags, before->flags);
	assert_string_equal(after->descriptors, before->descriptors);
	assert_true(after->tables_kib <= before->tables_kib);
	assert_int_equal(after->huge_kib, before->huge_kib);
	assert_int_equal(number_of(pid, "status", "TracerPid"), 0);
	free(before);
	free(after);
}

static void C1_everything_is_as_before_after_the_close(void **state)
{
	struct watched *self = *state;
	struct look *before;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, HALF, 1);
	watched_order(self, do_touch, self->area + HALF + 3 * BLOCK, PAGE, 1);
	before = look_at(self->child.pid);
	for (int i = 0; i < 3; i++) {
		watched_open(self, NULL);
		watched_order(self, do_touch, self->area + i * BLOCK, 5 * PAGE, 2 + i);
		watched_collect(self);
		watched_close(self);
	}
	assert_as_before(before, self->child.pid);
}

/* Huge pages that a write has split are put together again, and told while they are not. */
static void C1_huge_pages_are_huge_again(void **state)
{
	struct watched *self = *state;
	struct look *before;
	unsigned nr = HALF / BLOCK;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_advise, self->area, AREA, MADV_HUGEPAGE);
	watched_order(self, do_fill, self->area, HALF, 1);
	if (number_of(self->child.pid, "smaps_rollup", "AnonHugePages") < HALF / 1024) {
		fprintf(stderr, "no huge pages to be had here\n");
		skip();
	}
	before = look_at(self->child.pid);
	watched_open(self, NULL);
	assert_int_equal(number_of(self->child.pid, "smaps_rollup", "AnonHugePages"), before->huge_kib);
	for (unsigned i = 0; i < nr; i += 2)
		watched_order(self, do_touch, self->area + i * BLOCK, PAGE, 2);
	assert_int_equal(watched_collect(self), nr / 2 * PAGE);
	assert_int_equal(self->told.huge_lost_bytes, nr / 2 * BLOCK);
	assert_int_equal(number_of(self->child.pid, "smaps_rollup", "AnonHugePages"), before->huge_kib / 2);
	watched_close(self);
	assert_as_before(before, self->child.pid);
	watched_first_copy(self);
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(self->copy[i * BLOCK], i % 2 == 0 ? 2 : 1);
}

/* Neither arming in steps nor lifting it in steps may end inside a huge page. */
static void E1_huge_pages_of_an_odd_mapping_stay_huge(void **state)
{
	enum { SIZE = 96 << 20 };
	struct watched *self = *state;
	unsigned char *area = area_map(SIZE, MAP_PRIVATE);
	uint64_t huge_kib;

	watched_start(self, area, PAGE);
	watched_order(self, do_unmap, area, BLOCK - 3 * PAGE, 0);
	area += BLOCK - 3 * PAGE;
	watched_order(self, do_advise, area, SIZE - BLOCK, MADV_HUGEPAGE);
	watched_order(self, do_fill, area, SIZE - BLOCK, 1);
	huge_kib = number_of(self->child.pid, "smaps_rollup", "AnonHugePages");
	if (huge_kib < 80 << 10) {
		fprintf(stderr, "no huge pages to be had here\n");
		skip();
	}
	watched_open(self, NULL);
	assert_int_equal(number_of(self->child.pid, "smaps_rollup", "AnonHugePages"), huge_kib);
	watched_collect(self);
	assert_int_equal(self->told.huge_lost_bytes, 0);
	watched_close(self);
	assert_int_equal(number_of(self->child.pid, "smaps_rollup", "AnonHugePages"), huge_kib);
	munmap(area, SIZE - BLOCK + 3 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_everything_is_as_before_after_the_close),
		WATCHED_TEST(C1_huge_pages_are_huge_again),
		WATCHED_TEST(E1_huge_pages_of_an_odd_mapping_stay_huge),
	};

	return cmocka_run_group_tests_name("watch-left", tests, NULL, NULL);
}
