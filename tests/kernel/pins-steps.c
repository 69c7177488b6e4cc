/* SPDX-License-Identifier: MIT */
/* This file holds the steps that tests of pinned pages share. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pages/pinned.h"
#include "pins-steps.h"

void pins_watch_by(struct pins_fixture *fix, pid_t pid, const struct tide_pins_ops *ops)
{
	struct tide_error err = { 0 };

	fix->ops = ops;
	fix->state = calloc(1, fix->ops->state_size);
	assert_non_null(fix->state);
	if (tide_target_open(&fix->target, pid, &err) < 0 || fix->ops->init(fix->state, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

void pins_watch(struct pins_fixture *fix, pid_t pid)
{
	pins_watch_by(fix, pid, tide_pins_walker());
}

void pins_unwatch(struct pins_fixture *fix)
{
	fix->ops->fini(fix->state);
	free(fix->state);
	tide_target_close(fix->target);
}

void pins_look(struct pins_fixture *fix, const char *memory, size_t nr)
{
	static uint64_t addresses[PINS_MAX];
	struct tide_error err = { 0 };

	assert_in_range(nr, 1, PINS_MAX);
	for (size_t i = 0; i < nr; i++)
		addresses[i] = (uint64_t)(uintptr_t)memory + i * PAGE;
	memset(fix->answers, 0xa5, sizeof(fix->answers));
	if (fix->ops->look(fix->state, addresses, nr, fix->answers, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = nr; i < PINS_MAX; i++)
		assert_int_equal(fix->answers[i], 0xa5);
}

size_t pins_count(const struct pins_fixture *fix, size_t nr, enum pin_answer answer)
{
	size_t found = 0;

	for (size_t i = 0; i < nr; i++)
		found += fix->answers[i] == answer;
	return found;
}

char *pins_map(size_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

char *pins_map_private(size_t nr)
{
	char *memory = pins_map(nr * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	assert_int_equal(madvise(memory, nr * PAGE, MADV_NOHUGEPAGE), 0);
	memset(memory, 1, nr * PAGE);
	return memory;
}

void pins_open_ring(struct ring *ring)
{
	int result = ring_open(ring);

	if (result < 0)
		fail_msg("io_uring: %s", strerror(-result));
}

/* Before 6.10 or so references of large folios cannot be told from mappings. */
static bool knows_large(struct tide_target *target)
{
	struct walker *walker = NULL;
	bool knows;

	assert_int_equal(walker_open(&walker, target, NULL), 0);
	knows = pinned_knows_large(walker);
	walker_close(walker);
	return knows;
}

void pins_begin(struct pins_fixture *fix, int looks, uint32_t blind)
{
	struct tide_error err = { 0 };
	uint32_t seen = 0xff;
	int result = fix->ops->begin(fix->state, &seen, &err);

	if (result < 0)
		fail_msg("%s", err.text);
	assert_int_equal(result, looks);
	if (looks && fix->ops == tide_pins_walker() && !knows_large(fix->target))
		blind |= TIDE_BLIND_REFERENCES;
	assert_int_equal(seen, blind);
}
