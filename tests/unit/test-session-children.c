/* SPDX-License-Identifier: MIT */
/* This file tests, in virtual time, that a session finds what its targets start, takes nobody else for it, and ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake-world.h"

#define MS    1000000ull
#define FIRST 100 /* the process that is asked for */

static int begin(void **state)
{
	fake_begin();
	fake_process(FIRST, 1);
	for (size_t i = 0; i < FAKE_MAX_STEPS; i++)
		fake.steps[i] = (struct fake_step){ .result = 1, .end_ns = 1 };
	return 0;
}

static int end(void **state)
{
	assert_int_equal(fake.nr_targets, 0);
	assert_int_equal(fake.nr_states, 0);
	fake_end();
	return 0;
}

static int note_targets(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                        struct tide_error *err)
{
	uint32_t *nr_targets = arg;

	assert_true(sample->nr_targets >= *nr_targets);
	for (uint32_t i = 0; i < sample->nr_targets; i++)
		assert_true(tide_target_pid(targets[i]) > 0);
	*nr_targets = sample->nr_targets;
	return 0;
}

static struct tide_session *open_session(uint32_t *nr_targets)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .flags = TIDE_SESSION_CHILDREN };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	assert_int_equal(tide_session_open(&session, &opts, &err), 0);
	assert_int_equal(tide_session_add_pid(session, FIRST, NULL, 0, &err), 0);
	if (nr_targets != NULL)
		assert_int_equal(tide_session_add_sink(session, note_targets, nr_targets, &err), 0);
	return session;
}

/* A step `ms` after the last one. */
static int step(struct tide_session *session, uint64_t ms)
{
	struct tide_error err = { 0 };

	fake.now_ns += ms * MS;
	fake.steps[fake.nr_steps % FAKE_MAX_STEPS].next_ns = fake.now_ns;
	return tide_session_step(session, &err);
}

static bool is_watched(const struct tide_session *session, pid_t pid)
{
	for (size_t i = 0; tide_session_target(session, i) != NULL; i++)
		if (tide_target_pid(tide_session_target(session, i)) == pid)
			return true;
	return false;
}

static size_t count(const struct tide_session *session)
{
	size_t nr = 0;

	while (tide_session_target(session, nr) != NULL)
		nr++;
	return nr;
}

/* Those that are there when it begins, theirs, and those that come while it runs; by both ways to find them. */
static void children_and_their_children_are_watched(void **state)
{
	for (int has_lists = 0; has_lists < 2; has_lists++) {
		uint32_t nr_targets = 0;
		struct tide_session *session;

		begin(NULL);
		fake.has_lists = has_lists;
		fake_process(300, 299); /* nobody's that is watched */
		fake_process(202, 201); /* before its parent, in any list */
		fake_process(201, FIRST);
		session = open_session(&nr_targets);
		assert_int_equal(step(session, 0), 1);
		assert_int_equal(count(session), 3);
		assert_true(is_watched(session, 201));
		assert_true(is_watched(session, 202));
		fake_process(203, 202);
		assert_int_equal(step(session, 999), 1);
		assert_int_equal(count(session), 3); /* the next look is a second after the first */
		assert_int_equal(nr_targets, 3);
		assert_int_equal(step(session, 1), 1);
		assert_int_equal(count(session), 4);
		assert_true(is_watched(session, 203));
		assert_int_equal(step(session, 1), 1);
		assert_int_equal(nr_targets, 4);
		tide_session_close(session);
	}
}

static void without_being_asked_it_watches_nobody_else(void **state)
{
	struct tide_session_opts opts = { .size = sizeof(opts) };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };

	fake_process(201, FIRST);
	assert_int_equal(tide_session_open(&session, &opts, &err), 0);
	assert_int_equal(tide_session_add_pid(session, FIRST, NULL, 0, &err), 0);
	assert_int_equal(step(session, 0), 1);
	assert_int_equal(step(session, 5000), 1);
	assert_int_equal(count(session), 1);
	assert_int_equal(fake.nr_looks, 0);
	tide_session_close(session);
	opts.flags = 1u << 31;
	assert_int_equal(tide_session_open(&session, &opts, &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
}

static void A6_it_ends_with_the_last_process_whichever_that_is(void **state)
{
	struct tide_session *session = open_session(NULL);

	fake_process(201, FIRST);
	assert_int_equal(step(session, 0), 1);
	fake_process_exit(FIRST);
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(fake.nr_retired, 1); /* it keeps no descriptors */
	assert_int_equal(fake.nr_ended, 1);
	fake_process(202, 201);
	assert_int_equal(step(session, 1000), 1);
	assert_true(is_watched(session, 202));
	fake_process_exit(201);
	fake_process_exit(202);
	assert_int_equal(step(session, 1000), -ESRCH);
	assert_int_equal(fake.nr_retired, 3);
	tide_session_close(session);
}

/* It was a child when it was listed; what is opened is another's. The same number is welcome when it is a child. */
static void a_number_that_was_given_to_another_process_is_not_watched(void **state)
{
	struct tide_session *session = open_session(NULL);
	struct fake_process *other = fake_process(201, FIRST);

	other->becomes_of = 7;
	assert_int_equal(step(session, 0), 1);
	assert_int_equal(count(session), 1);
	assert_int_equal(fake.nr_targets, 1);
	other->becomes_of = 0;
	other->ppid = FIRST;
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 2);
	/* Its end, and its number again: another target. */
	fake_process_exit(201);
	fake_process(201, FIRST);
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 3);
	assert_int_equal(tide_session_unwatched(session, NULL), 0);
	tide_session_close(session);
}

static void one_that_exits_before_it_is_opened_is_nobodys_failure(void **state)
{
	struct tide_session *session = open_session(NULL);

	fake_process(201, FIRST)->refusal = -ESRCH;
	assert_int_equal(step(session, 0), 1);
	assert_int_equal(count(session), 1);
	assert_int_equal(tide_session_unwatched(session, NULL), 0);
	tide_session_close(session);
}

static void a_program_that_is_executed_is_a_new_target(void **state)
{
	struct tide_session *session = open_session(NULL);
	struct fake_process *child = fake_process(201, FIRST);

	assert_int_equal(step(session, 0), 1);
	assert_int_equal(count(session), 2);
	child->program = 1;
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 3);
	assert_int_equal(tide_target_pid(tide_session_target(session, 2)), 201);
	assert_int_equal(fake.nr_retired, 1);
	/* While the program is being loaded it cannot be opened: later. */
	child->program = 2;
	child->refusal = -ESRCH;
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 3);
	child->refusal = 0;
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 4);
	tide_session_close(session);
}

/* The sensor is the first to notice, and says that the last target has gone. */
static void A6_the_last_target_that_executes_something_does_not_end_it(void **state)
{
	struct tide_session *session = open_session(NULL);

	assert_int_equal(step(session, 0), 1);
	fake.processes[0].program = 1;
	fake.steps[1].result = -ESRCH;
	assert_int_equal(step(session, 5), 1);
	assert_int_equal(count(session), 2);
	assert_int_equal(step(session, 5), 1);
	/* A program that we may not watch is the end, and is told. */
	fake.processes[0].program = 2;
	fake.processes[0].refusal = -EPERM;
	fake.steps[3].result = -ESRCH;
	assert_int_equal(step(session, 5), -ESRCH);
	assert_int_equal(tide_session_unwatched(session, NULL), 1);
	tide_session_close(session);
}

static void a_child_that_may_not_be_watched_is_told_once(void **state)
{
	struct tide_session *session = open_session(NULL);
	const char *why = NULL;

	assert_int_equal(step(session, 0), 1);
	assert_int_equal(tide_session_unwatched(session, &why), 0);
	assert_string_equal(why, "");
	fake_process(201, FIRST)->refusal = -EPERM;
	fake_process(202, FIRST);
	for (int i = 0; i < 5; i++)
		assert_int_equal(step(session, 1000), 1);
	assert_int_equal(tide_session_unwatched(session, &why), 1);
	assert_string_equal(why, "process 201 is not ours");
	assert_int_equal(count(session), 2);
	assert_int_equal(fake.nr_tries, 3); /* nor asked again */
	/* Its number is free again. */
	fake_process_exit(201);
	assert_int_equal(step(session, 1000), 1);
	fake_process(201, FIRST);
	assert_int_equal(step(session, 1000), 1);
	assert_true(is_watched(session, 201));
	tide_session_close(session);
}

static void we_do_not_watch_ourselves(void **state)
{
	struct tide_session *session = open_session(NULL);

	fake_process(getpid(), FIRST);
	assert_int_equal(step(session, 0), 1);
	assert_int_equal(count(session), 1);
	assert_int_equal(tide_session_unwatched(session, NULL), 0);
	tide_session_close(session);
}

/* A process that forks without end: 16 a look, 64 at a time, 1,024 in all, and the rest is counted up to a bound. */
static void a_fork_bomb_is_watched_within_bounds(void **state)
{
	struct tide_session *session = open_session(NULL);
	const char *why = NULL;

	assert_int_equal(step(session, 0), 1);
	for (pid_t pid = 1000; pid < 1200; pid++)
		fake_process(pid, FIRST);
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 1 + 16);
	for (int i = 0; i < 10; i++)
		assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 64);
	assert_int_equal(tide_session_unwatched(session, &why), 201 - 64);
	assert_non_null(strstr(why, "64 processes"));
	/* Room for others when some end. */
	for (pid_t pid = 1000; pid < 1010; pid++)
		fake_process_exit(pid);
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 64 + 10);
	assert_int_equal(tide_session_unwatched(session, NULL), 201 - 64 - 10);
	/* And so on: each second half of them ends, and others come. */
	for (pid_t pid = 2000; pid < 3700; pid++) {
		for (int i = 1; i < fake.nr_processes && count(session) < 1024; i++) {
			if (fake.processes[i].pid != 0 && is_watched(session, fake.processes[i].pid)) {
				fake_process_exit(fake.processes[i].pid);
				break;
			}
		}
		fake_process(pid, FIRST);
		if (pid % 16 == 0)
			assert_int_equal(step(session, 1000), 1);
	}
	assert_int_equal(count(session), 1024);
	assert_true(tide_session_unwatched(session, NULL) > 100);
	assert_true(fake.nr_targets <= 1024);
	assert_true(fake.nr_opened - fake.nr_retired <= 64);
	tide_session_close(session);
}

/* Nobody waits for the first look; in later ones opening stops others from being sampled, and is bounded. */
static void all_that_are_there_at_the_start_are_found_at_once(void **state)
{
	struct tide_session *session = open_session(NULL);
	struct tide_session_cost cost;

	for (pid_t pid = 1000; pid < 1040; pid++)
		fake_process(pid, FIRST);
	fake.open_ns = 30 * MS;
	assert_int_equal(step(session, 0), 1);
	assert_int_equal(count(session), 41);
	/* Which is no part of the time that was asked for. */
	tide_session_cost(session, &cost);
	assert_int_equal(cost.wall_ns, 0);
	for (pid_t pid = 2000; pid < 2020; pid++)
		fake_process(pid, FIRST);
	assert_int_equal(step(session, 1000), 1);
	assert_int_equal(count(session), 41 + 4); /* the fourth goes beyond 100 ms */
	tide_session_close(session);
}

/* 200 ms of processor time for a look: one every four seconds. */
static void dear_looks_are_made_less_often(void **state)
{
	struct tide_session *session = open_session(NULL);

	fake.look_cpu_ns = 200 * MS;
	assert_int_equal(step(session, 0), 1);
	for (int i = 0; i < 39; i++)
		assert_int_equal(step(session, 100), 1);
	assert_int_equal(fake.nr_looks, 1);
	assert_int_equal(step(session, 100), 1);
	assert_int_equal(fake.nr_looks, 2);
	tide_session_close(session);
}

/* Whatever fails, nothing stays open, and a child that could not be watched is said to be none. */
static void every_failing_call_leaves_nothing_open(void **state)
{
	struct tide_error err = { 0 };
	int nr_fds = fake_count_fds();

	for (int call = 1; call < 100; call++) {
		struct tide_session_opts opts = { .size = sizeof(opts), .flags = TIDE_SESSION_CHILDREN };
		struct tide_session *session = NULL;
		bool reached;

		begin(NULL);
		fake_process(201, FIRST);
		fake.fail_call = call;
		if (tide_session_open(&session, &opts, &err) == 0 &&
		    tide_session_add_pid(session, FIRST, NULL, 0, &err) == 0 && step(session, 0) == 1) {
			if (count(session) == 1)
				assert_int_equal(tide_session_unwatched(session, NULL), 1);
			fake_process(202, 201);
			(void)step(session, 1000);
			(void)step(session, 1000);
		}
		reached = fake.nr_calls >= call;
		tide_session_close(session);
		assert_int_equal(fake.nr_targets, 0);
		assert_int_equal(fake.nr_states, 0);
		assert_int_equal(fake_count_fds(), nr_fds);
		if (!reached) {
			assert_true(call > 8);
			return;
		}
	}
	fail_msg("no run went through");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(children_and_their_children_are_watched),
		TEST(without_being_asked_it_watches_nobody_else),
		TEST(A6_it_ends_with_the_last_process_whichever_that_is),
		TEST(a_number_that_was_given_to_another_process_is_not_watched),
		TEST(one_that_exits_before_it_is_opened_is_nobodys_failure),
		TEST(a_program_that_is_executed_is_a_new_target),
		TEST(A6_the_last_target_that_executes_something_does_not_end_it),
		TEST(a_child_that_may_not_be_watched_is_told_once),
		TEST(we_do_not_watch_ourselves),
		TEST(a_fork_bomb_is_watched_within_bounds),
		TEST(all_that_are_there_at_the_start_are_found_at_once),
		TEST(dear_looks_are_made_less_often),
		TEST(every_failing_call_leaves_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
