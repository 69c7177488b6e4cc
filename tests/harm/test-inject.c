/* SPDX-License-Identifier: MIT */
/* This file makes calls inside processes of its own, and looks whether anything in them has changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kernel/child.h"
#include "kernel/uffd.h"
#include "target/inject/inject.h"

static int serve(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

static void a_descriptor_made_there_works_here(void **state)
{
	struct inject_call calls[] = {
		{ .nr = SYS_getpid },
		{ .nr = SYS_userfaultfd, .args = { O_CLOEXEC | UFFD_USER_ONLY }, .fetch = true },
	};
	struct tide_target *target = NULL;
	struct inject_cost cost;
	struct tide_error err = { 0 };
	struct child child;

	(void)state;
	child_start(&child, serve, NULL);
	assert_int_equal(tide_target_open(&target, child.pid, &err), 0);
	for (int i = 0; i < 20; i++) {
		if (inject_run(target, calls, 2, &cost, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(calls[0].result, child.pid);
		assert_int_equal(uffd_api(calls[1].fd, 0), 0);
		assert_true(cost.self_restoring);
		close(calls[1].fd);
		child_step(&child);
	}
	tide_target_close(target);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_made_there_works_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
