/* SPDX-License-Identifier: MIT */
/* This file reads a process for the oracle. */
#include "kernel/pagemap.h"
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_one(pid_t pid, const char *what)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

void proc_open(struct proc *proc, pid_t pid)
{
	*proc = (struct proc){ .pid = pid, .mem = open_one(pid, "mem"), .pagemap = open_one(pid, "pagemap") };
}

void proc_close(struct proc *proc)
{
	close(proc->mem);
	close(proc->pagemap);
}

void proc_vmas(const struct proc *proc, struct vmas *vmas)
{
	int fd = open_one(proc->pid, "maps");
	FILE *file = fdopen(fd, "r");
	char line[512];
	uint64_t floor = 0;

	vmas->nr = 0;
	while (file != NULL && fgets(line, sizeof(line), file) != NULL && vmas->nr < MAX_VMAS) {
		struct vma *vma = &vmas->vma[vmas->nr];
		char flags[8] = "";

		*vma = (struct vma){ 0 };
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %63[^\n]", &vma->start, &vma->end, flags, vma->name) < 3)
			continue;
		/* A mapping that grows while it is read is there twice: a line for each piece, not of one instant. */
		vma->start = vma->start > floor ? vma->start : floor;
		if (vma->start >= vma->end)
			continue;
		floor = vma->end;
		vma->shared = flags[3] == 's';
		vma->special = strncmp(vma->name, "[v", 2) == 0 || strncmp(vma->name, "anon_inode:", 11) == 0;
		vmas->nr++;
	}
	if (file != NULL)
		fclose(file);
}

bool vmas_share(const struct vmas *vmas, uint64_t address)
{
	size_t low = 0, high = vmas->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vmas->vma[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < vmas->nr && vmas->vma[low].start <= address && vmas->vma[low].shared;
}

void proc_pagemap(const struct proc *proc, uint64_t start, size_t nr, uint64_t *entries)
{
	ssize_t got = pread(proc->pagemap, entries, nr * sizeof(*entries), (off_t)(start / PAGE * sizeof(*entries)));
	size_t filled = got < 0 ? 0 : (size_t)got / sizeof(*entries);

	memset(entries + filled, 0, (nr - filled) * sizeof(*entries));
}

bool proc_there(uint64_t entry)
{
	enum {
		TYPES = 0x1f, /* of swap entries; the highest is the kernel's for marks */
	};

	return (entry & PAGEMAP_PRESENT) != 0 || ((entry & PAGEMAP_SWAPPED) != 0 && (entry & TYPES) != TYPES);
}

bool proc_bytes(const struct proc *proc, uint64_t address, void *bytes, size_t size)
{
	return pread(proc->mem, bytes, size, (off_t)address) == (ssize_t)size;
}

bool proc_page(const struct proc *proc, uint64_t address, void *page)
{
	return proc_bytes(proc, address, page, PAGE);
}
