/* SPDX-License-Identifier: MIT */
/* This file tests the handler of write tracking by mprotect: threads, the program's own handlers, forks, the end. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mprotect-steps.h"

enum {
	AREA = 1 << 20,
	NR = AREA / PAGE,
	NR_WRITERS = 4,
	NR_ROUNDS = 30,
	NR_EPOCHS = 10, /* of a round, while they write */
	READ_WRITE = PROT_READ | PROT_WRITE,
};

struct writer {
	pthread_t thread;
	unsigned char *memory;
	unsigned number;
	bool is_ending;
};

/* Each page, in no order, gets ever new values: each writer has a word of its own in it. */
static void *write_on(void *arg)
{
	struct writer *self = arg;
	uint32_t seed = self->number + 1;

	for (uint32_t value = 1; !__atomic_load_n(&self->is_ending, __ATOMIC_SEQ_CST); value++) {
		volatile uint32_t *word;

		seed = seed * 1664525 + 1013904223;
		word = (volatile uint32_t *)(void *)(self->memory + (seed >> 8) % NR * PAGE);
		word[self->number] = value;
	}
	return NULL;
}

static void start_writers(struct writer *writers, unsigned char *memory)
{
	for (unsigned i = 0; i < NR_WRITERS; i++) {
		writers[i] = (struct writer){ .memory = memory, .number = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
	}
}

static void end_writers(struct writer *writers)
{
	for (unsigned i = 0; i < NR_WRITERS; i++)
		__atomic_store_n(&writers[i].is_ending, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < NR_WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
}

/* Nothing is replaced here: memory that is `over` was lifted by a handler that nobody waited for. */
static void C1_mprotect_threads_that_write_lose_nothing(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct writer writers[NR_WRITERS];
	struct guard self;
	size_t nr = 0;

	(void)state;
	guard_open(&self, memory, AREA);
	for (int round = 0; round < NR_ROUNDS; round++) {
		start_writers(writers, memory);
		for (int epoch = 0; epoch < NR_EPOCHS; epoch++) {
			nr += guard_collect(&self);
			assert_int_equal(self.told.over_bytes, 0);
		}
		end_writers(writers);
		guard_collect(&self);
		assert_int_equal(self.told.over_bytes, 0);
		guard_compare(&self);
		assert_int_equal(guard_collect(&self), 0);
	}
	assert_true(nr > 0);
	guard_close(&self);
	munmap(memory, AREA);
}

static void C1_mprotect_opens_and_closes_while_threads_write(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct writer writers[NR_WRITERS];
	struct guard self;

	(void)state;
	start_writers(writers, memory);
	for (int i = 0; i < 200; i++) {
		guard_open(&self, memory, AREA);
		guard_collect(&self);
		guard_close(&self);
	}
	end_writers(writers);
	munmap(memory, AREA);
}

/* The program's own faults. */
static struct {
	unsigned char *volatile watched, *volatile page;
	sigjmp_buf back;
	volatile int nr, code;
	volatile uintptr_t at;
	volatile bool is_blocked;
} own;

static void mend(int signal, siginfo_t *info, void *context)
{
	sigset_t blocked;

	own.nr++;
	own.code = info->si_code;
	own.at = (uintptr_t)info->si_addr;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	own.is_blocked = context != NULL && signal == SIGSEGV && sigismember(&blocked, SIGUSR1) &&
	                 !sigismember(&blocked, SIGUSR2); /* what it asked for, and no more */
	own.watched[3 * PAGE] = 9;                        /* which a handler may write, too */
	mprotect(own.page, PAGE, READ_WRITE);
	errno = EXDEV;
}

static void jump(int signal)
{
	own.nr += signal == SIGSEGV;
	siglongjmp(own.back, 1);
}

static void handle(void (*fn)(int), void (*info_fn)(int, siginfo_t *, void *), int flags, struct sigaction *before)
{
	struct sigaction action = { .sa_flags = flags };

	sigaddset(&action.sa_mask, SIGUSR1);
	if (info_fn != NULL) {
		action.sa_flags |= SA_SIGINFO;
		action.sa_sigaction = info_fn;
	} else {
		action.sa_handler = fn;
	}
	assert_int_equal(sigaction(SIGSEGV, &action, before), 0);
}

static void own_begin(struct guard *self)
{
	own.watched = guard_map(AREA, READ_WRITE);
	own.page = guard_map(PAGE, PROT_READ);
	own.nr = 0;
	guard_open(self, own.watched, AREA);
}

static void own_end(struct guard *self, const struct sigaction *before)
{
	guard_close(self);
	munmap(own.watched, AREA);
	munmap(own.page, PAGE);
	if (before != NULL)
		sigaction(SIGSEGV, before, NULL);
}

static void C1_mprotect_passes_on_faults_with_all_that_is_known(void **state)
{
	struct sigaction before, after;
	struct guard self;

	(void)state;
	handle(NULL, mend, 0, &before);
	own_begin(&self);
	errno = ENOTTY;
	own.watched[0] = 1;
	assert_int_equal(errno, ENOTTY);
	own.page[5] = 1;
	assert_int_equal(own.nr, 1);
	assert_int_equal(own.at, (uintptr_t)own.page + 5);
	assert_int_equal(own.code, SEGV_ACCERR);
	assert_true(own.is_blocked);
	mprotect(own.page, PAGE, PROT_NONE);
	assert_int_equal(*(volatile unsigned char *)own.page, 0);
	assert_int_equal(own.nr, 2);
	/* In watched memory, but of the program's own making. */
	mprotect(own.watched + PAGE, PAGE, PROT_NONE);
	own.page = own.watched + PAGE;
	assert_int_equal(*(volatile unsigned char *)own.page, 0);
	assert_int_equal(own.nr, 3);
	assert_int_equal(guard_collect(&self), 3); /* what was mended is new */
	assert_int_equal(self.pages[0], TIDE_EXACT);
	assert_int_equal(self.pages[1], TIDE_OVER);
	assert_int_equal(self.pages[3], TIDE_EXACT);
	own_end(&self, NULL);
	sigaction(SIGSEGV, NULL, &after);
	assert_true(after.sa_flags & SA_SIGINFO && after.sa_sigaction == mend);
	sigaction(SIGSEGV, &before, NULL);
}

static void C1_mprotect_passes_on_faults_to_those_that_do_not_return(void **state)
{
	struct sigaction before;
	struct guard self;

	(void)state;
	handle(jump, NULL, 0, &before);
	own_begin(&self);
	for (int i = 0; i < 10; i++) {
		if (sigsetjmp(own.back, 1) == 0)
			own.page[0] = 1;
		own.watched[i * PAGE] = 1;
		assert_int_equal(guard_collect(&self), 1);
	}
	assert_int_equal(own.nr, 10);
	own_end(&self, &before);
}

/* What becomes of a child that watches, under this handler, and then does `fn`: the signal that ends it, or 0. */
static int fate(void (*handler)(int), int flags, void (*fn)(void))
{
	pid_t pid = fork();
	struct guard self;
	int status;

	if (pid == 0) {
		handle(handler, NULL, flags, NULL);
		own_begin(&self);
		own.watched[0] = 1;
		fn();
		own.watched[PAGE] = 1;
		_exit(guard_collect(&self) == 2 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void write_own(void)
{
	own.page[0] = 1;
}

static void send_one(void)
{
	raise(SIGSEGV);
}

static void fault_twice(void)
{
	if (sigsetjmp(own.back, 1) == 0)
		own.page[0] = 1;
	own.page[0] = 1;
}

static void do_nothing(void)
{
}

static void C1_mprotect_faults_without_a_handler_end_the_process(void **state)
{
	(void)state;
	assert_int_equal(fate(SIG_DFL, 0, do_nothing), 0);
	assert_int_equal(fate(SIG_DFL, 0, write_own), SIGSEGV);
	assert_int_equal(fate(SIG_DFL, 0, send_one), SIGSEGV);
	assert_int_equal(fate(SIG_IGN, 0, write_own), SIGSEGV);
	assert_int_equal(fate(SIG_IGN, 0, send_one), 0);
	assert_int_equal(fate(jump, SA_RESETHAND, fault_twice), SIGSEGV);
}

static struct sigaction below; /* what pass_on() was put on top of */

static void pass_on(int signal, siginfo_t *info, void *context)
{
	own.nr++;
	if (below.sa_flags & SA_SIGINFO)
		below.sa_sigaction(signal, info, context);
	else
		below.sa_handler(signal);
}

/* Somebody is on top of ours, and calls it: it stays, harmless, and a new watch does not go round in circles. */
static void C1_mprotect_under_another_handler_stays_and_passes_on(void **state)
{
	struct sigaction before, after;
	struct guard self;

	(void)state;
	handle(NULL, mend, 0, &before);
	own_begin(&self);
	handle(NULL, pass_on, 0, &below);
	own.watched[0] = 1;
	assert_int_equal(own.nr, 1);
	assert_int_equal(guard_collect(&self), 1);
	guard_close(&self);
	sigaction(SIGSEGV, NULL, &after);
	assert_true(after.sa_sigaction == pass_on);
	own.page[0] = 1;
	assert_int_equal(own.nr, 3); /* both of the program's */
	mprotect(own.page, PAGE, PROT_READ);
	guard_open(&self, own.watched, AREA);
	own.watched[0] = 2;
	assert_int_equal(own.nr, 3);
	own.page[0] = 2;
	assert_int_equal(own.nr, 5);
	assert_int_equal(guard_collect(&self), 2); /* mend() writes one */
	guard_close(&self);
	sigaction(SIGSEGV, NULL, &after);
	assert_true(after.sa_sigaction == pass_on);
	sigaction(SIGSEGV, &below, NULL);
	/* Ours is on top again. */
	guard_open(&self, own.watched, AREA);
	own.watched[0] = 3;
	assert_int_equal(guard_collect(&self), 1);
	own_end(&self, NULL);
	sigaction(SIGSEGV, NULL, &after);
	assert_true(after.sa_sigaction == mend);
	sigaction(SIGSEGV, &before, NULL);
}

static int live_on(unsigned char *memory, struct guard *self)
{
	struct tide_run runs[8];

	for (size_t i = 0; i < NR; i += 2)
		memory[i * PAGE] = 7;
	if (memory[0] != 7 || memory[PAGE] != 1)
		return 1;
	if (tide_watch_collect(self->watch, runs, 8, &self->err) != -EOPNOTSUPP)
		return 2;
	tide_watch_close(self->watch);
	memset(memory, 8, AREA);
	if (!is_writable(memory))
		return 3;
	/* It may watch itself. */
	guard_open(self, memory, AREA);
	memory[5 * PAGE] = 9;
	return guard_collect(self) == 1 ? 0 : 4;
}

static void C1_mprotect_a_child_after_fork_is_unharmed_and_not_watched(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct writer writers[NR_WRITERS];
	struct guard self;
	pid_t pid;
	int status;

	(void)state;
	memset(memory, 1, AREA);
	guard_open(&self, memory, AREA);
	memory[PAGE] = 1;
	pid = fork();
	if (pid == 0)
		_exit(live_on(memory, &self));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(guard_collect(&self), 1);
	assert_int_equal(memory[0], 1);
	/* Whatever the other threads are at. */
	start_writers(writers, memory);
	for (int i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0) {
			memset(memory, 3, AREA);
			tide_watch_close(self.watch);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		guard_collect(&self);
	}
	end_writers(writers);
	guard_close(&self);
	munmap(memory, AREA);
}

static void C1_mprotect_leaves_protection_and_handler_as_they_were(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct sigaction before, after;
	struct guard self;

	(void)state;
	mprotect(memory, PAGE, PROT_READ);
	mprotect(memory + PAGE, PAGE, READ_WRITE | PROT_EXEC);
	sigaction(SIGSEGV, NULL, &before);
	guard_open(&self, memory, AREA);
	assert_false(is_writable(memory + PAGE));
	assert_false(is_writable(memory + 2 * PAGE));
	memory[PAGE] = memory[5 * PAGE] = 1;
	assert_int_equal(guard_collect(&self), 2);
	memory[5 * PAGE] = 1;
	munmap(memory + 9 * PAGE, PAGE);
	mprotect(memory + 11 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	guard_close(&self);
	assert_false(is_writable(memory));
	assert_true(is_writable(memory + PAGE));
	assert_true(is_writable(memory + 2 * PAGE));
	assert_true(is_writable(memory + 5 * PAGE));
	assert_false(is_writable(memory + 11 * PAGE));
	sigaction(SIGSEGV, NULL, &after);
	assert_true(before.sa_sigaction == after.sa_sigaction && before.sa_flags == after.sa_flags);
	munmap(memory, AREA);
}

static void refused(unsigned char *memory, size_t size, enum tide_cause cause, const char *part)
{
	struct guard self = { 0 };

	assert_true(guard_try(&self, memory, size) < 0);
	assert_int_equal(self.err.cause, cause);
	if (strstr(self.err.text, part) == NULL)
		fail_msg("'%s' is not in: %s", part, self.err.text);
	guard_close(&self);
}

static void C1_mprotect_says_what_it_cannot_watch(void **state)
{
	unsigned char *memory = guard_map(AREA, READ_WRITE);
	struct tide_range range = { (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + AREA };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .backend = "mprotect" };
	struct guard self = { 0 };
	sigset_t set, old;

	(void)state;
	refused(NULL, 0, TIDE_CAUSE_USAGE, "name ranges");
	refused((unsigned char *)((uintptr_t)&self & ~(uintptr_t)(PAGE - 1)), 4 * PAGE, TIDE_CAUSE_UNSUPPORTED,
	        "leave out stacks");
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	refused(memory, AREA, TIDE_CAUSE_USAGE, "unblock it");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(tide_target_open(&self.target, getppid(), &self.err), 0);
	assert_true(tide_watch_open(&self.watch, self.target, &opts, &self.err) < 0);
	assert_int_equal(self.err.cause, TIDE_CAUSE_UNSUPPORTED);
	assert_non_null(strstr(self.err.text, "name uffd_async"));
	guard_close(&self);
	munmap(memory, AREA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(C1_mprotect_threads_that_write_lose_nothing),
		cmocka_unit_test(C1_mprotect_opens_and_closes_while_threads_write),
		cmocka_unit_test(C1_mprotect_passes_on_faults_with_all_that_is_known),
		cmocka_unit_test(C1_mprotect_passes_on_faults_to_those_that_do_not_return),
		cmocka_unit_test(C1_mprotect_faults_without_a_handler_end_the_process),
		cmocka_unit_test(C1_mprotect_under_another_handler_stays_and_passes_on),
		cmocka_unit_test(C1_mprotect_a_child_after_fork_is_unharmed_and_not_watched),
		cmocka_unit_test(C1_mprotect_leaves_protection_and_handler_as_they_were),
		cmocka_unit_test(C1_mprotect_says_what_it_cannot_watch),
	};

	return cmocka_run_group_tests_name("watch-mprotect-life", tests, NULL, NULL);
}
