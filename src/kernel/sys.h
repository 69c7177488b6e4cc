/* SPDX-License-Identifier: MIT */
/*
 * Every system call that tidemark makes on its own behalf goes through this one table, so that a test can make call N
 * fail with errno E, for N = 1, 2, ... until it succeeds. Guarantees: each sys_* returns >= 0 or -errno, errno itself
 * is never read above; EINTR is passed on where a signal is meant to end the wait (epoll_wait), else retried.
 */
#ifndef KERNEL_SYS_H
#define KERNEL_SYS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Linux 6.1; Debian 12's libc has it not. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* One member per call, in the raw convention of its libc namesake (-1 and errno). */
struct sys_table {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *buf, size_t size);
	ssize_t (*pread)(int fd, void *buf, size_t size, off_t offset);
	ssize_t (*getdents)(int fd, void *buf, size_t size);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	void *(*mmap)(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *addr, size_t size);
	int (*mlock)(const void *addr, size_t size);
	int (*memfd_create)(const char *name, unsigned flags);
	int (*ftruncate)(int fd, off_t size);
	int (*pidfd_open)(pid_t pid, unsigned flags);
	int (*pidfd_send_signal)(int pidfd, int signal);
	ssize_t (*process_madvise)(int pidfd, const struct iovec *ranges, size_t nr, int advice, unsigned flags);
	int (*clock_gettime)(clockid_t clock, struct timespec *time);
	int (*timerfd_create)(clockid_t clock, int flags);
	int (*timerfd_settime)(int fd, int flags, const struct itimerspec *value);
	int (*epoll_create)(int flags);
	int (*epoll_ctl)(int epfd, int op, int fd, struct epoll_event *event);
	int (*epoll_wait)(int epfd, struct epoll_event *events, int nr, int timeout_ms);
	int (*bpf_iter_create)(int link_fd);
	ssize_t (*pwrite)(int fd, const void *buf, size_t size, off_t offset);
	int (*madvise)(void *addr, size_t size, int advice);
	int (*userfaultfd)(int flags);
	int (*pidfd_getfd)(int pidfd, int fd, unsigned flags);
	long (*ptrace)(int request, pid_t pid, void *addr, void *data);
	pid_t (*wait4)(pid_t pid, int *status, int options, struct rusage *usage);
	long (*kcmp)(pid_t one, pid_t other, int type, unsigned long first, unsigned long second);
	pid_t (*clone)(unsigned long flags);
	int (*socketpair)(int domain, int type, int protocol, int fds[2]);
	ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
	ssize_t (*readlinkat)(int dir, const char *path, char *buf, size_t size);
	int (*sigprocmask)(int how, const sigset_t *set, sigset_t *old);
	int (*sigaction)(int signal, const struct sigaction *action, struct sigaction *old);
	int (*sigtimedwait)(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
	pid_t (*setsid)(void);
	void (*exit)(int code);
	ssize_t (*process_vm_readv)(pid_t pid, const struct iovec *local, unsigned long nr_local,
	                            const struct iovec *remote, unsigned long nr_remote, unsigned long flags);
	void *(*mremap)(void *from, size_t old_size, size_t new_size, int flags, void *to);
	long (*move_pages)(pid_t pid, unsigned long nr, void **pages, const int *nodes, int *status, int flags);
	int (*io_uring_setup)(unsigned nr, void *params);
	int (*io_uring_register)(int fd, unsigned what, const void *arg, unsigned nr);
	int (*io_uring_enter)(int fd, unsigned submit, unsigned complete, unsigned flags);
	int (*mkdir)(const char *path, mode_t mode);
	int (*flock)(int fd, int operation);
	int (*close_range)(unsigned first, unsigned last, int flags);
	int (*sched_yield)(void);
	int (*nanosleep)(const struct timespec *time, struct timespec *left);
	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *address, socklen_t size);
	int (*listen)(int fd, int nr);
	int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
	int (*accept4)(int fd, struct sockaddr *address, socklen_t *size, int flags);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
	int (*mprotect)(void *addr, size_t size, int prot);
	int (*raise)(int signal);
};

/* The table in use. Tests copy sys_table_linux, wrap members and point this at their copy; nothing else writes it. */
extern const struct sys_table *sys_table;
extern const struct sys_table sys_table_linux;

int sys_open(const char *path, int flags);
int sys_openat(int dir, const char *path, int flags);
int sys_create(const char *path, int flags, mode_t mode); /* a file that may be there already */
void sys_close(int fd);                                   /* < 0 is fine; a failing close has closed */
ssize_t sys_read(int fd, void *buf, size_t size);
ssize_t sys_pread(int fd, void *buf, size_t size, off_t offset);
ssize_t sys_getdents(int fd, void *buf, size_t size);
int sys_ioctl(int fd, unsigned long request, void *arg);
int sys_ioctl_once(int fd, unsigned long request, void *arg); /* EINTR is an answer: part of the work is done */
int sys_mmap(void **out, size_t size, int prot, int flags, int fd, off_t offset);
void sys_munmap(void *addr, size_t size); /* NULL is fine */
int sys_mlock(const void *addr, size_t size);
int sys_memfd_create(const char *name);
int sys_ftruncate(int fd, off_t size);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_alive(int pidfd); /* 1 alive, 0 exited */
int sys_pidfd_kill(int pidfd);  /* SIGKILL */
ssize_t sys_process_madvise(int pidfd, const struct iovec *ranges, size_t nr, int advice);
uint64_t sys_clock_ns(clockid_t clock); /* cannot fail for the clocks in use */
int sys_timerfd_create(void);           /* CLOCK_MONOTONIC, non-blocking */
int sys_timerfd_arm(int fd, uint64_t at_ns);
int sys_epoll_create(void);
int sys_epoll_add(int epfd, int fd, uint64_t tag);
void sys_epoll_del(int epfd, int fd);
int sys_epoll_wait(int epfd, struct epoll_event *events, int nr, int timeout_ms);
int sys_bpf_iter_create(int link_fd);
ssize_t sys_pwrite(int fd, const void *buf, size_t size, off_t offset);
int sys_madvise(void *addr, size_t size, int advice);
int sys_userfaultfd(int flags);
int sys_pidfd_getfd(int pidfd, int fd);
long sys_ptrace(int request, pid_t pid, void *addr, void *data); /* not the PEEK requests */
pid_t sys_wait4(pid_t pid, int *status, int options);
long sys_kcmp(pid_t one, pid_t other, int type);
pid_t sys_clone(unsigned long flags); /* as fork(), but no handler runs and malloc may not be used in the child */
int sys_socketpair(int fds[2]);       /* datagrams that keep their bounds, close-on-exec */
ssize_t sys_sendmsg(int fd, const struct msghdr *message);
ssize_t sys_send(int fd, const void *what, size_t size); /* one message, as the next */
ssize_t sys_receive(int fd, void *what, size_t size);    /* its size; 0: the other end has gone */
ssize_t sys_recvmsg(int fd, struct msghdr *message);     /* descriptors that come are close-on-exec */
/* Of Unix sockets that keep the bounds of messages; non-blocking and close-on-exec. */
int sys_listen(const struct sockaddr *address, socklen_t size);
int sys_accept(int fd);
int sys_connect(const struct sockaddr *address, socklen_t size);
int sys_socket_peer(int fd, struct ucred *peer); /* who was at the other end when it was connected */
ssize_t sys_readlinkat(int dir, const char *path, char *buf, size_t size);
int sys_pidfd_open_thread(pid_t tid);                /* of one thread (6.9); -EINVAL before */
int sys_sigmask(const sigset_t *set, sigset_t *old); /* the calling thread's, replaced; `old` may be NULL */
int sys_signal_default(int signal);
int sys_sigaction(int signal, const struct sigaction *action, struct sigaction *old); /* either may be NULL */
int sys_raise(int signal);                                                            /* for the calling thread */
int sys_signal_wait(int signal, uint64_t timeout_ns); /* a blocked one; -EAGAIN: it did not come */
int sys_setsid(void);
_Noreturn void sys_exit(int code); /* at once: no handlers, no buffers */
/* Marks the mm of `pid` as pinned for ever: never a target's. */
ssize_t sys_process_vm_readv(pid_t pid, void *buf, const void *remote, size_t size);
int sys_mremap(void *from, size_t size, void *to); /* moves; what was mapped at `to` is gone */

/*
 * Pages of our own; with NULL `nodes` they are not moved. `flags`: MPOL_MF_MOVE, MPOL_MF_MOVE_ALL those that others
 * map, too. 0 or more: `status` says of each its node, or -errno.
 */
long sys_move_pages(unsigned long nr, void **pages, const int *nodes, int *status, int flags);
int sys_io_uring_setup(unsigned nr, void *params);
int sys_io_uring_register(int fd, unsigned what, const void *arg, unsigned nr);
int sys_io_uring_enter(int fd, unsigned submit, unsigned complete, unsigned flags);
int sys_mkdir(const char *path, mode_t mode);
int sys_mprotect(void *addr, size_t size, int prot);
/* Of the thread, as a handler of signals found it, and must leave it. */
int sys_errno_take(void);
void sys_errno_give_back(int taken); /* not written when it is still so: it may lie in memory that faults */
void sys_yield(void);
void sys_sleep(uint64_t ns);                        /* a signal ends it */
int sys_close_range(unsigned first, unsigned last); /* all that are open of these */
int sys_lock(
        int fd); /* the whole file, for us alone; -EWOULDBLOCK: somebody has it. Ends with the last copy of `fd`. */

#define scope_sys_fd __attribute__((cleanup(sys_fd_cleanup)))
void sys_fd_cleanup(const int *fd);

#endif
