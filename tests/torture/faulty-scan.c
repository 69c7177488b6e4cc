/* SPDX-License-Identifier: MIT */
/* This file puts faults between a tracker and PAGEMAP_SCAN. */
#include "faulty-scan.h"

#include <linux/ioctl.h>
#include <string.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"

enum {
	MAX_FORGOTTEN = 64,
	FAULT_EACH = 5, /* answers with something in them */
};

/* struct pm_scan_arg of the kernel, as far as needed. */
struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t range[3];
	uint64_t vec;
	uint64_t rest[6];
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_arg)

/* The members of the table carry no argument of ours. */
static struct {
	struct sys_table table;
	enum faulty_scan fault;
	unsigned nr_scans;
	unsigned nr_faults;
	struct pagescan_region forgotten[MAX_FORGOTTEN];
	int nr_forgotten;
	struct rig *rig;
	const char *name;
} state;

/* Takes region `i` out of an answer. */
static int leave_out(struct pagescan_region *regions, int nr, int i)
{
	memmove(regions + i, regions + i + 1, (size_t)(nr - i - 1) * sizeof(*regions));
	state.nr_faults++;
	return nr - 1;
}

static bool forgotten(const struct pagescan_region *region)
{
	for (int i = 0; i < state.nr_forgotten; i++)
		if (region->start >= state.forgotten[i].start && region->end <= state.forgotten[i].end)
			return true;
	return false;
}

static int forget(int fd, struct scan_arg *arg)
{
	struct pagescan_region *regions = (void *)(uintptr_t)arg->vec;
	uint64_t flags = arg->flags;
	bool now = state.nr_forgotten == 0 && state.nr_scans % FAULT_EACH == 0;
	int nr;

	if (now)
		arg->flags &= ~(uint64_t)PAGESCAN_REARM;
	nr = sys_table_linux.ioctl(fd, PAGEMAP_SCAN, arg);
	arg->flags = flags;
	if (now && nr > 0) {
		state.nr_forgotten = nr < MAX_FORGOTTEN ? nr : MAX_FORGOTTEN;
		memcpy(state.forgotten, regions, (size_t)state.nr_forgotten * sizeof(*regions));
		return nr;
	}
	for (int i = nr - 1; i >= 0; i--)
		if (forgotten(&regions[i])) {
			nr = leave_out(regions, nr, i);
			state.nr_forgotten = 0;
		}
	return nr;
}

static int no_rearm(int fd, struct scan_arg *arg)
{
	uint64_t flags = arg->flags;
	int nr;

	if (state.nr_scans % FAULT_EACH == 0) {
		arg->flags &= ~(uint64_t)PAGESCAN_REARM;
		state.nr_faults++;
	}
	nr = sys_table_linux.ioctl(fd, PAGEMAP_SCAN, arg);
	arg->flags = flags;
	return nr;
}

static int drop(int fd, struct scan_arg *arg)
{
	int nr = sys_table_linux.ioctl(fd, PAGEMAP_SCAN, arg);

	if (nr > 0 && state.nr_scans % FAULT_EACH == 0)
		return leave_out((void *)(uintptr_t)arg->vec, nr, nr - 1);
	return nr;
}

static int meanwhile(int fd, struct scan_arg *arg)
{
	if (state.nr_faults == 0) {
		rig_do(state.rig, state.name, 1);
		rig_done(state.rig, -1);
		state.nr_faults++;
	}
	return sys_table_linux.ioctl(fd, PAGEMAP_SCAN, arg);
}

static int faulty_ioctl(int fd, unsigned long request, void *arg)
{
	static int (*const faulty[])(int, struct scan_arg *) = {
		[FAULTY_DROP] = drop,
		[FAULTY_NO_REARM] = no_rearm,
		[FAULTY_FORGET] = forget,
		[FAULTY_MEANWHILE] = meanwhile,
	};

	if (request != PAGEMAP_SCAN || !(((struct scan_arg *)arg)->flags & PAGESCAN_REARM))
		return sys_table_linux.ioctl(fd, request, arg);
	state.nr_scans++;
	return faulty[state.fault](fd, arg);
}

void faulty_scan_arm(enum faulty_scan fault)
{
	state.table = sys_table_linux;
	state.table.ioctl = faulty_ioctl;
	state.fault = fault;
	state.nr_scans = state.nr_faults = 0;
	state.nr_forgotten = 0;
	sys_table = &state.table;
}

void faulty_scan_before_next(struct rig *rig, const char *name)
{
	state.rig = rig;
	state.name = name;
	faulty_scan_arm(FAULTY_MEANWHILE);
}

unsigned faulty_scan_disarm(void)
{
	unsigned nr = state.nr_faults;

	sys_table = &sys_table_linux;
	state.nr_faults = 0;
	return nr;
}
