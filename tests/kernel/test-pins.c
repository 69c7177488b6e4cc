/* SPDX-License-Identifier: MIT */
/* This file tests how pages are found that devices may write, and that no others are taken for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "need.h"
#include "ring.h"
#include "watch/pins.h"

#define PAGE    4096ul
#define MIB     (1024ul * 1024)
#define MAX_NR  1200u
#define HUGE_NR 512u

struct fixture {
	struct tide_target *target;
	const struct tide_pins_ops *ops;
	void *state;
	uint8_t answers[MAX_NR];
};

static void watch(struct fixture *fix, pid_t pid)
{
	struct tide_error err = { 0 };

	fix->ops = tide_pins_walker();
	fix->state = calloc(1, fix->ops->state_size);
	assert_non_null(fix->state);
	if (tide_target_open(&fix->target, pid, &err) < 0 || fix->ops->init(fix->state, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

static void unwatch(struct fixture *fix)
{
	fix->ops->fini(fix->state);
	free(fix->state);
	tide_target_close(fix->target);
}

static void look(struct fixture *fix, const char *memory, size_t nr)
{
	static uint64_t addresses[MAX_NR];
	struct tide_error err = { 0 };

	assert_in_range(nr, 1, MAX_NR);
	for (size_t i = 0; i < nr; i++)
		addresses[i] = (uint64_t)(uintptr_t)memory + i * PAGE;
	memset(fix->answers, 0xa5, sizeof(fix->answers));
	if (fix->ops->look(fix->state, addresses, nr, fix->answers, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = nr; i < MAX_NR; i++)
		assert_int_equal(fix->answers[i], 0xa5);
}

/* How many of the first `nr` answers are this one. */
static size_t count(const struct fixture *fix, size_t nr, enum pin_answer answer)
{
	size_t found = 0;

	for (size_t i = 0; i < nr; i++)
		found += fix->answers[i] == answer;
	return found;
}

static char *map(size_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static char *map_private(size_t nr)
{
	char *memory = map(nr * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	assert_int_equal(madvise(memory, nr * PAGE, MADV_NOHUGEPAGE), 0);
	memset(memory, 1, nr * PAGE);
	return memory;
}

static void open_ring(struct ring *ring)
{
	int result = ring_open(ring);

	if (result < 0)
		fail_msg("io_uring: %s", strerror(-result));
}

/* Nothing of [memory, + nr pages) is pinned; while a ring has registered it all is; afterwards nothing again. */
static void pins_come_and_go(struct fixture *fix, char *memory, size_t nr)
{
	struct iovec buffer = { memory, nr * PAGE };
	struct ring ring;
	int result;

	open_ring(&ring);
	look(fix, memory, nr);
	assert_int_equal(count(fix, nr, PIN_PINNED), 0);
	result = ring_register(&ring, &buffer, 1);
	if (result < 0)
		fail_msg("registering a buffer: %s", strerror(-result));
	look(fix, memory, nr);
	assert_int_equal(count(fix, nr, PIN_PINNED), nr);
	assert_int_equal(ring_unregister(&ring), 0);
	/* The kernel lets go of the pages a little later; closing the ring waits for nothing either. */
	for (unsigned try = 0; try < 10000 && (look(fix, memory, nr), count(fix, nr, PIN_PINNED) > 0); try++)
		usleep(1000);
	assert_int_equal(count(fix, nr, PIN_PINNED), 0);
	ring_close(&ring);
}

static void B4_registered_pages_are_pinned(void **unused)
{
	struct fixture fix;
	char *memory;

	(void)unused;
	watch(&fix, getpid());
	memory = map_private(600);
	pins_come_and_go(&fix, memory, 600);
	munmap(memory, 600 * PAGE);
	unwatch(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_registered_pages_are_pinned),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
