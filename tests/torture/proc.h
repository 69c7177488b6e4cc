/* SPDX-License-Identifier: MIT */
/*
 * What the oracle reads of a process: its mappings, which pages are there, and their contents. None of tidemark's code
 * is used for it. Reading changes nothing: only what is there is read.
 */
#ifndef TESTS_TORTURE_PROC_H
#define TESTS_TORTURE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PAGE = 4096,
	MAX_VMAS = 8192,
	NAME_SIZE = 64,
};

struct proc {
	pid_t pid;
	int mem;
	int pagemap;
};

struct vma {
	uint64_t start;
	uint64_t end;
	bool shared;
	bool special; /* the kernel's own (vdso, rings): not compared */
	char name[NAME_SIZE];
};

struct vmas {
	size_t nr;
	struct vma vma[MAX_VMAS];
};

/* End the program when they cannot. */
void proc_open(struct proc *proc, pid_t pid);
void proc_close(struct proc *proc);
void proc_vmas(const struct proc *proc, struct vmas *vmas);

/* Whether one of them holds `address`, and is shared. */
bool vmas_share(const struct vmas *vmas, uint64_t address);

/* The page is there, or swapped out: not a mere mark that the kernel left where a page was. */
bool proc_there(uint64_t entry);

/* The entries of `nr` pages from `start`; what cannot be read is 0. */
void proc_pagemap(const struct proc *proc, uint64_t start, size_t nr, uint64_t *entries);

/* The contents of one page. False: there is nothing to read. */
bool proc_page(const struct proc *proc, uint64_t address, void *page);

/* `size` bytes, whatever they are. */
bool proc_bytes(const struct proc *proc, uint64_t address, void *bytes, size_t size);

#endif
