/* SPDX-License-Identifier: MIT */
/*
 * This file makes every system call of a watch by mprotect fail once, those of the handler, too: no write may be lost,
 * and memory be left as it was found.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/mprotect-steps.h"
#include "fail-nth.h"

enum {
	NR = 64,
	NR_EPOCHS = 3,
};

static void epoch(struct guard *self, unsigned nth)
{
	struct tide_run runs[8];
	unsigned nr_failures = 0;
	long nr;

	do {
		nr = tide_watch_collect(self->watch, runs, 8, &self->err);
		if (nr < 0 && (++nr_failures > 1 || self->err.text[0] == 0 || self->err.cause == TIDE_CAUSE_GONE))
			fail_msg("%s (%u) failed: %s", fail_nth_name(), nth, self->err.text);
		for (long i = 0; i < nr; i++)
			memcpy(self->copy + (runs[i].start - (uint64_t)(uintptr_t)self->memory),
			       (const void *)(uintptr_t)runs[i].start, runs[i].end - runs[i].start);
	} while (nr != 0);
	for (size_t at = 0; at < self->size; at += PAGE)
		if (memcmp(self->copy + at, self->memory + at, PAGE) != 0)
			fail_msg("%s (%u) failed: page %zu was lost", fail_nth_name(), nth, at / PAGE);
}

/* Whether a call was made to fail. */
static bool live(unsigned char *memory, unsigned char *copy, unsigned nth)
{
	struct guard self = { .memory = memory, .size = NR * PAGE, .copy = copy };
	bool has_failed;

	memset(memory, 1, self.size);
	fail_nth_arm(nth, ENOMEM);
	if (guard_try(&self, memory, self.size) == 0) {
		memcpy(copy, memory, self.size);
		for (int i = 0; i < NR_EPOCHS; i++) {
			memory[(7 * i + 1) * PAGE] = memory[(7 * i + 3) * PAGE] = (unsigned char)(nth + 2);
			epoch(&self, nth);
		}
		memory[0] = 5;
	} else if (self.err.text[0] == 0) {
		fail_msg("%s (%u) failed, and nothing was said", fail_nth_name(), nth);
	}
	tide_watch_close(self.watch);
	tide_target_close(self.target);
	has_failed = fail_nth_disarm();
	for (int i = 0; i < NR; i++)
		memory[i * PAGE] = 6;
	return has_failed;
}

/* With the only error that mprotect(2) has of memory that is there and the program's own. */
static void C1_mprotect_no_write_is_lost_when_a_call_fails(void **state)
{
	unsigned char *memory = guard_map(NR * PAGE, PROT_READ | PROT_WRITE);
	unsigned char *copy = guard_map(NR * PAGE, PROT_READ | PROT_WRITE);
	unsigned nth = 1, before;

	(void)state;
	live(memory, copy, 100000);
	before = fail_nth_descriptors();
	while (live(memory, copy, nth)) {
		if (!is_writable(memory))
			fail_msg("%s (%u) failed: memory was left protected", fail_nth_name(), nth);
		assert_int_equal(fail_nth_descriptors(), before);
		nth++;
	}
	assert_true(nth > 50);
	munmap(memory, NR * PAGE);
	munmap(copy, NR * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(C1_mprotect_no_write_is_lost_when_a_call_fails),
	};

	return cmocka_run_group_tests_name("fault-watch-mprotect", tests, NULL, NULL);
}
