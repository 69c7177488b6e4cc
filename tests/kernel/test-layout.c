/* SPDX-License-Identifier: MIT */
/* This file tests the layout of real processes: both ways to read it, and what changes it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/procmap.h"
#include "target-steps.h"

static int map_much(int in, int out, void *unused)
{
	int fd = memfd_create("with blank\nand newline", 0);
	int deleted = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	(void)unused;
	for (unsigned i = 0; i < 2000; i++)
		mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ftruncate(fd, 8 * PAGE) != 0 || (deleted >= 0 && ftruncate(deleted, PAGE) != 0))
		return 1;
	mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);
	mmap(NULL, PAGE, PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (deleted >= 0)
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, deleted, 0);
	mmap(NULL, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child_serve(in, out);
	return 0;
}

static void compare_both_ways(pid_t pid, size_t at_least)
{
	struct tide_target *query;
	struct tide_target *text;

	unsetenv("TIDEMARK_FAULT");
	query = open_target(pid);
	setenv("TIDEMARK_FAULT", "no-procmap-query", 1);
	text = open_target(pid);
	assert_true(query->query);
	assert_false(text->query);
	/* Of ourselves: let the buffers grow first, they are part of what is read. */
	for (int i = 0; i < 3; i++) {
		refresh(query);
		refresh(text);
	}
	assert_same(tide_target_layout(query), tide_target_layout(text));
	assert_true(tide_target_layout(text)->nr_mappings > at_least);
	tide_target_close(query);
	tide_target_close(text);
}

static void query_and_text_agree(void **state)
{
	struct child *child = *state;

	unsetenv("TIDEMARK_FAULT");
	if (procmap_probe() != 1) {
		fprintf(stderr, "skipped: this kernel has no PROCMAP_QUERY\n");
		skip();
	}
	child_start(child, map_much, NULL);
	compare_both_ways(child->pid, 2000);
	compare_both_ways(getpid(), 5);
}

/* The child does one of these at each step; whether the mappings differ after it. */
struct change {
	const char *what;
	bool differs;
};

static const struct change changes[] = {
	{ "nothing", false },
	{ "writes to memory", false },
	{ "maps", true },
	{ "protects", true },
	{ "unmaps", true },
	{ "grows the heap", true },
	{ "grows the stack", true },
	{ "nothing more", false },
};

static __attribute__((noinline)) void use_stack(void)
{
	volatile char room[200 * PAGE];

	for (size_t i = sizeof(room); i >= PAGE; i -= PAGE)
		room[i - 1] = 1;
}

static __attribute__((noreturn)) int change_mappings(int in, int out, void *where)
{
	char *area = mmap(where, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
	                  -1, 0);

	child_say(out);
	for (unsigned step = 0;; step++) {
		child_pause(in);
		if (step == 1)
			memset(area, 1, 16 * PAGE);
		else if (step == 2)
			mmap(area + 20 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		else if (step == 3)
			mprotect(area + 4 * PAGE, 2 * PAGE, PROT_NONE);
		else if (step == 4)
			munmap(area + 10 * PAGE, PAGE);
		else if (step == 5)
			sbrk(64 * PAGE);
		else if (step == 6)
			use_stack();
		child_say(out);
	}
}

static void the_generation_follows_the_mappings(void **state)
{
	struct child *child = *state;
	char *where = (char *)0x200000000000;
	const struct tide_layout *layout;
	const struct tide_mapping *mapping;
	struct tide_target *target;

	child_start(child, change_mappings, where);
	target = open_target(child->pid);
	layout = tide_target_layout(target);
	assert_int_equal(layout->generation, 0);
	assert_int_equal(layout->nr_mappings, 0);
	layout = refresh(target);
	assert_int_equal(layout->generation, 1);
	mapping = tide_layout_find(layout, (uintptr_t)where + 3 * PAGE + 7);
	assert_non_null(mapping);
	assert_int_equal(mapping->start, (uintptr_t)where);
	assert_int_equal(mapping->end, (uintptr_t)where + 16 * PAGE);
	assert_int_equal(mapping->flags, TIDE_MAPPING_READ | TIDE_MAPPING_WRITE);
	assert_string_equal(mapping->name, "");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint64_t before = layout->generation;

		child_step(child);
		layout = refresh(target);
		if ((layout->generation != before) != changes[i].differs)
			fail_msg("a child that %s: generation %lu after %lu", changes[i].what,
			         (unsigned long)layout->generation, (unsigned long)before);
	}
	mapping = tide_layout_find(layout, (uintptr_t)where + 5 * PAGE);
	assert_int_equal(mapping->flags, 0);
	assert_int_equal(mapping->end - mapping->start, 2 * PAGE);
	assert_null(tide_layout_find(layout, (uintptr_t)where + 10 * PAGE));
	mapping = tide_layout_find(layout, (uintptr_t)where + 20 * PAGE);
	assert_int_equal(mapping->flags, TIDE_MAPPING_READ | TIDE_MAPPING_SHARED);
	tide_target_close(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(query_and_text_agree, steps_with_query, steps_end),
		EACH_WAY(the_generation_follows_the_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
