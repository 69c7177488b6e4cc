/* SPDX-License-Identifier: MIT */
/* This file reaches into processes that wait in a system call: it goes on and returns what it would have. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

enum {
	NR_RUNS = 10, /* injections while one call waits */
	SHORT_MS = 300,
};

/* Waits in one call and says how it went: 0 as it must. `wake` is read-only there, the test writes into it. */
typedef int wait_fn(int wake, int *word);

struct waiting {
	const char *name;
	wait_fn *fn;
	bool times_out; /* by itself; else it waits to be woken */
};

struct shared {
	wait_fn *fn;
	int word;   /* a futex */
	int result; /* what `fn` returned, 1 added; 0: not yet */
};

static int expect(long result, long wanted)
{
	return result == wanted ? 0 : result < 0 ? errno : 1000;
}

static int in_read(int wake, int *word)
{
	char byte;

	(void)word;
	return expect(read(wake, &byte, 1), 1);
}

static int in_poll(int wake, int *word)
{
	struct pollfd one = { .fd = wake, .events = POLLIN };

	(void)word;
	return expect(poll(&one, 1, -1), 1);
}

static int in_poll_timeout(int wake, int *word)
{
	struct pollfd one = { .fd = -1 };

	(void)wake, (void)word;
	return expect(poll(&one, 1, SHORT_MS), 0);
}

static int in_ppoll(int wake, int *word)
{
	struct pollfd one = { .fd = wake, .events = POLLIN };
	sigset_t all;
	sigset_t now;
	int result;

	(void)word;
	sigfillset(&all);
	result = expect(ppoll(&one, 1, NULL, &all), 1);
	/* The mask of before is back. */
	sigprocmask(SIG_BLOCK, NULL, &now);
	return result != 0 ? result : sigismember(&now, SIGUSR1) ? 1001 : 0;
}

static int in_select(int wake, int *word)
{
	struct timeval timeout = { .tv_sec = 60 };
	fd_set set;

	(void)word;
	FD_ZERO(&set);
	FD_SET(wake, &set);
	return expect(select(wake + 1, &set, NULL, NULL, &timeout), 1);
}

static int epoll_of(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
	return epfd;
}

static int in_epoll(int wake, int *word)
{
	struct epoll_event event;

	(void)word;
	return expect(epoll_wait(epoll_of(wake), &event, 1, -1), 1);
}

static int in_epoll_timeout(int wake, int *word)
{
	struct epoll_event event;

	(void)word;
	return expect(epoll_wait(epoll_of(wake), &event, 1, SHORT_MS), 0);
}

static int in_epoll_pwait(int wake, int *word)
{
	struct epoll_event event;
	sigset_t all;
	sigset_t now;
	int result;

	(void)word;
	sigfillset(&all);
	result = expect(epoll_pwait(epoll_of(wake), &event, 1, -1, &all), 1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	return result != 0 ? result : sigismember(&now, SIGUSR1) ? 1001 : 0;
}

static int in_nanosleep(int wake, int *word)
{
	struct timespec time = { .tv_nsec = SHORT_MS * 1000000 };

	(void)wake, (void)word;
	return expect(nanosleep(&time, NULL), 0);
}

static int in_nanosleep_absolute(int wake, int *word)
{
	struct timespec until;
	struct timespec now;

	(void)wake, (void)word;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SHORT_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
		return 1002;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec) ? 0 : 1003;
}

static int in_futex(int wake, int *word)
{
	(void)wake;
	return expect(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL), 0);
}

static int in_futex_timeout(int wake, int *word)
{
	struct timespec time = { .tv_nsec = SHORT_MS * 1000000 };

	(void)wake;
	return syscall(SYS_futex, word, FUTEX_WAIT, 0, &time) == -1 && errno == ETIMEDOUT ? 0 : errno;
}

static int in_sigtimedwait(int wake, int *word)
{
	struct timespec time = { .tv_sec = 60 };
	sigset_t set;

	(void)wake, (void)word;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return expect(sigtimedwait(&set, NULL, &time), SIGUSR2);
}

static int in_accept(int wake, int *word)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)wake, (void)word;
	/* An abstract name of the kernel's choice; a child connects when it is told. */
	bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t));
	listen(fd, 1);
	getsockname(fd, (struct sockaddr *)&name, &size);
	if (fork() == 0) {
		char byte;

		_exit(read(wake, &byte, 1) == 1 &&
		      connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, size) == 0);
	}
	return accept(fd, NULL, NULL) >= 0 ? 0 : errno;
}

static int in_recv_timeout(int wake, int *word)
{
	struct timeval timeout = { .tv_sec = 60 };
	char byte;
	int ends[2];

	(void)word;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return errno;
	setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (fork() == 0)
		_exit(read(wake, &byte, 1) == 1 && write(ends[1], &byte, 1) == 1);
	return expect(recv(ends[0], &byte, 1, 0), 1);
}

static int in_inotify_read(int wake, int *word)
{
	char events[256];
	char byte;
	char path[] = "/tmp/tidemark-XXXXXX";
	int fd = inotify_init1(IN_CLOEXEC);
	ssize_t got;

	(void)word;
	if (mkdtemp(path) == NULL || inotify_add_watch(fd, path, IN_DELETE_SELF) < 0)
		return errno;
	if (fork() == 0)
		_exit(read(wake, &byte, 1) == 1 && rmdir(path) == 0);
	got = read(fd, events, sizeof(events));
	return got > 0 ? 0 : errno;
}

static int in_semop(int wake, int *word)
{
	struct sembuf down = { .sem_op = -1 };
	struct sembuf up = { .sem_op = 1 };
	int id = semget(IPC_PRIVATE, 1, 0600);
	char byte;
	int result;

	(void)word;
	if (fork() == 0)
		_exit(read(wake, &byte, 1) == 1 && semop(id, &up, 1) == 0);
	result = expect(semop(id, &down, 1), 0);
	semctl(id, 0, IPC_RMID);
	return result;
}

static int in_wait4(int wake, int *word)
{
	char byte;
	pid_t pid = fork();

	(void)word;
	if (pid == 0)
		_exit(read(wake, &byte, 1) != 1);
	return expect(waitpid(pid, NULL, 0), pid);
}

static int in_eventfd_read(int wake, int *word)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t value = 1;
	char byte;

	(void)word;
	if (fork() == 0)
		_exit(read(wake, &byte, 1) == 1 && write(fd, &value, sizeof(value)) == sizeof(value));
	return expect(read(fd, &value, sizeof(value)), sizeof(value));
}

static const struct waiting waitings[] = {
	{ "read", in_read, false },
	{ "poll", in_poll, false },
	{ "poll with a timeout", in_poll_timeout, true },
	{ "ppoll", in_ppoll, false },
	{ "select", in_select, false },
	{ "epoll_wait", in_epoll, false },
	{ "epoll_wait with a timeout", in_epoll_timeout, true },
	{ "epoll_pwait", in_epoll_pwait, false },
	{ "nanosleep", in_nanosleep, true },
	{ "clock_nanosleep until", in_nanosleep_absolute, true },
	{ "futex", in_futex, false },
	{ "futex with a timeout", in_futex_timeout, true },
	{ "sigtimedwait", in_sigtimedwait, false },
	{ "accept", in_accept, false },
	{ "recv with SO_RCVTIMEO", in_recv_timeout, false },
	{ "read of inotify", in_inotify_read, false },
	{ "semop", in_semop, false },
	{ "wait4", in_wait4, false },
	{ "read of an eventfd", in_eventfd_read, false },
};

static int wait_as_told(int in, int out, void *arg)
{
	struct shared *shared = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child_say(out);
	shared->result = 1 + shared->fn(in, &shared->word);
	child_say(out);
	pause();
	return 0;
}

static void wake(struct victim *victim, struct shared *shared)
{
	child_tell(&victim->child);
	kill(victim->child.pid, SIGUSR2);
	__atomic_store_n(&shared->word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1);
}

static void reach_into(const struct waiting *waiting, struct shared *shared)
{
	struct victim victim;
	char byte;

	memset(shared, 0, sizeof(*shared));
	shared->fn = waiting->fn;
	victim_start(&victim, wait_as_told, shared);
	victim_wait_state(victim.child.pid, 'S');
	for (int i = 0; i < NR_RUNS; i++)
		victim_fetch_well(victim.target);
	if (!waiting->times_out) {
		victim_wait_state(victim.child.pid, 'S');
		if (shared->result != 0)
			fail_msg("%s ended with %d, nobody woke it", waiting->name, shared->result - 1);
		wake(&victim, shared);
	}
	assert_int_equal(read(victim.child.ready, &byte, 1), 1);
	if (shared->result != 1)
		fail_msg("%s ended with %d (%s)", waiting->name, shared->result - 1, strerror(shared->result - 1));
	victim_end(&victim);
}

static void each_call_goes_on(void **state)
{
	struct shared *shared = victim_shared(sizeof(*shared));

	(void)state;
	for (size_t i = 0; i < sizeof(waitings) / sizeof(waitings[0]); i++)
		reach_into(&waitings[i], shared);
}

static void each_call_goes_on_without_self_restoring(void **state)
{
	setenv("TIDEMARK_FAULT", "no-self-restore", 1);
	each_call_goes_on(state);
	unsetenv("TIDEMARK_FAULT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_goes_on),
		cmocka_unit_test(each_call_goes_on_without_self_restoring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
