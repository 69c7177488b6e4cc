/* SPDX-License-Identifier: MIT */
/* This file makes every system call of looking for pins fail once: nothing may leak, nothing pinned be overlooked. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../kernel/child.h"
#include "../kernel/need.h"
#include "../kernel/ring.h"
#include "fail-nth.h"
#include "watch/pins.h"

#define PAGE 4096ul

/* Two pages are registered, the third was freed. */
static int hold_pages(int in, int out, void *memory)
{
	struct iovec buffer = { memory, 2 * PAGE };
	struct ring ring;

	memset(memory, 1, 3 * PAGE);
	if (ring_open(&ring) < 0 || ring_register(&ring, &buffer, 1) < 0 ||
	    madvise((char *)memory + 2 * PAGE, PAGE, MADV_DONTNEED) < 0)
		return 1;
	child_serve(in, out);
	return 0;
}

static int look(const struct tide_pins_ops *ops, void *state, char *memory, struct tide_error *err)
{
	uint64_t addresses[3];
	uint8_t answers[3] = { 0 };
	uint32_t blind = 0;
	int result = ops->begin(state, &blind, err);

	if (result < 0)
		return result;
	assert_int_equal(result, 1);
	for (unsigned i = 0; i < 3; i++)
		addresses[i] = (uint64_t)(uintptr_t)memory + i * PAGE;
	result = ops->look(state, addresses, 3, answers, err);
	if (result < 0)
		return result;
	assert_int_equal(answers[0], PIN_PINNED);
	assert_int_equal(answers[1], PIN_PINNED);
	assert_int_not_equal(answers[2], PIN_PINNED);
	return 0;
}

/* 0, or negative with a sentence that has the same code. */
static int life(const struct tide_pins_ops *ops, struct tide_target *target, char *memory)
{
	struct tide_error err = { 0 };
	void *state = calloc(1, ops->state_size);
	int result;

	assert_non_null(state);
	result = ops->init(state, target, &err);
	if (result == 0) {
		result = look(ops, state, memory, &err);
		ops->fini(state);
	}
	free(state);
	if (result < 0 && (err.code != result || err.text[0] == 0 || err.cause == TIDE_CAUSE_NONE))
		fail_msg("%s failed: returned %d, error %d '%s'", fail_nth_name(), result, err.code, err.text);
	return result;
}

static void fail_each_call(const struct tide_pins_ops *ops, struct tide_target *target, char *memory, int error)
{
	unsigned descriptors = fail_nth_descriptors();
	unsigned nr_refused = 0;
	unsigned nth;

	for (nth = 1;; nth++) {
		int result;

		fail_nth_arm(nth, error);
		result = life(ops, target, memory);
		if (!fail_nth_disarm())
			break;
		if (fail_nth_descriptors() != descriptors)
			fail_msg("a descriptor leaks when %s (call %u) fails with %s", fail_nth_name(), nth,
			         strerror(error));
		if (result == -ESRCH)
			fail_msg("the target is called gone when %s (call %u) fails with %s", fail_nth_name(), nth,
			         strerror(error));
		nr_refused += result < 0;
		/* No signal cuts mmap short. */
		if (result < 0 && error == EINTR && strcmp(fail_nth_name(), "mmap") != 0)
			fail_msg("%s (call %u) is not made again", fail_nth_name(), nth);
	}
	assert_true(nth > 5);
	if (error != EINTR)
		assert_in_range(nr_refused, 1, nth);
}

static void each_error(const struct tide_pins_ops *ops, const int *errors, size_t nr)
{
	char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tide_target *target = NULL;
	struct child child;

	child_start(&child, hold_pages, memory);
	assert_int_equal(tide_target_open(&target, child.pid, NULL), 0);
	for (size_t i = 0; i < nr; i++)
		fail_each_call(ops, target, memory, errors[i]);
	tide_target_close(target);
	child_end(&child);
	munmap(memory, 3 * PAGE);
}

static void B4_pins_by_counts(void **unused)
{
	static const int error = EIO; /* each life takes a while, and the other ways to fail differ in nothing here */

	(void)unused;
	each_error(tide_pins_walker(), &error, 1);
}

static void B4_pins_by_list(void **unused)
{
	static const int errors[] = { EINTR, ENOMEM, EIO, EACCES };

	(void)unused;
	each_error(tide_pins_fdinfo(), errors, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_pins_by_counts),
		cmocka_unit_test(B4_pins_by_list),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
