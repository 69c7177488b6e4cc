/* SPDX-License-Identifier: MIT */
/*
 * This file clears the accessed bits of a whole process: 1 to /proc/PID/clear_refs.
 *
 * The kernel walks all its page tables meanwhile with the mmap lock held in write mode, and each mapping's too: whoever
 * faults or maps waits until it is done. How long that takes is estimated beforehand from what is present and from what
 * the last clearings took; more than allowed is refused. Hugetlb mappings and those without struct pages are not
 * walked, nothing is split, nothing moves on the LRU lists. The TLB is not flushed: an address that stays in it is not
 * seen to be used until it is replaced there.
 */
#include "sensor/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/error.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "target/target.h"

#define FIRST_PAGE_PS 25000u /* 25 ns a page: measured on 4 GiB of base pages */
#define LEAST_PAGE_PS 5000u
#define VMA_NS        200u
/* With less to clear, what a clearing takes is the call itself and says nothing about pages. */
#define MIN_ENTRIES 4096u
#define NR_TRIES    5

static uint64_t estimate_ns(struct refs_state *refs)
{
	if (refs->page_ps == 0)
		refs->page_ps = FIRST_PAGE_PS;
	return refs_nr_entries(&refs->now) * refs->page_ps / 1000 + refs->now.vmas.nr * VMA_NS;
}

int refs_clear_allowed(struct refs_state *refs, uint64_t max_stall_us, struct tide_error *err)
{
	uint64_t ns = estimate_ns(refs);
	uint64_t rss_bytes = 0;

	if (ns / 1000 <= max_stall_us)
		return 0;
	/* One clearing that was interrupted for long must not bar all that would follow. */
	refs->page_ps -= (refs->page_ps - FIRST_PAGE_PS) / 8 * (refs->page_ps > FIRST_PAGE_PS);
	for (size_t i = 0; i < refs->now.vmas.nr; i++)
		rss_bytes += refs->now.vmas.items[i].rss_bytes;
	return error_set(
	        err, TIDE_CAUSE_LIMIT, -E2BIG,
	        "process %d (%s) has %llu MiB present: each clearing of its accessed bits would keep it waiting "
	        "for about %.1f ms, and %.3g ms are allowed: allow that with --max-stall %llums",
	        (int)tide_target_pid(refs->target), tide_target_name(refs->target),
	        (unsigned long long)(rss_bytes >> 20), (double)ns / 1e6, (double)max_stall_us / 1e3,
	        (unsigned long long)(ns * 3 / 2 / 1000000 + 1));
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

int refs_may_clear(struct tide_target *target, struct tide_error *err)
{
	pid_t tid;
	int result = target_live_thread(target, &tid, err);
	int fd;

	if (result < 0)
		return result;
	fd = open_file(target, tid, err);
	sys_close(fd);
	if (fd == -ENOENT || fd == -ESRCH)
		return error_set(
		        err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		        "there is no /proc/%d/task/%d/clear_refs: it needs a kernel with CONFIG_PROC_PAGE_MONITOR",
		        (int)tide_target_pid(target), (int)tid);
	return fd < 0 ? fd : 0;
}

/* 1 cleared, 0 the thread through which it was asked has no memory any more, or negative. */
static int clear_through_a_thread(struct tide_target *target, uint64_t *took_ns, struct tide_error *err)
{
	struct procfs_stat stat;
	scope_sys_fd int fd = -1;
	uint64_t began_ns;
	ssize_t wrote;
	pid_t tid;
	int result = target_live_thread(target, &tid, err);

	if (result < 0)
		return result;
	fd = open_file(target, tid, err);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? 0 : fd;
	began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	wrote = sys_pwrite(fd, "1", 1, 0);
	*took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;
	if (wrote == -ESRCH)
		return 0;
	if (wrote < 0)
		return error_system(err, (int)wrote, "cannot clear the accessed bits of process %d (%s)",
		                    (int)tide_target_pid(target), tide_target_name(target));
	/* The kernel says the same when the thread had no memory left to clear. */
	result = procfs_read_stat(target_procfs(target), tid, &stat);
	return result == 0 && stat.vsize_bytes > 0;
}

static void account(struct refs_state *refs, uint64_t took_ns)
{
	uint64_t nr_entries = refs_nr_entries(&refs->now);
	struct tide_sensor_cost *cost = &refs->cost;

	cost->nr_calls++;
	cost->nr_cleared++;
	cost->nr_stalls++;
	cost->stall_ns += took_ns;
	cost->blind_ns += sys_clock_ns(CLOCK_MONOTONIC) - refs->now.began_ns;
	if (took_ns > cost->longest_stall_ns)
		cost->longest_stall_ns = took_ns;
	if (nr_entries < MIN_ENTRIES)
		return;
	refs->page_ps = (refs->page_ps + took_ns * 1000 / nr_entries) / 2;
	if (refs->page_ps < LEAST_PAGE_PS)
		refs->page_ps = LEAST_PAGE_PS;
}

int refs_clear(struct refs_state *refs, struct tide_error *err)
{
	int result = refs->now.is_valid ? 0 : refs_look(refs, err);

	if (result == 0)
		result = refs_clear_allowed(refs, refs->max_stall_us, err);
	for (int tries = 0; result == 0 && tries < NR_TRIES; tries++) {
		uint64_t took_ns = 0;

		result = clear_through_a_thread(refs->target, &took_ns, err);
		if (result > 0) {
			struct refs_look old = refs->cleared;

			account(refs, took_ns);
			refs->cleared = refs->now;
			refs->now = old;
			refs->now.is_valid = false;
			refs->nr_clearings++;
			return 0;
		}
	}
	if (result == 0)
		result = error_set(err, TIDE_CAUSE_BUSY, -EAGAIN,
		                   "the threads of process %d (%s) exit faster than they can be asked",
		                   (int)tide_target_pid(refs->target), tide_target_name(refs->target));
	return result;
}
