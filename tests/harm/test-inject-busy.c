/* SPDX-License-Identifier: MIT */
/* This file reaches into processes that do much at once: threads, signals, restartable sequences. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "victim.h"

enum {
	NR_THREADS = 63, /* and the main one */
	NR_RUNS = 100,
	NR_SIGNALS = 2000,
	NR_SEQUENCE_RUNS = 200,
};

struct ends {
	int in;
	int out;
};

static void *serve_from_thread(void *arg)
{
	const struct ends *ends = arg;
	struct procfs_stat stat = { 0 };
	int dir = procfs_open(getpid());

	while (procfs_read_stat(dir, 0, &stat) == 0 && stat.state != 'Z')
		usleep(500);
	close(dir);
	child_serve(ends->in, ends->out);
	return NULL;
}

static int serve_without_main_thread(int in, int out, void *unused)
{
	static struct ends ends;
	pthread_t thread;

	(void)unused;
	ends = (struct ends){ in, out };
	if (pthread_create(&thread, NULL, serve_from_thread, &ends) != 0)
		return 1;
	syscall(SYS_exit, 0);
	return 1;
}

static void the_main_thread_may_have_exited(void **state)
{
	struct victim victim;
	char *before;

	(void)state;
	victim_start(&victim, serve_without_main_thread, NULL);
	before = victim_look(victim.child.pid, false);
	for (int i = 0; i < 5; i++) {
		victim_fetch_well(victim.target);
		child_step(&victim.child);
	}
	victim_compare(before, victim_look(victim.child.pid, false), "after a fetch");
	free(before);
	victim_end(&victim);
}

/* Some threads spin, most wait where a stop would show. */
struct crowd {
	unsigned long nr_turns;
	unsigned long nr_waiting;
	unsigned long nr_interrupted;
};

static void *spin(void *arg)
{
	struct crowd *crowd = arg;

	for (;;)
		__atomic_add_fetch(&crowd->nr_turns, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *wait_for_ever(void *arg)
{
	struct crowd *crowd = arg;
	struct epoll_event event;
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	__atomic_add_fetch(&crowd->nr_waiting, 1, __ATOMIC_SEQ_CST);
	while (epoll_wait(epfd, &event, 1, -1) < 0)
		__atomic_add_fetch(&crowd->nr_interrupted, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int serve_with_threads(int in, int out, void *arg)
{
	struct crowd *crowd = arg;
	unsigned long nr_waiting = 0;
	pthread_t thread;

	for (int i = 0; i < NR_THREADS; i++) {
		if (pthread_create(&thread, NULL, i % 16 == 0 ? spin : wait_for_ever, crowd) != 0)
			return 1;
		nr_waiting += i % 16 != 0;
	}
	while (__atomic_load_n(&crowd->nr_waiting, __ATOMIC_SEQ_CST) < nr_waiting)
		usleep(500);
	child_serve(in, out);
	return 0;
}

static void many_threads_notice_nothing(void **state)
{
	struct crowd *crowd = victim_shared(sizeof(*crowd));
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;
	uint64_t least = UINT64_MAX;
	char *before;

	(void)state;
	victim_start(&victim, serve_with_threads, crowd);
	before = victim_look(victim.child.pid, false);
	for (int i = 0; i < 20; i++) {
		unsigned long count = crowd->nr_turns;

		if (victim_fetch(victim.target, &cost, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(cost.nr_threads, NR_THREADS + 1);
		least = cost.stopped_ns < least ? cost.stopped_ns : least;
		while (__atomic_load_n(&crowd->nr_turns, __ATOMIC_RELAXED) == count)
			usleep(500);
	}
	print_message("%d threads stood still for %lu us at least\n", NR_THREADS + 1, (unsigned long)least / 1000);
	victim_compare(before, victim_look(victim.child.pid, false), "after the fetches");
	assert_int_equal(crowd->nr_interrupted, 0);
	free(before);
	child_step(&victim.child);
	victim_end(&victim);
}

static int last_of(void *last, pid_t tid)
{
	*(pid_t *)last = tid;
	return 0;
}

static int trace_last(int in, int out, void *arg)
{
	int dir = procfs_open(*(pid_t *)arg);
	pid_t last = 0;

	if (procfs_each_thread(dir, last_of, &last) != 0 || ptrace(PTRACE_SEIZE, last, NULL, NULL) != 0)
		return 1;
	child_serve(in, out);
	return 0;
}

/* All but one were told to stop when that one refuses: their calls go on as well. */
static void nobody_is_interrupted_by_a_refusal(void **state)
{
	struct crowd *crowd = victim_shared(sizeof(*crowd));
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;
	struct child tracer;

	(void)state;
	victim_start(&victim, serve_with_threads, crowd);
	victim_fetch_well(victim.target);
	child_start(&tracer, trace_last, &victim.child.pid);
	for (int i = 0; i < 10; i++)
		assert_int_equal(victim_fetch(victim.target, &cost, &err), -EBUSY);
	assert_non_null(strstr(err.text, "traced"));
	child_end(&tracer);
	victim_fetch_well(victim.target);
	assert_int_equal(crowd->nr_interrupted, 0);
	victim_end(&victim);
}

static int trace_for_a_moment(int in, int out, void *arg)
{
	if (ptrace(PTRACE_SEIZE, *(pid_t *)arg, NULL, NULL) != 0)
		return 1;
	child_say(out);
	usleep(150000);
	return 0;
}

static int serve_alone(int in, int out, void *unused)
{
	(void)unused;
	child_serve(in, out);
	return 0;
}

/* As when another watch begins, or one was killed just now. */
static void who_is_traced_for_a_moment_is_waited_for(void **state)
{
	struct victim victim;
	struct child tracer;

	(void)state;
	victim_start(&victim, serve_alone, NULL);
	child_start(&tracer, trace_for_a_moment, &victim.child.pid);
	victim_fetch_well(victim.target);
	child_end(&tracer);
	victim_end(&victim);
}

static void *come_and_go(void *arg)
{
	(void)arg;
	return NULL;
}

static int serve_with_short_threads(int in, int out, void *arg)
{
	unsigned long *count = arg;
	pthread_t thread;

	(void)in;
	child_say(out);
	for (;;) {
		if (pthread_create(&thread, NULL, come_and_go, NULL) != 0 || pthread_join(thread, NULL) != 0)
			return 1;
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void threads_that_come_and_go_are_caught(void **state)
{
	unsigned long *count = victim_shared(sizeof(*count));
	struct victim victim;

	(void)state;
	victim_start(&victim, serve_with_short_threads, count);
	for (int i = 0; i < NR_RUNS; i++) {
		unsigned long before = __atomic_load_n(count, __ATOMIC_RELAXED);

		victim_fetch_well(victim.target);
		while (__atomic_load_n(count, __ATOMIC_RELAXED) == before)
			usleep(200);
	}
	victim_end(&victim);
}

/* What the handler counts, and the sum of the values that came with the signals. */
struct heard {
	unsigned long nr;
	unsigned long sum;
	unsigned long nr_turns;
};

static struct heard *heard;

static void hear_value(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	__atomic_add_fetch(&heard->sum, (unsigned long)info->si_value.sival_int, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&heard->nr, 1, __ATOMIC_SEQ_CST);
}

static int serve_signals(int in, int out, void *arg)
{
	struct sigaction action = { .sa_sigaction = hear_value, .sa_flags = SA_SIGINFO | SA_RESTART };

	heard = arg;
	sigaction(SIGRTMIN + 1, &action, NULL);
	child_serve(in, out);
	return 0;
}

static int spin_through_signals(int in, int out, void *arg)
{
	struct sigaction action = { .sa_sigaction = hear_value, .sa_flags = SA_SIGINFO };

	(void)in;
	heard = arg;
	sigaction(SIGRTMIN + 1, &action, NULL);
	child_say(out);
	for (;;)
		__atomic_add_fetch(&heard->nr_turns, 1, __ATOMIC_RELAXED);
	return 0;
}

static void send_signals(pid_t pid)
{
	for (int i = 1; i <= NR_SIGNALS; i++) {
		while (sigqueue(pid, SIGRTMIN + 1, (union sigval){ .sival_int = i }) != 0)
			usleep(500);
		if (i % 10 == 0)
			usleep(500);
	}
}

static void storm(child_fn *fn)
{
	struct heard *count = victim_shared(sizeof(*count));
	struct victim victim;
	unsigned nr_runs = 0;
	int status;
	pid_t sender;

	victim_start(&victim, fn, count);
	sender = fork();
	if (sender == 0) {
		send_signals(victim.child.pid);
		_exit(0);
	}
	while (waitpid(sender, &status, WNOHANG) == 0 || nr_runs < 10) {
		victim_fetch_well(victim.target);
		nr_runs++;
	}
	/* All that were sent are heard in the end, each once. */
	while (__atomic_load_n(&count->nr, __ATOMIC_SEQ_CST) < NR_SIGNALS)
		usleep(500);
	victim_fetch_well(victim.target);
	assert_int_equal(count->nr, NR_SIGNALS);
	assert_int_equal(count->sum, (unsigned long)NR_SIGNALS * (NR_SIGNALS + 1) / 2);
	victim_end(&victim);
}

static void no_signal_is_lost(void **state)
{
	(void)state;
	storm(serve_signals);
	storm(spin_through_signals);
}

/* What the helper does is preceded by a signal to the target, which has the time to notice it. */
static struct {
	struct sys_table table;
	int request;
	int signal;
	int nr; /* in each run: the helper has a copy of this */
	pid_t pid;
	unsigned long *nr_sent; /* shared */
} ambush;

static long signal_first(int request, pid_t pid, void *addr, void *data)
{
	if (request == ambush.request && ambush.nr > 0) {
		ambush.nr--;
		if (sigqueue(ambush.pid, ambush.signal, (union sigval){ .sival_int = 1 }) == 0)
			__atomic_add_fetch(ambush.nr_sent, 1, __ATOMIC_SEQ_CST);
		usleep(2000);
	}
	return sys_table_linux.ptrace(request, pid, addr, data);
}

static void fetch_in_ambush(struct victim *victim, int request, int signal, int nr)
{
	ambush.table = sys_table_linux;
	ambush.table.ptrace = signal_first;
	ambush.request = request;
	ambush.signal = signal;
	ambush.nr = nr;
	ambush.pid = victim->child.pid;
	sys_table = &ambush.table;
	victim_fetch_well(victim->target);
	sys_table = &sys_table_linux;
}

static void a_signal_that_comes_before_the_stop_is_delivered(void **state)
{
	struct heard *count = victim_shared(sizeof(*count));
	struct victim victim;

	(void)state;
	ambush.nr_sent = victim_shared(sizeof(*ambush.nr_sent));
	victim_start(&victim, spin_through_signals, count);
	for (int i = 0; i < 20; i++) {
		/* Two calls to stop it, and the two ends of three calls: getpid, userfaultfd, close. */
		fetch_in_ambush(&victim, PTRACE_INTERRUPT, SIGRTMIN + 1, 2);
		fetch_in_ambush(&victim, PTRACE_SYSCALL, SIGRTMIN + 1, 6);
		while (__atomic_load_n(&count->nr, __ATOMIC_SEQ_CST) < *ambush.nr_sent)
			usleep(500);
		assert_int_equal(count->nr, *ambush.nr_sent);
	}
	assert_true(*ambush.nr_sent >= 20 * 8);
	victim_end(&victim);
}

/* At the beginning and in the middle of calls: they are made all the same, and then the process stands. */
static void a_stop_signal_in_the_middle_stops_it_afterwards(void **state)
{
	static const int requests[] = { PTRACE_INTERRUPT, PTRACE_SYSCALL };
	struct heard *count = victim_shared(sizeof(*count));
	struct victim victim;

	(void)state;
	ambush.nr_sent = victim_shared(sizeof(*ambush.nr_sent));
	victim_start(&victim, spin_through_signals, count);
	for (size_t i = 0; i < 2; i++) {
		unsigned long before;

		fetch_in_ambush(&victim, requests[i], SIGSTOP, 1);
		victim_wait_state(victim.child.pid, 'T');
		before = __atomic_load_n(&count->nr_turns, __ATOMIC_RELAXED);
		kill(victim.child.pid, SIGCONT);
		while (__atomic_load_n(&count->nr_turns, __ATOMIC_RELAXED) == before)
			usleep(500);
	}
	victim_end(&victim);
}

static void stop_and_continue(pid_t pid)
{
	for (int i = 0; i < 300; i++) {
		kill(pid, SIGSTOP);
		usleep(300);
		kill(pid, SIGCONT);
		usleep(300);
	}
}

/* SIGSTOP cannot be blocked: it comes in the middle of our calls, and is for the process, not for us. */
static void stop_signals_come_in_between(void **state)
{
	struct heard *count = victim_shared(sizeof(*count));
	struct victim victim;
	unsigned long before;
	int status;
	pid_t sender;

	(void)state;
	victim_start(&victim, spin_through_signals, count);
	sender = fork();
	if (sender == 0) {
		stop_and_continue(victim.child.pid);
		_exit(0);
	}
	while (waitpid(sender, &status, WNOHANG) == 0)
		victim_fetch_well(victim.target);
	before = __atomic_load_n(&count->nr_turns, __ATOMIC_RELAXED);
	while (__atomic_load_n(&count->nr_turns, __ATOMIC_RELAXED) == before)
		usleep(500);
	kill(victim.child.pid, SIGSTOP);
	victim_wait_state(victim.child.pid, 'T');
	victim_fetch_well(victim.target);
	victim_wait_state(victim.child.pid, 'T');
	victim_end(&victim);
}

/* The calls that are made inside write `stamp`; the sequence looks at it first and last. */
struct sequence {
	struct timespec stamp;
	unsigned long nr_done;
	unsigned long nr_aborts;
	unsigned long nr_torn;
};

/*
 * A restartable sequence that is interrupted never goes on: so nothing of ours can happen between its first and its
 * last instruction, and `stamp` does not change there.
 */
static void run_sequence(struct sequence *sequence, struct rseq *area)
{
	__asm__ volatile goto(".pushsection __rseq_cs, \"aw\"\n"
	                      ".balign 32\n"
	                      "3:\n"
	                      ".long 0, 0\n"
	                      ".quad 1f, 2f - 1f, 4f\n"
	                      ".popsection\n"
	                      "leaq 3b(%%rip), %%rax\n"
	                      "movq %%rax, 8(%[area])\n"
	                      "1:\n"
	                      "movq 8(%[sequence]), %%rax\n"
	                      "movl $20000, %%ecx\n"
	                      "5: decl %%ecx\n"
	                      "jnz 5b\n"
	                      "cmpq 8(%[sequence]), %%rax\n"
	                      "jne %l[torn]\n"
	                      "2:\n"
	                      "jmp %l[done]\n"
	                      ".byte 0x0f, 0xb9, 0x3d\n"
	                      ".long 0x53053053\n"
	                      "4:\n"
	                      "jmp %l[aborted]\n"
	                      :
	                      : [sequence] "r"(sequence), [area] "r"(area)
	                      : "memory", "cc", "rax", "rcx"
	                      : done, torn, aborted);
done:
	__atomic_add_fetch(&sequence->nr_done, 1, __ATOMIC_RELAXED);
	return;
torn:
	sequence->nr_torn++;
	return;
aborted:
	sequence->nr_aborts++;
}

static int run_sequences(int in, int out, void *arg)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if (__rseq_size == 0)
		return 1;
	child_say(out);
	while (in >= 0)
		run_sequence(arg, area);
	return 0;
}

static void restartable_sequences_are_restarted(void **state)
{
	struct sequence *sequence = victim_shared(sizeof(*sequence));
	struct inject_call call = {
		.nr = SYS_clock_gettime,
		.args = { CLOCK_MONOTONIC, (uintptr_t)&sequence->stamp },
	};
	struct tide_error err = { 0 };
	struct inject_cost cost;
	struct victim victim;

	(void)state;
	if (__rseq_size == 0)
		skip();
	victim_start(&victim, run_sequences, sequence);
	for (int i = 0; i < NR_SEQUENCE_RUNS; i++) {
		unsigned long before = __atomic_load_n(&sequence->nr_done, __ATOMIC_RELAXED);

		if (inject_run(victim.target, &call, 1, &cost, &err) < 0)
			fail_msg("%s", err.text);
		while (__atomic_load_n(&sequence->nr_done, __ATOMIC_RELAXED) == before)
			usleep(200);
	}
	/* Nearly all the time is spent in the sequence. */
	print_message("%lu aborts, %lu torn\n", sequence->nr_aborts, sequence->nr_torn);
	assert_true(sequence->nr_aborts >= NR_SEQUENCE_RUNS / 2);
	assert_int_equal(sequence->nr_torn, 0);
	victim_end(&victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_main_thread_may_have_exited),
		cmocka_unit_test(many_threads_notice_nothing),
		cmocka_unit_test(nobody_is_interrupted_by_a_refusal),
		cmocka_unit_test(who_is_traced_for_a_moment_is_waited_for),
		cmocka_unit_test(threads_that_come_and_go_are_caught),
		cmocka_unit_test(no_signal_is_lost),
		cmocka_unit_test(a_signal_that_comes_before_the_stop_is_delivered),
		cmocka_unit_test(a_stop_signal_in_the_middle_stops_it_afterwards),
		cmocka_unit_test(stop_signals_come_in_between),
		cmocka_unit_test(restartable_sequences_are_restarted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
