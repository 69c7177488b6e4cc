/* SPDX-License-Identifier: MIT */
/* This file tests when it is worth looking for pinned pages, and what io_uring's own list adds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "child.h"
#include "kernel/sys.h"
#include "need.h"
#include "pages/walker.h"
#include "pins-steps.h"

static int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

/* A reader of the child's memory that stops half-way: its own page is missing, and nobody serves the fault. */
struct reader {
	pid_t pid;
	void *from;
	char *to;
};

static void *read_it(void *arg)
{
	struct reader *reader = arg;
	struct iovec to = { reader->to, PAGE };
	struct iovec from = { reader->from, PAGE };

	process_vm_readv(reader->pid, &to, 1, &from, 1, 0);
	return NULL;
}

static int hold_faults(char *memory)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .range = { (uintptr_t)memory, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
	return fd;
}

/* A direct access in flight: the page is pinned for as long as it lasts, and from then on one looks. */
static void B4_an_access_in_flight_is_seen(void **unused)
{
	struct pins_fixture fix;
	struct child child;
	struct uffd_msg message;
	struct reader reader;
	pthread_t thread;
	int fd;

	(void)unused;
	reader.from = pins_map_private(3);
	reader.to = pins_map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	child_start(&child, serve, NULL);
	reader.pid = child.pid;
	fd = hold_faults(reader.to);
	pins_watch(&fix, child.pid);
	pins_begin(&fix, 0, TIDE_BLIND_REFERENCES);
	pins_look(&fix, reader.from, 1);
	assert_int_not_equal(fix.answers[0], PIN_PINNED);
	assert_int_equal(pthread_create(&thread, NULL, read_it, &reader), 0);
	assert_int_equal(read(fd, &message, sizeof(message)), sizeof(message));
	pins_begin(&fix, 1, 0);
	pins_look(&fix, reader.from, 3);
	assert_int_equal(fix.answers[0], PIN_PINNED);
	assert_int_equal(pins_count(&fix, 3, PIN_PINNED), 1);
	close(fd);
	pthread_join(thread, NULL);
	pins_look(&fix, reader.from, 3);
	assert_int_equal(pins_count(&fix, 3, PIN_PINNED), 0);
	pins_unwatch(&fix);
	child_end(&child);
	munmap(reader.from, 3 * PAGE);
	munmap(reader.to, PAGE);
}

/* What the child and the test share. */
struct shared {
	char *memory;
	bool failed;
};

static int register_when_told(int in, int out, void *arg)
{
	struct shared *shared = arg;
	struct iovec buffers[3] = {
		{ shared->memory + 8 * PAGE, 4 * PAGE },
		{ shared->memory + 100, PAGE },
		{ shared->memory + 11 * PAGE, 2 * PAGE },
	};
	struct ring ring;

	child_say(out);
	child_pause(in);
	shared->failed = ring_open(&ring) < 0 || ring_register(&ring, buffers, 3) < 0;
	child_say(out);
	child_pause(in);
	shared->failed = ring_unregister(&ring) < 0;
	child_serve(in, out);
	return 0;
}

static void known(struct pins_fixture *fix, const struct tide_range *expected, size_t nr)
{
	const struct tide_range *ranges = NULL;
	struct tide_error err = { 0 };
	size_t seen = 99;

	assert_int_equal(fix->ops->known(fix->state, &ranges, &seen, &err), 0);
	assert_int_equal(seen, nr);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(ranges[i].start, expected[i].start);
		assert_int_equal(ranges[i].end, expected[i].end);
	}
}

static void registered_in_a_child(const struct tide_pins_ops *ops, uint32_t blind_before, uint32_t blind_after)
{
	struct shared *shared = (struct shared *)pins_map(PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	uint64_t start;
	struct tide_range expected[2];
	struct pins_fixture fix;
	struct child child;

	shared->memory = pins_map_private(20);
	start = (uint64_t)(uintptr_t)shared->memory;
	expected[0] = (struct tide_range){ start, start + 2 * PAGE };
	expected[1] = (struct tide_range){ start + 8 * PAGE, start + 13 * PAGE };
	child_start(&child, register_when_told, shared);
	pins_watch_by(&fix, child.pid, ops);
	pins_begin(&fix, 0, blind_before);
	known(&fix, NULL, 0);
	child_step(&child);
	assert_false(shared->failed);
	pins_begin(&fix, 1, blind_after);
	known(&fix, expected, 2);
	pins_look(&fix, shared->memory, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(fix.answers[i] == PIN_PINNED, i < 2 || (i >= 8 && i < 13));
	child_step(&child);
	assert_false(shared->failed);
	assert_true(fix.ops->begin(fix.state, &blind_after, NULL) >= 0);
	known(&fix, NULL, 0);
	pins_unwatch(&fix);
	child_end(&child);
	munmap(shared->memory, 20 * PAGE);
	munmap(shared, PAGE);
}

static void B4_registered_ranges_are_known(void **unused)
{
	(void)unused;
	registered_in_a_child(tide_pins_walker(), TIDE_BLIND_REFERENCES, 0);
}

static void B4_without_privileges_the_list_is_used_and_blindness_told(void **unused)
{
	uint32_t blind = TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES;

	(void)unused;
	assert_int_equal(tide_pins_fdinfo()->blind, blind);
	registered_in_a_child(tide_pins_fdinfo(), blind, blind);
}

static void looking_can_be_forced(void **unused)
{
	struct pins_fixture fix;
	struct child child;

	(void)unused;
	child_start(&child, serve, NULL);
	setenv("TIDEMARK_FAULT", "pins-always", 1);
	pins_watch(&fix, child.pid);
	unsetenv("TIDEMARK_FAULT");
	pins_begin(&fix, 1, 0);
	pins_unwatch(&fix);
	child_end(&child);
}

static void to_look_at_another_process_leads_nobody_astray(void **unused)
{
	struct tide_target *target = NULL;
	struct walker *walker = NULL;
	struct child child;
	struct child other;
	uint64_t before = 0;
	uint64_t flags = 0;

	(void)unused;
	child_start(&child, serve, NULL);
	child_start(&other, serve, NULL);
	assert_int_equal(tide_target_open(&target, child.pid, NULL), 0);
	assert_int_equal(walker_open(&walker, target, NULL), 0);
	assert_int_equal(walker_mm_flags(walker, &before, NULL), 0);
	assert_int_equal(walker_mm_flags_of(walker, other.pid, &flags, NULL), 0);
	assert_int_equal(walker_mm_flags(walker, &flags, NULL), 0);
	assert_int_equal(flags, before);
	walker_close(walker);
	tide_target_close(target);
	child_end(&child);
	child_end(&other);
}

static unsigned nr_links;

static ssize_t count_links(int dir, const char *path, char *buf, size_t size)
{
	nr_links++;
	return sys_table_linux.readlinkat(dir, path, buf, size);
}

/* The list is asked for many times in an epoch: that must not cost more than all the rest. */
static void many_descriptors_are_not_looked_through_each_time(void **unused)
{
	struct pins_fixture fix;
	struct sys_table table = sys_table_linux;
	int first = dup(0);
	int fds[300];

	(void)unused;
	for (unsigned i = 0; i < 300; i++)
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, first);
	close(first);
	pins_watch_by(&fix, getpid(), tide_pins_fdinfo());
	table.readlinkat = count_links;
	sys_table = &table;
	for (unsigned i = 0; i < 100; i++)
		pins_begin(&fix, 0, TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES);
	sys_table = &sys_table_linux;
	assert_in_range(nr_links, 0, 50 * 300);
	pins_unwatch(&fix);
	for (unsigned i = 0; i < 300; i++)
		close(fds[i]);
}

static unsigned nr_warnings;

static void count_warnings(void *unused, enum tide_log_level level, const char *text)
{
	(void)unused;
	nr_warnings += level == TIDE_LOG_WARN && strstr(text, "io_uring") != NULL;
}

/* Memory that was replaced under a registered buffer: the list is stale, and that is told once. */
static void B4_a_stale_list_is_told_once(void **unused)
{
	struct pins_fixture fix;
	char *memory = pins_map_private(2);
	struct iovec buffer = { memory, 2 * PAGE };
	struct ring ring;

	(void)unused;
	pins_open_ring(&ring);
	pins_watch(&fix, getpid());
	assert_int_equal(ring_register(&ring, &buffer, 1), 0);
	tide_log_set(count_warnings, NULL);
	pins_begin(&fix, 1, 0);
	assert_int_equal(nr_warnings, 0);
	assert_int_equal(madvise(memory, 2 * PAGE, MADV_DONTNEED), 0);
	memset(memory, 1, 2 * PAGE);
	pins_begin(&fix, 1, 0);
	pins_begin(&fix, 1, 0);
	tide_log_set(NULL, NULL);
	assert_int_equal(nr_warnings, 1);
	pins_look(&fix, memory, 2);
	assert_int_equal(pins_count(&fix, 2, PIN_PINNED), 0);
	pins_unwatch(&fix);
	ring_close(&ring);
	munmap(memory, 2 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_an_access_in_flight_is_seen),
		cmocka_unit_test(B4_registered_ranges_are_known),
		cmocka_unit_test(B4_without_privileges_the_list_is_used_and_blindness_told),
		cmocka_unit_test(looking_can_be_forced),
		cmocka_unit_test(to_look_at_another_process_leads_nobody_astray),
		cmocka_unit_test(many_descriptors_are_not_looked_through_each_time),
		cmocka_unit_test(B4_a_stale_list_is_told_once),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
