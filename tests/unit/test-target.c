/* SPDX-License-Identifier: MIT */
/* This file tests the layout: what counts as a change, where names live, finding a mapping. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "target/target.h"

static struct vma vma_of(uint64_t start, uint64_t end, const char *name)
{
	return (struct vma){
		.start = start,
		.end = end,
		.offset = name[0] == '/' ? 0x3000 : 0,
		.inode = name[0] == '/' ? 99 : 0,
		.flags = VMA_READ,
		.name = name,
		.name_size = strlen(name),
	};
}

static void add(struct layout *layout, uint64_t start, uint64_t end, const char *name)
{
	struct vma vma = vma_of(start, end, name);

	assert_int_equal(layout_add(layout, &vma), 0);
}

static void fill(struct layout *layout)
{
	layout_begin(layout);
	add(layout, 0x1000, 0x3000, "/bin/a");
	add(layout, 0x3000, 0x4000, "/bin/a");
	add(layout, 0x6000, 0x8000, "");
	add(layout, 0x9000, 0xa000, "[heap]");
}

static void find_looks_at_both_ends(void **unused)
{
	struct layout layout = { 0 };
	const struct tide_layout *view = &layout.view;

	(void)unused;
	assert_null(tide_layout_find(view, 0x1000));
	fill(&layout);
	assert_true(layout_commit(&layout));
	assert_null(tide_layout_find(view, 0));
	assert_null(tide_layout_find(view, 0xfff));
	assert_ptr_equal(tide_layout_find(view, 0x1000), &view->mappings[0]);
	assert_ptr_equal(tide_layout_find(view, 0x2fff), &view->mappings[0]);
	assert_ptr_equal(tide_layout_find(view, 0x3000), &view->mappings[1]);
	assert_null(tide_layout_find(view, 0x4000));
	assert_null(tide_layout_find(view, 0x5fff));
	assert_ptr_equal(tide_layout_find(view, 0x7abc), &view->mappings[2]);
	assert_ptr_equal(tide_layout_find(view, 0x9fff), &view->mappings[3]);
	assert_null(tide_layout_find(view, 0xa000));
	assert_null(tide_layout_find(view, UINT64_MAX));
	layout_fini(&layout);
}

static void the_same_again_is_no_change(void **unused)
{
	struct layout layout = { 0 };
	const struct tide_mapping *before;

	(void)unused;
	fill(&layout);
	assert_true(layout_commit(&layout));
	assert_int_equal(layout.view.generation, 1);
	before = layout.view.mappings;
	for (int i = 0; i < 3; i++) {
		fill(&layout);
		assert_false(layout_commit(&layout));
		assert_int_equal(layout.view.generation, 1);
		assert_ptr_equal(layout.view.mappings, before);
	}
	assert_string_equal(layout.view.mappings[3].name, "[heap]");
	layout_fini(&layout);
}

static void any_difference_is_a_change(void **unused)
{
	struct layout layout = { 0 };
	struct vma vmas[] = {
		vma_of(0x1000, 0x3000, "/bin/a"), vma_of(0x1000, 0x4000, "/bin/a"), vma_of(0x2000, 0x4000, "/bin/a"),
		vma_of(0x2000, 0x4000, "/bin/b"), vma_of(0x2000, 0x4000, "/bin"),   vma_of(0x2000, 0x4000, "/bin"),
		vma_of(0x2000, 0x4000, "/bin"),   vma_of(0x2000, 0x4000, "/bin"),   vma_of(0x2000, 0x4000, ""),
	};
	size_t nr = sizeof(vmas) / sizeof(vmas[0]);

	(void)unused;
	vmas[5].offset = 0x5000;
	vmas[6].inode = 7;
	vmas[7].flags = VMA_WRITE;
	for (size_t i = 0; i < nr; i++) {
		layout_begin(&layout);
		assert_int_equal(layout_add(&layout, &vmas[i]), 0);
		assert_true(layout_commit(&layout));
		assert_int_equal(layout.view.generation, i + 1);
	}
	layout_begin(&layout);
	assert_true(layout_commit(&layout));
	assert_int_equal(layout.view.nr_mappings, 0);
	layout_fini(&layout);
}

static void names_survive_the_growth_of_their_arena(void **unused)
{
	struct layout layout = { 0 };
	char name[32];

	(void)unused;
	layout_begin(&layout);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "/lib/%u", i / 3);
		add(&layout, (2 * i + 1) * 0x1000ull, (2 * i + 2) * 0x1000ull, i % 7 == 0 ? "" : name);
	}
	assert_true(layout_commit(&layout));
	assert_int_equal(layout.view.nr_mappings, 20000);
	for (unsigned i = 0; i < 20000; i++) {
		const struct tide_mapping *mapping = tide_layout_find(&layout.view, (2 * i + 1) * 0x1000ull + 5);

		snprintf(name, sizeof(name), "/lib/%u", i / 3);
		assert_ptr_equal(mapping, &layout.view.mappings[i]);
		assert_string_equal(mapping->name, i % 7 == 0 ? "" : name);
	}
	layout_fini(&layout);
}

static void overlaps_are_cut_off(void **unused)
{
	struct layout layout = { 0 };

	(void)unused;
	layout_begin(&layout);
	add(&layout, 0x1000, 0x3000, "/bin/a");
	add(&layout, 0x2000, 0x5000, "/bin/a");
	add(&layout, 0x1000, 0x4000, "");
	assert_true(layout_commit(&layout));
	assert_int_equal(layout.view.nr_mappings, 2);
	assert_int_equal(layout.view.mappings[1].start, 0x3000);
	assert_int_equal(layout.view.mappings[1].end, 0x5000);
	assert_int_equal(layout.view.mappings[1].offset, 0x4000);
	layout_fini(&layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_looks_at_both_ends),    cmocka_unit_test(the_same_again_is_no_change),
		cmocka_unit_test(any_difference_is_a_change), cmocka_unit_test(names_survive_the_growth_of_their_arena),
		cmocka_unit_test(overlaps_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
