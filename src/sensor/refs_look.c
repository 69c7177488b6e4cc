/* SPDX-License-Identifier: MIT */
/* This file looks at all mappings of a target through /proc/PID/smaps. */
#include "sensor/refs.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/vmstat.h"
#include "target/target.h"

#define PAGE_BYTES 4096u
#define HUGE_BYTES (2u << 20)
/* How often the thread through which the file was opened may exit meanwhile. */
#define NR_TRIES 5

/*
 * The kernel lets go of the lock between mappings, so one that grew or was merged meanwhile can begin below the end of
 * the one before it: the part that is there already stays as it was read.
 */
static int take(void *arg, const struct smaps_vma *vma)
{
	struct refs_look *look = arg;
	uint64_t floor = look->vmas.nr > 0 ? look->vmas.items[look->vmas.nr - 1].end : 0;
	struct refs_vma mapping = {
		.start = vma->vma.start < floor ? floor : vma->vma.start,
		.end = vma->vma.end,
		.inode = vma->vma.inode,
		.rss_bytes = vma->rss_bytes,
		.referenced_bytes = vma->referenced_bytes,
		.huge_bytes = vma->huge_bytes < vma->rss_bytes ? vma->huge_bytes : vma->rss_bytes,
		.hugetlb_bytes = vma->hugetlb_bytes,
		.flags = vma->vma.flags,
		.kinds = (uint8_t)vma->kinds,
	};

	/* [vsyscall] is in the kernel's half: no memory of the process. */
	if (mapping.start >> 63 || mapping.start >= mapping.end)
		return 0;
	return vec_push(&look->vmas, mapping) < 0 ? -ENOMEM : 0;
}

uint64_t refs_nr_entries(const struct refs_look *look)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < look->vmas.nr; i++) {
		const struct refs_vma *vma = &look->vmas.items[i];

		nr += (vma->rss_bytes - vma->huge_bytes) / PAGE_BYTES + vma->huge_bytes / HUGE_BYTES;
	}
	return nr;
}

/* How many mappings were read; 0 and -ESRCH: the thread, or all of its memory, has gone. */
static long read_text(struct refs_state *refs, struct tide_error *err)
{
	struct refs_look *look = &refs->now;
	struct lines_cost cost = { 0 };
	scope_sys_fd int fd = target_open_file(refs->target, "smaps", O_RDONLY, err);
	long nr;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	look->vmas.nr = 0;
	nr = smaps_read(fd, take, look, &cost);
	refs->cost.nr_calls += cost.nr_calls;
	refs->cost.nr_scanned += refs_nr_entries(look);
	if (cost.longest_ns > refs->cost.longest_hold_ns)
		refs->cost.longest_hold_ns = cost.longest_ns;
	if (nr < 0 && nr != -ESRCH)
		error_system(err, (int)nr, "cannot read /proc/%d/smaps", (int)tide_target_pid(refs->target));
	return nr;
}

static int read_vmas(struct refs_state *refs, struct tide_error *err)
{
	for (int tries = 0; tries < NR_TRIES; tries++) {
		long nr = read_text(refs, err);
		int valid;

		if (nr < 0 && nr != -ESRCH)
			return (int)nr;
		/* What was read is the memory's that was watched only if that is still there. */
		valid = tide_target_valid(refs->target, err);
		if (valid <= 0)
			return valid < 0 ? valid : -ESRCH;
		if (nr > 0)
			return 0;
	}
	return error_set(err, TIDE_CAUSE_BUSY, -EAGAIN,
	                 "the threads of process %d (%s) exit faster than they can be asked",
	                 (int)tide_target_pid(refs->target), tide_target_name(refs->target));
}

int refs_look(struct refs_state *refs, struct tide_error *err)
{
	struct refs_look *look = &refs->now;
	int result;

	look->is_valid = false;
	refs->scan_at = UINT64_MAX;
	look->began_ns = sys_clock_ns(CLOCK_MONOTONIC);
	result = read_vmas(refs, err);
	if (result == 0)
		result = refs_is_guest(refs->target, err);
	if (result < 0)
		return result;
	look->is_guest = result > 0;
	if (vmstat_nr_scanned(&look->nr_reclaimed) < 0)
		look->nr_reclaimed = 0;
	look->ended_ns = sys_clock_ns(CLOCK_MONOTONIC);
	look->is_valid = true;
	return 0;
}

struct refs_vma *refs_find(const struct refs_look *look, uint64_t addr)
{
	size_t low = 0;
	size_t high = look->vmas.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr >= look->vmas.items[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < look->vmas.nr ? &look->vmas.items[low] : NULL;
}
