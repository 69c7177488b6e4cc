/* SPDX-License-Identifier: MIT */
/*
 * What /proc/PID says of a process and its threads (proc(5)). All calls take a descriptor of the /proc/PID directory:
 * it stands for that process alone, also after its number was given to another (then every call says -ESRCH).
 */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROCFS_NAME_SIZE = 16, /* TASK_COMM_LEN */
};

/* The fields of /proc/PID/stat that tidemark needs. */
struct procfs_stat {
	char name[PROCFS_NAME_SIZE]; /* control characters replaced by '?' */
	char state;                  /* 'R', 'S', 'Z', ... */
	pid_t ppid;                  /* of the process whose child it is; 0: none in this PID namespace */
	bool kthread;                /* PF_KTHREAD */
	uint64_t start_ticks;        /* since boot */
	uint64_t vsize_bytes;        /* 0 when, and only when, the task has no memory of its own (any more) */
	uint64_t start_code;         /* of the program that runs; 0 or 1 when we may not know */
	uint64_t end_code;
	uint64_t start_stack;
};

/* The fields of /proc/PID/status that tidemark needs. */
struct procfs_status {
	pid_t tgid;
	uid_t uid;              /* real */
	int kthread;            /* 1 or 0; -1 when this kernel does not say */
	uint64_t swapped_bytes; /* 0 also when it is not said */
};

/* A descriptor of /proc/PID. -ENOENT: no such process, or one that is hidden from us (mount option hidepid). */
int procfs_open(pid_t pid);

/* Reads at most `size` bytes of a file below /proc/PID. How many there were, or -errno; -ESRCH when the task has gone.
 */
ssize_t procfs_read(int dir, const char *path, char *buf, size_t size);

/* Of the process itself with `tid` 0, else of that thread. 0; -ESRCH it has gone; -EBADMSG not what a kernel writes. */
int procfs_read_stat(int dir, pid_t tid, struct procfs_stat *out);
int procfs_read_status(int dir, struct procfs_status *out);

/* What /proc/PID/task/TID/status says of who may reach into a thread. */
struct procfs_trace {
	char state;   /* as in procfs_stat */
	pid_t tracer; /* 0: nobody traces it */
	int seccomp;  /* 0: no filter */
};

/* 0; -ESRCH it has gone; -EBADMSG not what a kernel writes. */
int procfs_read_trace(int dir, pid_t tid, struct procfs_trace *out);

/* Has this thread a signal to come that was sent to it alone, as faults are? 1, 0, or -errno as above. */
int procfs_has_pending(int dir, pid_t tid, int signal);

/* Return 0 to go on, anything else ends the listing and is returned by it. */
typedef int procfs_thread_fn(void *arg, pid_t tid);

/* Calls `fn` for every thread of the process, the leader included, dead or alive. 0, what `fn` returned, or -errno. */
int procfs_each_thread(int dir, procfs_thread_fn *fn, void *arg);

/* Calls `fn` for every descriptor that thread `tid` has open. 0, what `fn` returned, or -errno. */
int procfs_each_descriptor(int dir, pid_t tid, procfs_thread_fn *fn, void *arg);

/*
 * Do threads have lists of their children (CONFIG_PROC_CHILDREN) on this kernel? 1, 0, or -errno.
 */
int procfs_has_children(void);

/*
 * Calls `fn` for the children of thread `tid` of the process, of which the first 2,000 or so are listed. While children
 * come and go some may be missing. 0, what `fn` returned, or -errno; -ESRCH also where there are no such lists.
 */
int procfs_each_child(int dir, pid_t tid, procfs_thread_fn *fn, void *arg);

/* Calls `fn` for every process that is visible here, kernel threads included. 0, what `fn` returned, or -errno. */
int procfs_each_process(procfs_thread_fn *fn, void *arg);

/* The parsers. 0 or -EBADMSG. */
int procfs_parse_stat(const char *text, size_t size, struct procfs_stat *out);
int procfs_parse_status(const char *text, size_t size, struct procfs_status *out);

#endif
