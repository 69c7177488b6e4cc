/* SPDX-License-Identifier: MIT */
/*
 * This file clears the accessed bits of a whole process: "1" to /proc/PID/clear_refs.
 *
 * The kernel walks all its page tables meanwhile with the mmap lock held in write mode, and each mapping's too: whoever
 * faults or maps waits until it is done. Hugetlb mappings and those without struct pages are not walked, nothing is
 * split, nothing moves on the LRU lists; folios lose their marks "referenced" and "young". Who may: whoever may write
 * to the file, which is the process's own user (root's, when it is undumpable).
 *
 * The TLB is left as it is: an access through an entry that is still there is not seen. The kernel flushes the TLB when
 * soft-dirty bits are cleared ("4"), also where it is built without them: there a second call does that and nothing
 * else. Where somebody may be using them, they are left alone, and so is the TLB.
 */
#include "sensor/clear_refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "target/target.h"

/* How often the thread through which the file was opened may exit meanwhile. */
#define NR_TRIES 5

bool clear_refs_can_flush(void)
{
	return pagemap_soft_dirty_probe() == 0;
}

static int open_file(struct tide_target *target, pid_t tid, struct tide_error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "task/%d/clear_refs", tid);
	fd = sys_openat(target_procfs(target), path, O_WRONLY);
	if (fd == -EACCES || fd == -EPERM)
		return error_set(
		        err, TIDE_CAUSE_DENIED, fd,
		        "not allowed to clear the accessed bits of process %d (%s): run as root or as its user",
		        (int)tide_target_pid(target), tide_target_name(target));
	if (fd < 0 && fd != -ENOENT && fd != -ESRCH)
		return error_system(err, fd, "cannot open /proc/%d/%s", (int)tide_target_pid(target), path);
	return fd;
}

int clear_refs_permitted(struct tide_target *target, struct tide_error *err)
{
	pid_t tid;
	int result = target_live_thread(target, &tid, err);
	int fd;

	if (result < 0)
		return result;
	fd = open_file(target, tid, err);
	sys_close(fd);
	if (fd == -ENOENT || fd == -ESRCH)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "there is no /proc/%d/task/%d/clear_refs: it needs a kernel with "
		                 "CONFIG_PROC_PAGE_MONITOR",
		                 (int)tide_target_pid(target), (int)tid);
	return fd < 0 ? fd : 0;
}

/* 1 cleared, 0 the thread through which it was asked has no memory any more, or negative. */
static int clear_through_a_thread(struct tide_target *target, bool flush, struct clear_refs_time *took,
                                  struct tide_error *err)
{
	struct procfs_stat stat;
	scope_sys_fd int fd = -1;
	uint64_t began_ns;
	uint64_t began_cpu_ns;
	ssize_t wrote;
	pid_t tid;
	int result = target_live_thread(target, &tid, err);

	if (result < 0)
		return result;
	fd = open_file(target, tid, err);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? 0 : fd;
	began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	began_cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	wrote = sys_pwrite(fd, "1", 1, 0);
	if (wrote >= 0 && flush)
		wrote = sys_pwrite(fd, "4", 1, 0);
	took->cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu_ns;
	took->wall_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (wrote == -ESRCH)
		return 0;
	if (wrote < 0)
		return error_system(err, (int)wrote, "cannot clear the accessed bits of process %d (%s)",
		                    (int)tide_target_pid(target), tide_target_name(target));
	/* The kernel says the same when the thread had no memory left to clear. */
	result = procfs_read_stat(target_procfs(target), tid, &stat);
	return result == 0 && stat.vsize_bytes > 0;
}

int clear_refs_all(struct tide_target *target, struct clear_refs_time *took, struct tide_error *err)
{
	bool flush = clear_refs_can_flush();

	for (int tries = 0; tries < NR_TRIES; tries++) {
		int result = clear_through_a_thread(target, flush, took, err);

		if (result != 0)
			return result < 0 ? result : 0;
	}
	return error_set(err, TIDE_CAUSE_BUSY, -EAGAIN,
	                 "the threads of process %d (%s) exit faster than they can be asked",
	                 (int)tide_target_pid(target), tide_target_name(target));
}

void clear_refs_account(struct tide_sensor_cost *cost, const struct clear_refs_time *took, uint64_t looked_ns)
{
	cost->ways |= 1u << TIDE_WAY_REFS;
	cost->nr_stalls++;
	cost->stall_ns += took->wall_ns;
	cost->blind_ns += sys_clock_ns(CLOCK_MONOTONIC) - looked_ns;
	if (took->wall_ns > cost->longest_stall_ns)
		cost->longest_stall_ns = took->wall_ns;
}
