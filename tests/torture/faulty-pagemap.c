/* SPDX-License-Identifier: MIT */
/* This file takes soft-dirty pages out of what is read from pagemap. */
#include "faulty-pagemap.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "proc.h"

enum {
	FAULT_EACH = 5, /* reads with something in them */
};

static struct {
	struct sys_table table;
	unsigned nr_reads;
	unsigned nr_faults;
} state;

/* Leaves the last run out; whether there was one. */
static bool leave_out(uint64_t *entries, size_t nr, bool really)
{
	size_t end = nr;

	while (end > 0 && (entries[end - 1] & PAGEMAP_SOFT_DIRTY) == 0)
		end--;
	for (size_t i = end; really && i > 0 && (entries[i - 1] & PAGEMAP_SOFT_DIRTY) != 0; i--)
		entries[i - 1] &= ~PAGEMAP_SOFT_DIRTY;
	return end > 0;
}

/* Who reads pagemap by way of the table reads nothing else by pread(). */
static ssize_t faulty_pread(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t got = sys_table_linux.pread(fd, buf, size, offset);
	size_t nr = got > 0 ? (size_t)got / sizeof(uint64_t) : 0;
	bool now = state.nr_reads % FAULT_EACH == 0;

	if (leave_out(buf, nr, now)) {
		state.nr_reads++;
		state.nr_faults += now;
	}
	return got;
}

void faulty_pagemap_arm(void)
{
	state.table = sys_table_linux;
	state.table.pread = faulty_pread;
	state.nr_reads = state.nr_faults = 0;
	sys_table = &state.table;
}

unsigned faulty_pagemap_disarm(void)
{
	sys_table = &sys_table_linux;
	return state.nr_faults;
}
