/* SPDX-License-Identifier: MIT */
/* This file tests how pages are found that devices may write, and that no others are taken for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "child.h"
#include "kernel/sys.h"
#include "need.h"
#include "pins-steps.h"

#define MIB     (1024ul * 1024)
#define HUGE_NR 512u

/* The kernel lets go of pages a little later, and others on the machine may hold one for a moment. */
static void until_none(struct pins_fixture *fix, const char *memory, size_t nr, enum pin_answer answer)
{
	size_t found = nr;

	for (unsigned try = 0; try < 5000 && found > 0; try++) {
		pins_look(fix, memory, nr);
		found = pins_count(fix, nr, answer);
		if (found > 0)
			usleep(1000);
	}
	assert_int_equal(found, 0);
}

/* Nothing of [memory, + nr pages) is pinned; while a ring has registered it all is; afterwards nothing again. */
static void pins_come_and_go(struct pins_fixture *fix, char *memory, size_t nr)
{
	struct iovec buffer = { memory, nr * PAGE };
	struct ring ring;
	int result;

	pins_open_ring(&ring);
	pins_look(fix, memory, nr);
	assert_int_equal(pins_count(fix, nr, PIN_PINNED), 0);
	result = ring_register(&ring, &buffer, 1);
	if (result < 0)
		fail_msg("registering a buffer: %s", strerror(-result));
	pins_look(fix, memory, nr);
	assert_int_equal(pins_count(fix, nr, PIN_PINNED), nr);
	assert_int_equal(ring_unregister(&ring), 0);
	until_none(fix, memory, nr, PIN_PINNED);
	until_none(fix, memory, nr, PIN_REFERENCE);
	ring_close(&ring);
}

static void B4_registered_pages_are_pinned(void **unused)
{
	struct pins_fixture fix;
	char *memory;

	(void)unused;
	pins_watch(&fix, getpid());
	memory = pins_map_private(600);
	pins_come_and_go(&fix, memory, 600);
	munmap(memory, 600 * PAGE);
	pins_unwatch(&fix);
}

/* Some file systems do not let their shared pages be pinned for long; memory files do. */
static void B4_registered_pages_of_files_are_pinned(void **unused)
{
	struct pins_fixture fix;
	char *memory;
	int fd = memfd_create("pins", MFD_CLOEXEC);

	(void)unused;
	assert_int_equal(ftruncate(fd, 40 * PAGE), 0);
	pins_watch(&fix, getpid());
	memory = pins_map(40 * PAGE, MAP_SHARED, fd);
	memset(memory, 1, 40 * PAGE);
	pins_come_and_go(&fix, memory, 40);
	munmap(memory, 40 * PAGE);
	memory = pins_map(40 * PAGE, MAP_PRIVATE, fd);
	memset(memory + 10 * PAGE, 2, 5 * PAGE);
	pins_come_and_go(&fix, memory, 40);
	munmap(memory, 40 * PAGE);
	pins_unwatch(&fix);
	close(fd);
}

/* Is [memory, + 2 MiB) one huge page? pagemap's frame numbers follow each other from an aligned one. */
static bool is_huge(const char *memory)
{
	uint64_t frames[HUGE_NR];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got = pread(fd, frames, sizeof(frames), (off_t)((uintptr_t)memory / PAGE * sizeof(frames[0])));
	uint64_t mask = (1ull << 55) - 1;

	close(fd);
	if (got != sizeof(frames) || (frames[0] & mask) % HUGE_NR != 0)
		return false;
	for (unsigned i = 1; i < HUGE_NR; i++)
		if ((frames[i] & mask) != (frames[0] & mask) + i)
			return false;
	return true;
}

/* Pins of a huge page are counted for all of it. */
static void B4_one_registered_page_pins_its_huge_page(void **unused)
{
	struct pins_fixture fix;
	char *room = pins_map(4 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *memory = (char *)(((uintptr_t)room + 2 * MIB - 1) & ~(2 * MIB - 1));
	struct iovec buffer = { memory + 7 * PAGE, PAGE };
	struct ring ring;

	(void)unused;
	if (madvise(memory, 2 * MIB, MADV_HUGEPAGE) != 0 || (memory[0] = 1, !is_huge(memory))) {
		print_message("no huge page to be had here: not tested\n");
		munmap(room, 4 * MIB);
		return;
	}
	pins_watch(&fix, getpid());
	pins_open_ring(&ring);
	pins_look(&fix, memory, HUGE_NR);
	assert_int_equal(pins_count(&fix, HUGE_NR, PIN_PINNED), 0);
	assert_int_equal(ring_register(&ring, &buffer, 1), 0);
	pins_look(&fix, memory, HUGE_NR);
	assert_int_equal(pins_count(&fix, HUGE_NR, PIN_PINNED), HUGE_NR);
	ring_close(&ring);
	munmap(room, 4 * MIB);
	pins_unwatch(&fix);
}

/* Neither does a write by the device undo a pin, nor protection, nor being moved. */
static void B4_pinned_pages_stay_so(void **unused)
{
	struct pins_fixture fix;
	char *memory = pins_map_private(8);
	struct iovec buffer = { memory, 8 * PAGE };
	struct ring ring;
	char *moved;
	int fd = memfd_create("content", MFD_CLOEXEC);

	(void)unused;
	assert_int_equal(pwrite(fd, "device", 6, 0), 6);
	pins_watch(&fix, getpid());
	pins_open_ring(&ring);
	assert_int_equal(ring_register(&ring, &buffer, 1), 0);
	assert_int_equal(ring_read_fixed(&ring, fd, memory + 3 * PAGE, 6, 0, 0), 6);
	assert_memory_equal(memory + 3 * PAGE, "device", 6);
	pins_look(&fix, memory, 8);
	assert_int_equal(pins_count(&fix, 8, PIN_PINNED), 8);
	assert_int_equal(mprotect(memory, 4 * PAGE, PROT_NONE), 0);
	pins_look(&fix, memory, 8);
	assert_int_equal(pins_count(&fix, 8, PIN_PINNED), 8);
	moved = mremap(memory + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, pins_map_private(4));
	assert_ptr_not_equal(moved, MAP_FAILED);
	pins_look(&fix, moved, 4);
	assert_int_equal(pins_count(&fix, 4, PIN_PINNED), 4);
	ring_close(&ring);
	until_none(&fix, memory, 4, PIN_PINNED);
	assert_int_equal(pins_count(&fix, 4, PIN_NONE), 4);
	close(fd);
	munmap(memory, 4 * PAGE);
	munmap(moved, 4 * PAGE);
	pins_unwatch(&fix);
}

/* A fresh page waits in a batch, with a reference more, until 30 others have come. */
static void B4_fresh_pages_are_not_held(void **unused)
{
	struct pins_fixture fix;
	size_t nr_free = 0;

	(void)unused;
	pins_watch(&fix, getpid());
	for (unsigned i = 0; i < 40; i++) {
		char *memory = pins_map_private(1);

		pins_look(&fix, memory, 1);
		nr_free += fix.answers[0] == PIN_NONE;
		munmap(memory, PAGE);
	}
	/* Others on the machine may hold one for a moment. */
	assert_in_range(nr_free, 35, 40);
	pins_unwatch(&fix);
}

/* More than a thousand mappings make as many references as a pin. */
static void B4_a_page_mapped_1100_times_is_not_pinned(void **unused)
{
	struct pins_fixture fix;
	char *maps[1100];
	struct iovec buffer;
	struct ring ring;
	int fd = memfd_create("shared", MFD_CLOEXEC);

	(void)unused;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	pins_watch(&fix, getpid());
	for (unsigned i = 0; i < 1100; i++) {
		maps[i] = pins_map(PAGE, MAP_SHARED, fd);
		maps[i][0] = 1;
	}
	pins_look(&fix, maps[3], 1);
	assert_int_not_equal(fix.answers[0], PIN_PINNED);
	assert_int_not_equal(fix.answers[0], PIN_UNKNOWN);
	pins_open_ring(&ring);
	buffer = (struct iovec){ maps[7], PAGE };
	assert_int_equal(ring_register(&ring, &buffer, 1), 0);
	pins_look(&fix, maps[3], 1);
	assert_int_equal(fix.answers[0], PIN_PINNED);
	ring_close(&ring);
	for (unsigned i = 0; i < 1100; i++)
		munmap(maps[i], PAGE);
	close(fd);
	pins_unwatch(&fix);
}

static int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

static void B4_pages_shared_with_children_are_not_held(void **unused)
{
	struct pins_fixture fix;
	struct child children[3];
	char *memory = pins_map_private(100);

	(void)unused;
	for (unsigned i = 0; i < 3; i++)
		child_start(&children[i], serve, NULL);
	pins_watch(&fix, getpid());
	pins_look(&fix, memory, 100);
	assert_int_equal(pins_count(&fix, 100, PIN_PINNED), 0);
	until_none(&fix, memory, 100, PIN_REFERENCE);
	for (unsigned i = 0; i < 3; i++)
		child_end(&children[i]);
	munmap(memory, 100 * PAGE);
	pins_unwatch(&fix);
}

/* Pages in a pipe are held by plain references, as by direct access that does not pin. */
static void B4_pages_in_a_pipe_are_referenced(void **unused)
{
	struct pins_fixture fix;
	char *memory = pins_map_private(100);
	struct iovec part = { memory + 50 * PAGE, 8 * PAGE };
	int fds[2];

	(void)unused;
	assert_int_equal(pipe(fds), 0);
	pins_watch(&fix, getpid());
	assert_int_equal(vmsplice(fds[1], &part, 1, 0), 8 * PAGE);
	pins_look(&fix, memory, 100);
	for (unsigned i = 50; i < 58; i++)
		assert_int_equal(fix.answers[i], PIN_REFERENCE);
	assert_int_equal(pins_count(&fix, 100, PIN_PINNED), 0);
	close(fds[0]);
	close(fds[1]);
	munmap(memory, 100 * PAGE);
	pins_unwatch(&fix);
}

static void B4_what_is_not_there_is_unknown(void **unused)
{
	struct pins_fixture fix;
	char *memory = pins_map(5 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	static const uint8_t expected[5] = { PIN_NONE, PIN_UNKNOWN, PIN_UNKNOWN, PIN_NONE, PIN_UNKNOWN };

	(void)unused;
	pins_watch(&fix, getpid());
	madvise(memory, 5 * PAGE, MADV_NOHUGEPAGE);
	memory[0] = 1;
	memory[PAGE] = 1;
	assert_int_equal(madvise(memory + PAGE, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(*(volatile char *)(memory + 3 * PAGE), 0); /* the zero page */
	assert_int_equal(munmap(memory + 4 * PAGE, PAGE), 0);
	pins_look(&fix, memory, 5);
	assert_memory_equal(fix.answers, expected, sizeof(expected));
	munmap(memory, 4 * PAGE);
	pins_unwatch(&fix);
}

static unsigned nr_preads;
static unsigned nr_present;

static ssize_t say_present(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t got = sys_table_linux.pread(fd, buf, size, offset);

	if (nr_preads++ < nr_present)
		*(uint64_t *)buf |= 1ull << 63;
	return got;
}

/* An entry that is exchanged looks empty for a moment; the page may be pinned all the same. */
static void B4_a_page_in_transit_is_not_taken_for_absent(void **unused)
{
	struct pins_fixture fix;
	struct sys_table table = sys_table_linux;
	char *memory = pins_map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	(void)unused;
	pins_watch(&fix, getpid());
	table.pread = say_present;
	sys_table = &table;
	nr_preads = 0;
	nr_present = 1;
	pins_look(&fix, memory, 1);
	assert_int_equal(nr_preads, 2);
	assert_int_equal(fix.answers[0], PIN_UNKNOWN);
	nr_present = 1000;
	pins_look(&fix, memory, 1);
	assert_int_equal(fix.answers[0], PIN_PINNED);
	sys_table = &sys_table_linux;
	munmap(memory, PAGE);
	pins_unwatch(&fix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_registered_pages_are_pinned),
		cmocka_unit_test(B4_registered_pages_of_files_are_pinned),
		cmocka_unit_test(B4_one_registered_page_pins_its_huge_page),
		cmocka_unit_test(B4_pinned_pages_stay_so),
		cmocka_unit_test(B4_fresh_pages_are_not_held),
		cmocka_unit_test(B4_a_page_mapped_1100_times_is_not_pinned),
		cmocka_unit_test(B4_pages_shared_with_children_are_not_held),
		cmocka_unit_test(B4_pages_in_a_pipe_are_referenced),
		cmocka_unit_test(B4_what_is_not_there_is_unknown),
		cmocka_unit_test(B4_a_page_in_transit_is_not_taken_for_absent),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
