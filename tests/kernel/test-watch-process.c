/* SPDX-License-Identifier: MIT */
/* This file tests the watch while processes and threads come and go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
};

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value);
}

static void begin(struct watched *self)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
}

/* A child of the child: writes a page in its own copy, says it, and lives on. */
static long do_fork(struct order *order)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		order->at[0] = 99;
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	order->pid = pid;
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	return pid;
}

static long do_reap(struct order *order)
{
	kill((pid_t)order->value, SIGKILL);
	return waitpid((pid_t)order->value, NULL, 0);
}

static void watch_and_close(pid_t pid)
{
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_error err = { 0 };

	if (tide_target_open(&target, pid, &err) < 0 || tide_watch_open(&watch, target, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(mappings_with_flag(pid, "uw") > 0);
	tide_watch_close(watch);
	tide_target_close(target);
	assert_int_equal(mappings_with_flag(pid, "uw"), 0);
}

static void C1_a_fork_under_watch_changes_nothing_here_or_there(void **state)
{
	struct watched *self = *state;
	pid_t pid;

	begin(self);
	pid = (pid_t)watched_order(self, do_fork, self->area + 50 * PAGE, 0, 0);
	assert_true(pid > 0);
	/* The new child's write is its own. */
	assert_int_equal(mappings_with_flag(pid, "uw"), 0);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 50, 2, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 50, 52, TIDE_EXACT);
	touch(self, 51, 1, 3);
	assert_int_equal(watched_collect(self), PAGE);
	/* It can be watched beside its parent, and after. */
	watch_and_close(pid);
	touch(self, 52, 1, 3);
	assert_int_equal(watched_collect(self), PAGE);
	watched_close(self);
	watch_and_close(pid);
	watch_and_close(self->child.pid);
	watched_open(self, NULL);
	watched_order(self, do_reap, NULL, 0, pid);
	touch(self, 53, 1, 4);
	assert_int_equal(watched_collect(self), PAGE);
}

static long do_vfork(struct order *order)
{
	pid_t pid = vfork();

	if (pid == 0) {
		order->at[0] = 77;
		_exit(0);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static void C1_a_write_of_a_vfork_child_is_reported(void **state)
{
	struct watched *self = *state;

	begin(self);
	for (size_t page = 60; page < 65; page++) {
		assert_int_equal(watched_order(self, do_vfork, self->area + page * PAGE, 0, 0), 0);
		assert_int_equal(watched_collect(self), PAGE);
		assert_pages(self, page, page + 1, TIDE_EXACT);
	}
}

static void *write_page(void *at)
{
	*(unsigned char *)at = 55;
	return NULL;
}

static long do_thread(struct order *order)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, write_page, order->at) != 0)
		return -1;
	return pthread_join(thread, NULL);
}

static void C1_writes_of_threads_that_ended_are_reported(void **state)
{
	struct watched *self = *state;

	begin(self);
	for (size_t page = 70; page < 80; page++) {
		assert_int_equal(watched_order(self, do_thread, self->area + page * PAGE, 0, 0), 0);
		assert_int_equal(watched_collect(self), PAGE);
		assert_pages(self, page, page + 1, TIDE_EXACT);
	}
}

struct ends {
	int in;
	int out;
	struct order *order;
};

static void *obey_from_thread(void *arg)
{
	const struct ends *ends = arg;
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(getpid());

	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != 'Z')
		usleep(1000);
	for (;;) {
		child_say(ends->out);
		child_pause(ends->in);
		ends->order->result = ends->order->fn(ends->order);
	}
	return NULL;
}

static int lose_main_thread(int in, int out, void *order)
{
	static struct ends ends;
	pthread_t thread;

	ends = (struct ends){ in, out, order };
	if (pthread_create(&thread, NULL, obey_from_thread, &ends) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 1;
}

static long do_name_thread(struct order *order)
{
	(void)order;
	return gettid();
}

static void C1_a_process_without_main_thread_is_watched(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	child_end(&self->child);
	child_start(&self->child, lose_main_thread, self->order);
	self->tid = (pid_t)watched_order(self, do_name_thread, NULL, 0, 0);
	watched_order(self, do_fill, self->area, AREA / 2, 1);
	watched_open(self, NULL);
	assert_int_equal(watched_collect(self), 0);
	touch(self, 3, 1, 2);
	touch(self, NR / 2 + 3, 1, 2);
	assert_int_equal(watched_collect(self), 2 * PAGE);
	assert_pages(self, 3, 4, TIDE_EXACT);
	assert_pages(self, NR / 2 + 3, NR / 2 + 4, TIDE_EXACT);
	touch(self, 4, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

static void collect_is_gone(struct watched *self)
{
	uint64_t address = (uint64_t)(uintptr_t)self->area, addresses[8];
	struct tide_run runs[16];
	unsigned char page[PAGE];
	size_t count = 8;
	long nr;

	/* An epoch that was under way ends the same way. */
	for (int i = 0; i < 2; i++) {
		nr = tide_watch_collect(self->watch, runs, 16, &self->err);
		assert_true(nr < 0);
		assert_int_equal(self->err.cause, TIDE_CAUSE_GONE);
	}
	self->err = (struct tide_error){ 0 };
	assert_true(tide_watch_get(self->watch, TIDE_GET_RESET, address, address + AREA, addresses, &count, NULL,
	                           &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_GONE);
	self->err = (struct tide_error){ 0 };
	assert_true(tide_watch_copy(self->watch, address, address + PAGE, page, NULL, &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_GONE);
}

static void C1_an_exit_ends_it_with_gone(void **state)
{
	struct watched *self = *state;

	begin(self);
	touch(self, 3, 1, 2);
	child_kill(&self->child);
	collect_is_gone(self);
}

static long do_exec(struct order *order)
{
	(void)order;
	execl("/bin/sleep", "sleep", "1000", NULL);
	return -1;
}

static void C1_an_exec_ends_it_with_gone(void **state)
{
	struct watched *self = *state;
	char byte;

	begin(self);
	touch(self, 3, 1, 2);
	*self->order = (struct order){ .fn = do_exec };
	child_tell(&self->child);
	/* Its end of the pipe is closed by the exec. */
	assert_int_equal(read(self->child.ready, &byte, 1), 0);
	collect_is_gone(self);
	watched_close(self);
	watch_and_close(self->child.pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(C1_a_fork_under_watch_changes_nothing_here_or_there),
		WATCHED_TEST(C1_a_write_of_a_vfork_child_is_reported),
		WATCHED_TEST(C1_writes_of_threads_that_ended_are_reported),
		WATCHED_TEST(C1_a_process_without_main_thread_is_watched),
		WATCHED_TEST(C1_an_exit_ends_it_with_gone),
		WATCHED_TEST(C1_an_exec_ends_it_with_gone),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-process", tests, NULL, NULL);
}
