/* SPDX-License-Identifier: MIT */
/* This file wraps the table of system calls so that one of them fails. */
#include "fail-nth.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/sys.h"

/* What happens at the call. */
enum action {
	FAIL,
	KILL_HELPER, /* only calls of processes other than the arming one count */
	KILL_SELF,   /* only those of the arming one */
};

/* Shared with processes that are forked while it is armed: they count together. */
struct count {
	unsigned left; /* calls until the one that fails; 0: it has failed, or nothing is armed */
	int error;
	enum action action;
	pid_t armer;
	const char *name;
};

/* The members of the table carry no argument of ours, so this cannot live elsewhere. */
static struct sys_table table;
static struct count *count;

static bool is_counted(void)
{
	return count->action == FAIL || (count->action == KILL_SELF) == (getpid() == count->armer);
}

static bool due(const char *name)
{
	unsigned left = __atomic_load_n(&count->left, __ATOMIC_SEQ_CST);

	if (left == 0 || !is_counted())
		return false;
	while (left != 0 &&
	       !__atomic_compare_exchange_n(&count->left, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (left != 1)
		return false;
	count->name = name;
	if (count->action != FAIL)
		kill(getpid(), SIGKILL);
	errno = count->error;
	return true;
}

/* X-macro: member, its parameters, the same as arguments. All of them return a number, -1 on failure. */
#define NUMBER_CALLS(X)                                                                                                \
	X(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode))                                  \
	X(int, openat, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))                  \
	X(ssize_t, read, (int fd, void *buf, size_t size), (fd, buf, size))                                            \
	X(ssize_t, pread, (int fd, void *buf, size_t size, off_t offset), (fd, buf, size, offset))                     \
	X(ssize_t, getdents, (int fd, void *buf, size_t size), (fd, buf, size))                                        \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))                                  \
	X(int, mlock, (const void *addr, size_t size), (addr, size))                                                   \
	X(int, memfd_create, (const char *name, unsigned flags), (name, flags))                                        \
	X(int, ftruncate, (int fd, off_t size), (fd, size))                                                            \
	X(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))                                                  \
	X(int, pidfd_send_signal, (int pidfd, int signal), (pidfd, signal))                                            \
	X(ssize_t, process_madvise, (int pidfd, const struct iovec *ranges, size_t nr, int advice, unsigned flags),    \
	  (pidfd, ranges, nr, advice, flags))                                                                          \
	X(int, timerfd_create, (clockid_t clock, int flags), (clock, flags))                                           \
	X(int, timerfd_settime, (int fd, int flags, const struct itimerspec *value), (fd, flags, value))               \
	X(int, epoll_create, (int flags), (flags))                                                                     \
	X(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), (epfd, op, fd, event))                \
	X(int, epoll_wait, (int epfd, struct epoll_event *events, int nr, int timeout_ms),                             \
	  (epfd, events, nr, timeout_ms))                                                                              \
	X(int, bpf_iter_create, (int link_fd), (link_fd))                                                              \
	X(ssize_t, pwrite, (int fd, const void *buf, size_t size, off_t offset), (fd, buf, size, offset))              \
	X(int, madvise, (void *addr, size_t size, int advice), (addr, size, advice))                                   \
	X(int, userfaultfd, (int flags), (flags))                                                                      \
	X(int, pidfd_getfd, (int pidfd, int fd, unsigned flags), (pidfd, fd, flags))                                   \
	X(long, ptrace, (int request, pid_t pid, void *addr, void *data), (request, pid, addr, data))                  \
	X(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage), (pid, status, options, usage))    \
	X(long, kcmp, (pid_t one, pid_t other, int type, unsigned long first, unsigned long second),                   \
	  (one, other, type, first, second))                                                                           \
	X(pid_t, clone, (unsigned long flags), (flags))                                                                \
	X(int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))            \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))                   \
	X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))                         \
	X(ssize_t, readlinkat, (int dir, const char *path, char *buf, size_t size), (dir, path, buf, size))            \
	X(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old))                            \
	X(int, sigaction, (int signal, const struct sigaction *action, struct sigaction *old), (signal, action, old))  \
	X(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),                   \
	  (set, info, timeout))                                                                                        \
	X(pid_t, setsid, (void), ())                                                                                   \
	X(ssize_t, process_vm_readv,                                                                                   \
	  (pid_t pid, const struct iovec *local, unsigned long nr_local, const struct iovec *remote,                   \
	   unsigned long nr_remote, unsigned long flags),                                                              \
	  (pid, local, nr_local, remote, nr_remote, flags))                                                            \
	X(long, move_pages, (pid_t pid, unsigned long nr, void **pages, const int *nodes, int *status, int flags),     \
	  (pid, nr, pages, nodes, status, flags))                                                                      \
	X(int, io_uring_setup, (unsigned nr, void *params), (nr, params))                                              \
	X(int, io_uring_register, (int fd, unsigned what, const void *arg, unsigned nr), (fd, what, arg, nr))          \
	X(int, io_uring_enter, (int fd, unsigned submit, unsigned complete, unsigned flags),                           \
	  (fd, submit, complete, flags))                                                                               \
	X(int, mkdir, (const char *path, mode_t mode), (path, mode))                                                   \
	X(int, flock, (int fd, int operation), (fd, operation))                                                        \
	X(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))                          \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))                                 \
	X(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))                    \
	X(int, listen, (int fd, int nr), (fd, nr))                                                                     \
	X(int, connect, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))                 \
	X(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags))    \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),                                \
	  (fd, level, name, value, size))                                                                              \
	X(int, mprotect, (void *addr, size_t size, int prot), (addr, size, prot))                                      \
	X(int, raise, (int signal), (signal))

#define DEFINE(type, member, parameters, arguments)                                                                    \
	static type fail_##member parameters                                                                           \
	{                                                                                                              \
		return due(#member) ? -1 : sys_table_linux.member arguments;                                           \
	}
NUMBER_CALLS(DEFINE)

static void *fail_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	return due("mmap") ? MAP_FAILED : sys_table_linux.mmap(addr, size, prot, flags, fd, offset);
}

static void *fail_mremap(void *from, size_t old_size, size_t new_size, int flags, void *to)
{
	return due("mremap") ? MAP_FAILED : sys_table_linux.mremap(from, old_size, new_size, flags, to);
}

static int fail_close(int fd)
{
	int result = sys_table_linux.close(fd);

	return due("close") ? -1 : result;
}

static int fail_munmap(void *addr, size_t size)
{
	int result = sys_table_linux.munmap(addr, size);

	return due("munmap") ? -1 : result;
}

static void fail_exit(int code)
{
	(void)due("exit");
	sys_table_linux.exit(code);
}

/*
 * The helper waits in slices, and looks around after each: on a busy machine their number would say how many calls it
 * makes. What it waits for sends a signal, so it may as well wait longer.
 */
static int wait_longer(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	const struct timespec longer = { .tv_sec = timeout->tv_sec + 1, .tv_nsec = timeout->tv_nsec };

	return fail_sigtimedwait(set, info, &longer);
}

static void arm(unsigned nth, int error, enum action action)
{
	table = sys_table_linux;
	table.mmap = fail_mmap;
	table.mremap = fail_mremap;
	table.close = fail_close;
	table.munmap = fail_munmap;
#define SET(type, member, parameters, arguments) table.member = fail_##member;
	NUMBER_CALLS(SET)
	if (action != FAIL)
		table.exit = fail_exit;
	if (action == KILL_HELPER)
		table.sigtimedwait = wait_longer;
	if (count == NULL)
		count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*count = (struct count){ .left = nth, .error = error, .action = action, .armer = getpid() };
	sys_table = &table;
}

void fail_nth_arm(unsigned nth, int error)
{
	arm(nth, error, FAIL);
}

void fail_nth_kill_helper(unsigned nth)
{
	arm(nth, 0, KILL_HELPER);
}

void fail_nth_kill_self(unsigned nth)
{
	arm(nth, 0, KILL_SELF);
}

bool fail_nth_disarm(void)
{
	bool failed = count != NULL && count->left == 0;

	if (count != NULL)
		count->left = 0;
	sys_table = &sys_table_linux;
	return failed;
}

const char *fail_nth_name(void)
{
	return count != NULL && count->name != NULL ? count->name : "none";
}

unsigned fail_nth_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned nr = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		nr++;
	closedir(dir);
	return nr - 3; /* ".", ".." and the descriptor of the listing */
}
