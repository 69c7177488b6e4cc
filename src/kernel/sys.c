/* SPDX-License-Identifier: MIT */
/* This file makes system calls, and is the only one that reads errno. */
#include "kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int raw_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int raw_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags, mode);
}

static ssize_t raw_getdents(int fd, void *buf, size_t size)
{
	return syscall(SYS_getdents64, fd, buf, size);
}

static int raw_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static int raw_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int raw_pidfd_send_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static ssize_t raw_process_madvise(int pidfd, const struct iovec *ranges, size_t nr, int advice, unsigned flags)
{
	return syscall(SYS_process_madvise, pidfd, ranges, nr, advice, flags);
}

static int raw_timerfd_settime(int fd, int flags, const struct itimerspec *value)
{
	return timerfd_settime(fd, flags, value, NULL);
}

/* Not through libbpf: a program that only tracks writes is not linked with it. */
static int raw_bpf_iter_create(int link_fd)
{
	union bpf_attr attr = { .iter_create.link_fd = (uint32_t)link_fd };

	return (int)syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
}

static int raw_userfaultfd(int flags)
{
	return (int)syscall(SYS_userfaultfd, flags);
}

static int raw_pidfd_getfd(int pidfd, int fd, unsigned flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}

static long raw_ptrace(int request, pid_t pid, void *addr, void *data)
{
	return ptrace(request, pid, addr, data);
}

static long raw_kcmp(pid_t one, pid_t other, int type, unsigned long first, unsigned long second)
{
	return syscall(SYS_kcmp, one, other, type, first, second);
}

static void *raw_mremap(void *from, size_t old_size, size_t new_size, int flags, void *to)
{
	return mremap(from, old_size, new_size, flags, to);
}

static long raw_move_pages(pid_t pid, unsigned long nr, void **pages, const int *nodes, int *status, int flags)
{
	return syscall(SYS_move_pages, pid, nr, pages, nodes, status, flags);
}

static int raw_io_uring_setup(unsigned nr, void *params)
{
	return (int)syscall(SYS_io_uring_setup, nr, params);
}

static int raw_io_uring_register(int fd, unsigned what, const void *arg, unsigned nr)
{
	return (int)syscall(SYS_io_uring_register, fd, what, arg, nr);
}

static int raw_io_uring_enter(int fd, unsigned submit, unsigned complete, unsigned flags)
{
	return (int)syscall(SYS_io_uring_enter, fd, submit, complete, flags, NULL, 0);
}

static pid_t raw_clone(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

static int raw_close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

const struct sys_table sys_table_linux = {
	.open = raw_open,
	.openat = raw_openat,
	.close = close,
	.read = read,
	.pread = pread,
	.getdents = raw_getdents,
	.ioctl = raw_ioctl,
	.mmap = mmap,
	.munmap = munmap,
	.mlock = mlock,
	.memfd_create = memfd_create,
	.ftruncate = ftruncate,
	.pidfd_open = raw_pidfd_open,
	.pidfd_send_signal = raw_pidfd_send_signal,
	.process_madvise = raw_process_madvise,
	.clock_gettime = clock_gettime,
	.timerfd_create = timerfd_create,
	.timerfd_settime = raw_timerfd_settime,
	.epoll_create = epoll_create1,
	.epoll_ctl = epoll_ctl,
	.epoll_wait = epoll_wait,
	.bpf_iter_create = raw_bpf_iter_create,
	.pwrite = pwrite,
	.madvise = madvise,
	.userfaultfd = raw_userfaultfd,
	.pidfd_getfd = raw_pidfd_getfd,
	.ptrace = raw_ptrace,
	.wait4 = wait4,
	.kcmp = raw_kcmp,
	.clone = raw_clone,
	.socketpair = socketpair,
	.sendmsg = sendmsg,
	.recvmsg = recvmsg,
	.readlinkat = readlinkat,
	.sigprocmask = sigprocmask,
	.sigaction = sigaction,
	.sigtimedwait = sigtimedwait,
	.setsid = setsid,
	.exit = _exit,
	.process_vm_readv = process_vm_readv,
	.mremap = raw_mremap,
	.move_pages = raw_move_pages,
	.io_uring_setup = raw_io_uring_setup,
	.io_uring_register = raw_io_uring_register,
	.io_uring_enter = raw_io_uring_enter,
	.mkdir = mkdir,
	.flock = flock,
	.close_range = raw_close_range,
	.sched_yield = sched_yield,
	.nanosleep = nanosleep,
	.socket = socket,
	.bind = bind,
	.listen = listen,
	.connect = connect,
	.accept4 = accept4,
	.getsockopt = getsockopt,
	.mprotect = mprotect,
	.raise = raise,
};

const struct sys_table *sys_table = &sys_table_linux;

/* The result of a call in the raw convention as >= 0 or -errno; a call that a signal cut short is made again. */
#define RETRIED(type, call)                                                                                            \
	({                                                                                                             \
		type retried_;                                                                                         \
		do                                                                                                     \
			retried_ = (call);                                                                             \
		while (retried_ < 0 && errno == EINTR);                                                                \
		retried_ < 0 ? (type)-errno : retried_;                                                                \
	})

int sys_open(const char *path, int flags)
{
	return RETRIED(int, sys_table->open(path, flags | O_CLOEXEC, 0));
}

int sys_openat(int dir, const char *path, int flags)
{
	return RETRIED(int, sys_table->openat(dir, path, flags | O_CLOEXEC, 0));
}

int sys_create(const char *path, int flags, mode_t mode)
{
	return RETRIED(int, sys_table->open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode));
}

void sys_close(int fd)
{
	if (fd >= 0)
		sys_table->close(fd);
}

void sys_fd_cleanup(const int *fd)
{
	sys_close(*fd);
}

ssize_t sys_read(int fd, void *buf, size_t size)
{
	return RETRIED(ssize_t, sys_table->read(fd, buf, size));
}

ssize_t sys_pread(int fd, void *buf, size_t size, off_t offset)
{
	return RETRIED(ssize_t, sys_table->pread(fd, buf, size, offset));
}

ssize_t sys_getdents(int fd, void *buf, size_t size)
{
	return RETRIED(ssize_t, sys_table->getdents(fd, buf, size));
}

int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return RETRIED(int, sys_table->ioctl(fd, request, arg));
}

int sys_ioctl_once(int fd, unsigned long request, void *arg)
{
	int result = sys_table->ioctl(fd, request, arg);

	return result < 0 ? -errno : result;
}

int sys_mmap(void **out, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *addr = sys_table->mmap(NULL, size, prot, flags, fd, offset);

	if (addr == MAP_FAILED)
		return -errno;
	*out = addr;
	return 0;
}

void sys_munmap(void *addr, size_t size)
{
	if (addr != NULL)
		sys_table->munmap(addr, size);
}

int sys_mlock(const void *addr, size_t size)
{
	return RETRIED(int, sys_table->mlock(addr, size));
}

int sys_memfd_create(const char *name)
{
	return RETRIED(int, sys_table->memfd_create(name, MFD_CLOEXEC));
}

int sys_ftruncate(int fd, off_t size)
{
	return RETRIED(int, sys_table->ftruncate(fd, size));
}

int sys_pidfd_open(pid_t pid)
{
	return RETRIED(int, sys_table->pidfd_open(pid, 0));
}

int sys_pidfd_alive(int pidfd)
{
	int result = RETRIED(int, sys_table->pidfd_send_signal(pidfd, 0));

	if (result == 0 || result == -EPERM)
		return 1;
	return result == -ESRCH ? 0 : result;
}

int sys_pidfd_kill(int pidfd)
{
	return RETRIED(int, sys_table->pidfd_send_signal(pidfd, SIGKILL));
}

ssize_t sys_process_madvise(int pidfd, const struct iovec *ranges, size_t nr, int advice)
{
	/* Not retried: a call cut short has done part of its work, and says how much. */
	ssize_t result = sys_table->process_madvise(pidfd, ranges, nr, advice, 0);

	return result < 0 ? -errno : result;
}

uint64_t sys_clock_ns(clockid_t clock)
{
	struct timespec time = { 0 };

	sys_table->clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int sys_timerfd_create(void)
{
	return RETRIED(int, sys_table->timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

int sys_timerfd_arm(int fd, uint64_t at_ns)
{
	/* An all-zero time would disarm the timer; the past fires at once. */
	struct itimerspec value = {
		.it_value = { .tv_sec = (time_t)(at_ns / 1000000000u),
		              .tv_nsec = (long)(at_ns % 1000000000u) + (at_ns == 0) },
	};

	return RETRIED(int, sys_table->timerfd_settime(fd, TFD_TIMER_ABSTIME, &value));
}

int sys_epoll_create(void)
{
	return RETRIED(int, sys_table->epoll_create(EPOLL_CLOEXEC));
}

int sys_epoll_add(int epfd, int fd, uint64_t tag)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = tag };

	return RETRIED(int, sys_table->epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
}

void sys_epoll_del(int epfd, int fd)
{
	sys_table->epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
}

int sys_epoll_wait(int epfd, struct epoll_event *events, int nr, int timeout_ms)
{
	int result = sys_table->epoll_wait(epfd, events, nr, timeout_ms);

	return result < 0 ? -errno : result;
}

int sys_bpf_iter_create(int link_fd)
{
	return RETRIED(int, sys_table->bpf_iter_create(link_fd));
}

ssize_t sys_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	return RETRIED(ssize_t, sys_table->pwrite(fd, buf, size, offset));
}

int sys_madvise(void *addr, size_t size, int advice)
{
	return RETRIED(int, sys_table->madvise(addr, size, advice));
}

int sys_userfaultfd(int flags)
{
	return RETRIED(int, sys_table->userfaultfd(flags | O_CLOEXEC));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return RETRIED(int, sys_table->pidfd_getfd(pidfd, fd, 0));
}

long sys_ptrace(int request, pid_t pid, void *addr, void *data)
{
	return RETRIED(long, sys_table->ptrace(request, pid, addr, data));
}

pid_t sys_wait4(pid_t pid, int *status, int options)
{
	return RETRIED(pid_t, sys_table->wait4(pid, status, options, NULL));
}

long sys_kcmp(pid_t one, pid_t other, int type)
{
	return RETRIED(long, sys_table->kcmp(one, other, type, 0, 0));
}

pid_t sys_clone(unsigned long flags)
{
	return RETRIED(pid_t, sys_table->clone(flags));
}

int sys_socketpair(int fds[2])
{
	return RETRIED(int, sys_table->socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
}

ssize_t sys_sendmsg(int fd, const struct msghdr *message)
{
	return RETRIED(ssize_t, sys_table->sendmsg(fd, message, MSG_NOSIGNAL));
}

ssize_t sys_recvmsg(int fd, struct msghdr *message)
{
	return RETRIED(ssize_t, sys_table->recvmsg(fd, message, MSG_CMSG_CLOEXEC));
}

ssize_t sys_send(int fd, const void *what, size_t size)
{
	struct iovec vector = { .iov_base = (void *)(uintptr_t)what, .iov_len = size };
	const struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return sys_sendmsg(fd, &message);
}

ssize_t sys_receive(int fd, void *what, size_t size)
{
	struct iovec vector = { .iov_base = what, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return sys_recvmsg(fd, &message);
}

static int new_socket(void)
{
	return RETRIED(int, sys_table->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/* Who cannot be reached is not kept open. */
static int or_close(int fd, int result)
{
	if (result >= 0)
		return fd;
	sys_close(fd);
	return result;
}

int sys_listen(const struct sockaddr *address, socklen_t size)
{
	int fd = new_socket();
	int result = fd < 0 ? fd : RETRIED(int, sys_table->bind(fd, address, size));

	if (fd < 0)
		return fd;
	return or_close(fd, result < 0 ? result : RETRIED(int, sys_table->listen(fd, SOMAXCONN)));
}

int sys_accept(int fd)
{
	return RETRIED(int, sys_table->accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

int sys_connect(const struct sockaddr *address, socklen_t size)
{
	int fd = new_socket();

	return fd < 0 ? fd : or_close(fd, RETRIED(int, sys_table->connect(fd, address, size)));
}

int sys_socket_peer(int fd, struct ucred *peer)
{
	socklen_t size = sizeof(*peer);

	return RETRIED(int, sys_table->getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size));
}

ssize_t sys_readlinkat(int dir, const char *path, char *buf, size_t size)
{
	return RETRIED(ssize_t, sys_table->readlinkat(dir, path, buf, size));
}

int sys_pidfd_open_thread(pid_t tid)
{
	/* PIDFD_THREAD, which Debian 12's headers do not have yet, is O_EXCL. */
	return RETRIED(int, sys_table->pidfd_open(tid, O_EXCL));
}

int sys_sigmask(const sigset_t *set, sigset_t *old)
{
	return RETRIED(int, sys_table->sigprocmask(SIG_SETMASK, set, old));
}

int sys_signal_default(int signal)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	return RETRIED(int, sys_table->sigaction(signal, &action, NULL));
}

int sys_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	return RETRIED(int, sys_table->sigaction(signal, action, old));
}

int sys_raise(int signal)
{
	return sys_table->raise(signal) == 0 ? 0 : -EIO;
}

int sys_signal_wait(int signal, uint64_t timeout_ns)
{
	struct timespec timeout = { .tv_sec = (time_t)(timeout_ns / 1000000000u),
		                    .tv_nsec = (long)(timeout_ns % 1000000000u) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return RETRIED(int, sys_table->sigtimedwait(&set, NULL, &timeout));
}

int sys_setsid(void)
{
	return RETRIED(int, sys_table->setsid());
}

void sys_exit(int code)
{
	sys_table->exit(code);
	__builtin_unreachable();
}

ssize_t sys_process_vm_readv(pid_t pid, void *buf, const void *remote, size_t size)
{
	struct iovec to = { buf, size };
	struct iovec from = { (void *)(uintptr_t)remote, size };

	return RETRIED(ssize_t, sys_table->process_vm_readv(pid, &to, 1, &from, 1, 0));
}

int sys_mremap(void *from, size_t size, void *to)
{
	void *addr = sys_table->mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return addr == MAP_FAILED ? -errno : 0;
}

long sys_move_pages(unsigned long nr, void **pages, const int *nodes, int *status, int flags)
{
	return RETRIED(long, sys_table->move_pages(0, nr, pages, nodes, status, flags));
}

int sys_io_uring_setup(unsigned nr, void *params)
{
	return RETRIED(int, sys_table->io_uring_setup(nr, params));
}

int sys_io_uring_register(int fd, unsigned what, const void *arg, unsigned nr)
{
	return RETRIED(int, sys_table->io_uring_register(fd, what, arg, nr));
}

/* A signal comes before anything was submitted, or is not told. */
int sys_io_uring_enter(int fd, unsigned submit, unsigned complete, unsigned flags)
{
	return RETRIED(int, sys_table->io_uring_enter(fd, submit, complete, flags));
}

int sys_mkdir(const char *path, mode_t mode)
{
	return RETRIED(int, sys_table->mkdir(path, mode));
}

int sys_close_range(unsigned first, unsigned last)
{
	return RETRIED(int, sys_table->close_range(first, last, 0));
}

void sys_yield(void)
{
	sys_table->sched_yield();
}

void sys_sleep(uint64_t ns)
{
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	(void)sys_table->nanosleep(&time, NULL);
}

int sys_lock(int fd)
{
	return RETRIED(int, sys_table->flock(fd, LOCK_EX | LOCK_NB));
}

int sys_mprotect(void *addr, size_t size, int prot)
{
	return RETRIED(int, sys_table->mprotect(addr, size, prot));
}

int sys_errno_take(void)
{
	return errno;
}

void sys_errno_give_back(int taken)
{
	if (errno != taken)
		errno = taken;
}
