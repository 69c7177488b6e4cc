/* SPDX-License-Identifier: MIT */
/* This file tests targets with threads, which may end in any order, the main thread first. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target-steps.h"

/* Two threads beside the main one; each step ends one of the three. */
struct threads {
	int in;
	int out;
	pthread_t first;
	pthread_barrier_t *started;
	pthread_barrier_t *main_told;
	pid_t *tids;
};

static void *wait_and_end(void *arg)
{
	struct threads *threads = arg;

	threads->tids[0] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(threads->started);
	pthread_barrier_wait(threads->main_told);
	child_pause(threads->in);
	return NULL;
}

static void *outlive(void *arg)
{
	struct threads *threads = arg;

	threads->tids[1] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(threads->started);
	pthread_join(threads->first, NULL);
	child_serve(threads->in, threads->out);
	return NULL;
}

static int end_main_thread(int in, int out, void *tids)
{
	static struct threads threads;
	static pthread_barrier_t started;
	static pthread_barrier_t main_told;
	pthread_t second;

	threads = (struct threads){ .in = in, .out = out, .started = &started, .main_told = &main_told, .tids = tids };
	pthread_barrier_init(&started, NULL, 3);
	pthread_barrier_init(&main_told, NULL, 2);
	pthread_create(&threads.first, NULL, wait_and_end, &threads);
	pthread_create(&second, NULL, outlive, &threads);
	pthread_barrier_wait(&started);
	child_say(out);
	child_pause(in);
	pthread_barrier_wait(&main_told);
	pthread_exit(NULL);
}

static pid_t *shared_tids(void)
{
	pid_t *tids = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(tids, MAP_FAILED);
	return tids;
}

static void a_thread_is_not_a_process(void **state)
{
	struct child *child = *state;
	pid_t *tids = shared_tids();
	char sentence[100];

	child_start(child, end_main_thread, tids);
	snprintf(sentence, sizeof(sentence), "%d is a thread of process %d: use that", tids[1], child->pid);
	assert_refused(tids[1], TIDE_CAUSE_USAGE, sentence);
	munmap(tids, PAGE);
}

/* Until the thread is a zombie, or no more. It was told to go: this ends. */
static void wait_for_end(pid_t pid, pid_t tid)
{
	struct procfs_stat stat = { .state = 'R' };
	int dir = procfs_open(pid);

	assert_true(dir >= 0);
	while (procfs_read_stat(dir, tid, &stat) == 0 && stat.state != 'Z')
		usleep(1000);
	close(dir);
}

static void threads_may_end_in_any_order(void **state)
{
	struct child *child = *state;
	pid_t *tids = shared_tids();
	struct tide_target *early;
	struct tide_target *late;
	struct tide_error err = { 0 };
	pid_t tid;

	child_start(child, end_main_thread, tids);
	early = open_target(child->pid);
	assert_int_equal(target_live_thread(early, &tid, &err), 0);
	assert_int_equal(tid, child->pid);
	refresh(early);
	child_tell(child);
	wait_for_end(child->pid, child->pid);

	/* The main thread is a zombie, the process is not. */
	late = open_target(child->pid);
	assert_int_equal(target_start_ticks(late), target_start_ticks(early));
	assert_int_equal(target_live_thread(late, &tid, &err), 0);
	assert_int_equal(tid, tids[0]);
	assert_same(refresh(early), refresh(late));
	assert_true(tide_target_layout(late)->nr_mappings > 5);
	assert_valid(early);
	assert_valid(late);

	/* The thread through which the second target was opened ends too. */
	child_step(child);
	wait_for_end(child->pid, tids[0]);
	assert_valid(early);
	assert_valid(late);
	assert_same(refresh(early), refresh(late));
	assert_true(tide_target_layout(late)->nr_mappings > 5);
	assert_int_equal(target_live_thread(late, &tid, &err), 0);
	assert_int_equal(tid, tids[1]);

	child_kill(child);
	assert_gone(early, "exited");
	assert_gone(late, "exited");
	tide_target_close(early);
	tide_target_close(late);
	munmap(tids, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(a_thread_is_not_a_process),
		EACH_WAY(threads_may_end_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
