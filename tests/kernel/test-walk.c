/* SPDX-License-Identifier: MIT */
/* This file tests the walk sensor on real pages of this process and of children. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/sensor.h>

#include "kernel/procfs.h"

#include "child.h"
#include "need.h"

#define PAGE   4096ul
#define MIB    (1024ul * 1024)
#define HUGE   (2 * MIB)
#define CHECKS 512u

/* A sensor on some process, and room for checks. */
struct fixture {
	struct tide_target *target;
	const struct tide_sensor_ops *ops;
	void *sensor;
	struct tide_check checks[CHECKS];
};

static void watch(struct fixture *fix, pid_t pid)
{
	struct tide_error err = { 0 };

	memset(fix, 0, sizeof(*fix));
	if (tide_sensor_choose(&fix->ops, "walk", &err) < 0 || tide_target_open(&fix->target, pid, &err) < 0)
		fail_msg("%s", err.text);
	fix->sensor = calloc(1, fix->ops->state_size);
	if (fix->ops->init(fix->sensor, fix->target, &err) < 0)
		fail_msg("%s", err.text);
}

static void unwatch(struct fixture *fix)
{
	fix->ops->cleanup(fix->sensor);
	free(fix->sensor);
	tide_target_close(fix->target);
}

static char *map(size_t bytes, int flags)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	/* Base pages, whatever the machine prefers; who wants huge ones asks. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	return memory;
}

/* Spreads the checks evenly over the memory. */
static void aim(struct fixture *fix, const char *memory, size_t bytes)
{
	for (size_t i = 0; i < CHECKS; i++)
		fix->checks[i].addr = (uint64_t)(uintptr_t)memory + i * (bytes / CHECKS) / PAGE * PAGE;
}

static void prepare(struct fixture *fix)
{
	struct tide_error err = { 0 };

	if (fix->ops->prepare_access_checks(fix->sensor, fix->checks, CHECKS, &err) < 0)
		fail_msg("%s", err.text);
}

static void check(struct fixture *fix)
{
	struct tide_error err = { 0 };

	if (fix->ops->check_accesses(fix->sensor, fix->checks, CHECKS, &err) < 0)
		fail_msg("%s", err.text);
}

static void touch(uint64_t addr)
{
	*(volatile char *)(uintptr_t)addr += 1;
}

static size_t count(const struct fixture *fix, enum tide_answer answer, enum tide_reason reason)
{
	size_t nr = 0;

	for (size_t i = 0; i < CHECKS; i++)
		nr += fix->checks[i].answer == answer && fix->checks[i].reason == reason;
	return nr;
}

/* Nothing was touched and nothing can be cleared. Of a few the machine's own monitor may have cleared the bit before.
 */
static void assert_stuck(const struct fixture *fix, enum tide_reason reason)
{
	assert_int_equal(count(fix, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE), 0);
	assert_in_range(count(fix, TIDE_ANSWER_UNOBSERVABLE, reason), CHECKS - 64, CHECKS);
}

/* A figure of one mapping out of /proc/self/smaps, in bytes. */
static size_t smaps(const void *addr, const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;
	size_t result = 0;

	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned long start;
		unsigned long end;
		unsigned long kib;
		char name[64];

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)addr >= start && (uintptr_t)addr < end;
		else if (here && sscanf(line, "%63[^:]: %lu kB", name, &kib) == 2 && strcmp(name, field) == 0)
			result = kib * 1024;
	}
	fclose(file);
	return result;
}

static void A1_what_was_touched_is_accessed_and_what_was_not_is_idle(void **unused)
{
	struct fixture fix;
	char *memory = map(64 * MIB, MAP_PRIVATE);

	(void)unused;
	memset(memory, 1, 64 * MIB);
	watch(&fix, getpid());
	aim(&fix, memory, 64 * MIB);
	for (int round = 0; round < 5; round++) {
		prepare(&fix);
		for (size_t i = 0; i < CHECKS; i += 2)
			touch(fix.checks[i].addr);
		check(&fix);
		for (size_t i = 0; i < CHECKS; i++) {
			bool touched = i % 2 == 0;

			if (fix.checks[i].answer == TIDE_ANSWER_UNOBSERVABLE)
				continue;
			assert_int_equal(fix.checks[i].answer, touched ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
			assert_int_equal(fix.checks[i].page_end - fix.checks[i].page_start, PAGE);
		}
		/* The few that a per-CPU batch still keeps off the LRU lists. */
		assert_in_range(count(&fix, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE), CHECKS / 2 - 16, CHECKS / 2);
		assert_in_range(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS / 2 - 16, CHECKS / 2);
	}
	unwatch(&fix);
	munmap(memory, 64 * MIB);
}

static void A4_huge_pages_answer_whole_and_are_never_split(void **unused)
{
	struct fixture fix;
	char *area = map(66 * MIB, MAP_PRIVATE);
	char *memory = (char *)(((uintptr_t)area + HUGE - 1) / HUGE * HUGE);
	size_t huge_bytes;

	(void)unused;
	madvise(memory, 64 * MIB, MADV_HUGEPAGE);
	memset(memory, 1, 64 * MIB);
	huge_bytes = smaps(memory, "AnonHugePages");
	if (huge_bytes < 64 * MIB) {
		munmap(area, 66 * MIB);
		fprintf(stderr, "no huge pages to be had\n");
		skip();
	}
	watch(&fix, getpid());
	aim(&fix, memory, 64 * MIB); /* 16 checks in each huge page */
	prepare(&fix);
	for (size_t i = 0; i < 32; i += 2)
		touch((uint64_t)(uintptr_t)memory + i * HUGE + 123 * PAGE);
	check(&fix);
	for (size_t i = 0; i < CHECKS; i++) {
		if (fix.checks[i].answer == TIDE_ANSWER_UNOBSERVABLE)
			continue;
		assert_int_equal(fix.checks[i].answer, i / 16 % 2 == 0 ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE);
		assert_int_equal(fix.checks[i].page_start, (uint64_t)(uintptr_t)memory + i / 16 * HUGE);
		assert_int_equal(fix.checks[i].page_end - fix.checks[i].page_start, HUGE);
	}
	assert_in_range(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_OFF_LRU), 0, 64);
	assert_int_equal(smaps(memory, "AnonHugePages"), huge_bytes);
	unwatch(&fix);
	munmap(area, 66 * MIB);
}

static void A8_locked_memory_is_unobservable(void **unused)
{
	struct fixture fix;
	char *memory = map(8 * MIB, MAP_PRIVATE);

	(void)unused;
	assert_int_equal(mlock(memory, 8 * MIB), 0);
	memset(memory, 1, 8 * MIB);
	watch(&fix, getpid());
	aim(&fix, memory, 8 * MIB);
	prepare(&fix);
	check(&fix);
	assert_stuck(&fix, TIDE_REASON_LOCKED);
	unwatch(&fix);
	munmap(memory, 8 * MIB);
}

static int touch_all(int in, int out, void *memory)
{
	memset(memory, 2, 8 * MIB);
	child_serve(in, out);
	return 0;
}

static void A8_shared_memory_is_unobservable_while_its_bit_is_stuck(void **unused)
{
	struct fixture fix;
	struct child other = { 0 };
	char *memory = map(8 * MIB, MAP_SHARED);

	(void)unused;
	memset(memory, 1, 8 * MIB);
	child_start(&other, touch_all, memory);
	watch(&fix, getpid());
	aim(&fix, memory, 8 * MIB);
	prepare(&fix);
	check(&fix);
	assert_stuck(&fix, TIDE_REASON_SHARED);
	unwatch(&fix);
	child_end(&other);
	munmap(memory, 8 * MIB);
}

static void A8_the_zero_page_is_unobservable(void **unused)
{
	struct fixture fix;
	char *memory = map(8 * MIB, MAP_PRIVATE);
	unsigned sum = 0;

	(void)unused;
	for (size_t i = 0; i < 8 * MIB; i += PAGE)
		sum += ((volatile char *)memory)[i];
	assert_int_equal(sum, 0);
	watch(&fix, getpid());
	aim(&fix, memory, 8 * MIB);
	prepare(&fix);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL), CHECKS);
	unwatch(&fix);
	munmap(memory, 8 * MIB);
}

static void A8_memory_of_a_guest_is_never_called_idle(void **unused)
{
	struct fixture fix;
	char *memory = map(8 * MIB, MAP_PRIVATE);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int guest = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	(void)unused;
	if (guest < 0) {
		munmap(memory, 8 * MIB);
		close(kvm);
		fprintf(stderr, "no KVM here\n");
		skip();
	}
	memset(memory, 1, 8 * MIB);
	watch(&fix, getpid());
	aim(&fix, memory, 8 * MIB);
	prepare(&fix);
	touch(fix.checks[7].addr);
	check(&fix);
	assert_int_equal(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), 0);
	assert_in_range(count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST), CHECKS - 33, CHECKS);
	assert_int_equal(fix.checks[7].answer, TIDE_ANSWER_ACCESSED);
	unwatch(&fix);
	close(guest);
	close(kvm);
	munmap(memory, 8 * MIB);
}

static void A8_somebody_who_clears_all_bits_is_noticed(void **unused)
{
	struct fixture fix;
	char *memory = map(64 * MIB, MAP_PRIVATE);
	int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	size_t nr_idle_but_touched = 0;

	(void)unused;
	assert_true(clear_refs >= 0);
	memset(memory, 1, 64 * MIB);
	watch(&fix, getpid());
	aim(&fix, memory, 64 * MIB);
	/* The first interval finds pages that can serve as canaries, the second is the one that counts. */
	prepare(&fix);
	check(&fix);
	prepare(&fix);
	for (size_t i = 0; i < CHECKS; i++)
		touch(fix.checks[i].addr);
	assert_int_equal(write(clear_refs, "1", 1), 1);
	check(&fix);
	for (size_t i = 0; i < CHECKS; i++)
		nr_idle_but_touched += fix.checks[i].answer == TIDE_ANSWER_IDLE;
	assert_int_equal(nr_idle_but_touched, 0);
	/* ... and forgotten again: the next interval is as good as any. */
	prepare(&fix);
	check(&fix);
	assert_in_range(count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE), CHECKS - 33, CHECKS);
	unwatch(&fix);
	close(clear_refs);
	munmap(memory, 64 * MIB);
}

static int exec_when_told(int in, int out, void *unused)
{
	(void)unused;
	child_say(out);
	child_pause(in);
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
	return 1;
}

static void expect_gone(struct fixture *fix)
{
	struct tide_error err = { 0 };
	int result = 0;

	for (int i = 0; i < 60000 && result == 0; i++) {
		fix->checks[0].addr = 0x1000;
		result = fix->ops->prepare_access_checks(fix->sensor, fix->checks, 1, &err);
		if (result == 0)
			usleep(1000);
	}
	assert_true(result < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	assert_true(strlen(err.text) > 10);
}

static void A6_an_exec_is_never_read_as_the_target(void **unused)
{
	struct fixture fix;
	struct child child = { 0 };

	(void)unused;
	child_start(&child, exec_when_told, NULL);
	watch(&fix, child.pid);
	child_tell(&child);
	expect_gone(&fix);
	unwatch(&fix);
	child_end(&child);
}

static int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

static void A6_an_exit_ends_it_with_a_sentence(void **unused)
{
	struct fixture fix;
	struct child child = { 0 };

	(void)unused;
	child_start(&child, serve, NULL);
	watch(&fix, child.pid);
	child_kill(&child);
	expect_gone(&fix);
	unwatch(&fix);
	child_end(&child);
}

struct orphan {
	char *memory;
	int in;
	int out;
};

static void *orphan_main(void *arg)
{
	struct orphan *orphan = arg;
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(getpid());

	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != 'Z')
		usleep(1000);
	close(dir);
	child_say(orphan->out);
	for (;;) {
		child_pause(orphan->in);
		memset(orphan->memory, 3, 4 * MIB);
		child_say(orphan->out);
	}
	return NULL;
}

static int leave_a_thread(int in, int out, void *memory)
{
	static struct orphan orphan;
	pthread_t thread;

	orphan = (struct orphan){ memory, in, out };
	memset(memory, 2, 8 * MIB);
	pthread_create(&thread, NULL, orphan_main, &orphan);
	pthread_exit(NULL);
}

/* The main thread has exited: the walker reads through another one. Clearing is refused by the kernel, and said. */
static void a_process_without_its_main_thread_is_watched_and_nothing_is_guessed(void **unused)
{
	struct fixture fix;
	struct child child = { 0 };
	char *memory = map(8 * MIB, MAP_PRIVATE);
	size_t nr_wrong = 0;

	(void)unused;
	child_start(&child, leave_a_thread, memory);
	watch(&fix, child.pid);
	aim(&fix, memory, 8 * MIB);
	prepare(&fix);
	child_step(&child);
	check(&fix);
	for (size_t i = 0; i < CHECKS / 2; i++)
		nr_wrong += fix.checks[i].answer == TIDE_ANSWER_IDLE;
	for (size_t i = CHECKS / 2; i < CHECKS; i++)
		nr_wrong += fix.checks[i].answer == TIDE_ANSWER_ACCESSED;
	assert_int_equal(nr_wrong, 0);
	printf("main thread gone: %zu accessed, %zu idle, %zu refused\n",
	       count(&fix, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE), count(&fix, TIDE_ANSWER_IDLE, TIDE_REASON_NONE),
	       count(&fix, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_REFUSED));
	unwatch(&fix);
	child_end(&child);
	munmap(memory, 8 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_what_was_touched_is_accessed_and_what_was_not_is_idle),
		cmocka_unit_test(A4_huge_pages_answer_whole_and_are_never_split),
		cmocka_unit_test(A8_locked_memory_is_unobservable),
		cmocka_unit_test(A8_shared_memory_is_unobservable_while_its_bit_is_stuck),
		cmocka_unit_test(A8_the_zero_page_is_unobservable),
		cmocka_unit_test(A8_memory_of_a_guest_is_never_called_idle),
		cmocka_unit_test(A8_somebody_who_clears_all_bits_is_noticed),
		cmocka_unit_test(A6_an_exec_is_never_read_as_the_target),
		cmocka_unit_test(A6_an_exit_ends_it_with_a_sentence),
		cmocka_unit_test(a_process_without_its_main_thread_is_watched_and_nothing_is_guessed),
	};
	int skipped = need_walk();

	return skipped != 0 ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
