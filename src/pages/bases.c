/* SPDX-License-Identifier: MIT */
/*
 * This file finds the direct map and vmemmap.
 *
 * Both are randomised at boot (KASLR) and need not be in kallsyms. The direct map is 1 GiB-aligned, and the root of our
 * own page table is an address in it, so the map begins at one of as many candidates as the machine has GiB of physical
 * address space below that. The right one is where a page of ours, whose frame number pagemap tells, shows the random
 * bytes we wrote into it. The depth of the page tables is the one with which a walk arrives at that same frame. vmemmap
 * follows from two one-page files: the page cache holds a pointer to the struct page whose frame number we know, and
 * both must agree.
 */
#include "pages/bases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rng.h"
#include "kernel/iomem.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "pages/entry.h"

#define PAGE_BYTES 4096u
#define TRIES      5 /* a page may be migrated between reading its frame number and looking at it */

static int hidden(struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_DENIED, -EACCES,
	                 "the kernel hides physical addresses from this process: the page-table walker needs "
	                 "CAP_SYS_ADMIN, run as root");
}

static int bigger_first(const void *a, const void *b)
{
	const struct iomem_range *x = a;
	const struct iomem_range *y = b;

	return x->end - x->start > y->end - y->start ? -1 : x->end - x->start < y->end - y->start;
}

static int learn_ram(struct walker_query *query, struct tide_error *err)
{
	struct iomem_range ram[WALKER_MAX_RAM];
	int nr = iomem_system_ram(ram, WALKER_MAX_RAM);

	if (nr == -EACCES)
		return hidden(err);
	if (nr < 0)
		return error_system(err, nr, "reading /proc/iomem");
	query->nr_candidates = (ram[nr - 1].end >> 30) + 1;
	/* The program asks one after the other: the biggest first. */
	qsort(ram, (size_t)nr, sizeof(ram[0]), bigger_first);
	query->nr_ram = (uint32_t)nr;
	for (int i = 0; i < nr; i++)
		query->ram[i] = (struct walker_ram){ ram[i].start / PAGE_BYTES, ram[i].end / PAGE_BYTES };
	return 0;
}

/* A page of ours with random content; shared and in a file, so that its struct page can be found too. */
struct proof {
	void *page;
	uint64_t pfn;
};

static void proof_close(struct proof *proof)
{
	sys_munmap(proof->page, PAGE_BYTES);
}

static int proof_open(struct proof *proof, struct tide_error *err)
{
	struct rng rng;
	uint64_t words[WALKER_PROOF_BYTES / 8];
	scope_sys_fd int fd = sys_memfd_create("tidemark-proof");
	int result = fd < 0 ? fd : sys_ftruncate(fd, PAGE_BYTES);

	if (result == 0)
		result = sys_mmap(&proof->page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (result < 0)
		return error_system(err, result, "making a page to prove the walker on");
	rng_init(&rng, sys_clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)proof);
	for (unsigned i = 0; i < WALKER_PROOF_BYTES / 8; i++)
		words[i] = rng_next(&rng);
	memcpy(proof->page, words, sizeof(words));
	/* Not fatal: without the lock it may move, which is noticed. */
	(void)sys_mlock(proof->page, PAGE_BYTES);
	return 0;
}

static int proof_pfn(struct proof *proof, struct tide_error *err)
{
	int result = pagemap_own_pfn(proof->page, &proof->pfn);

	if (result == -EACCES)
		return hidden(err);
	return result < 0 ? error_system(err, result, "reading /proc/self/pagemap") : 0;
}

static int find_direct_map(struct walker_program *program, struct proof *proof, struct tide_error *err)
{
	struct walker_query *query = program->query;

	query->mode = WALKER_FIND_MAP;
	for (int i = 0; i < TRIES; i++) {
		int result = proof_pfn(proof, err);

		if (result < 0)
			return result;
		query->direct_map = 0;
		query->proof_pfn = proof->pfn;
		memcpy(query->proof, proof->page, sizeof(query->proof));
		result = program_run(program, err);
		if (result < 0)
			return result;
		if (query->direct_map != 0)
			return 0;
	}
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "the kernel's direct map of physical memory could not be found: the page-table walker cannot "
	                 "work here");
}

/* Walks to the proof page as if tables had `levels`; 1 when that leads to the right frame. */
static int try_levels(struct walker_program *program, struct proof *proof, uint32_t levels, struct tide_error *err)
{
	struct walker_query *query = program->query;
	struct page_entry entry;
	int result = proof_pfn(proof, err);

	if (result < 0)
		return result;
	query->mode = WALKER_SAMPLE;
	query->levels = levels;
	query->cursor = 0;
	query->nr = 1;
	program->samples[0].addr = (uint64_t)(uintptr_t)proof->page;
	result = program_run(program, err);
	if (result < 0)
		return result;
	if (query->status != WALKER_DONE || program->samples[0].state != WALKER_READ)
		return 0;
	entry_decode(program->samples[0].entry, program->samples[0].shift, query->facts.address_mask, &entry);
	return entry.present && program->samples[0].shift == 12 && entry.pfn == proof->pfn;
}

static int find_levels(struct walker_program *program, struct proof *proof, struct tide_error *err)
{
	for (int i = 0; i < TRIES; i++) {
		for (uint32_t levels = 4; levels <= 5; levels++) {
			int result = try_levels(program, proof, levels, err);

			if (result != 0)
				return result < 0 ? result : 0;
		}
	}
	return error_set(
	        err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	        "a walk of our own page table does not arrive at our own page: the page-table walker cannot work here");
}

static int vmemmap_by(struct walker_program *program, struct proof *proof, uint64_t *vmemmap, struct tide_error *err)
{
	struct walker_query *query = program->query;
	int result = proof_pfn(proof, err);

	if (result < 0)
		return result;
	query->mode = WALKER_FIND_FOLIO;
	query->range_start = (uint64_t)(uintptr_t)proof->page;
	query->folio = 0;
	result = program_run(program, err);
	if (result < 0)
		return result;
	*vmemmap = query->folio - proof->pfn * query->page_struct_size;
	return 0;
}

static int find_vmemmap(struct walker_program *program, struct proof *a, struct proof *b, struct tide_error *err)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t by_a = 0;
		uint64_t by_b = 0;
		int result = vmemmap_by(program, a, &by_a, err);

		if (result == 0)
			result = vmemmap_by(program, b, &by_b, err);
		if (result < 0)
			return result;
		if (program->query->folio != 0 && by_a == by_b && a->pfn != b->pfn) {
			program->query->vmemmap = by_a;
			return 0;
		}
	}
	return error_set(
	        err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	        "the kernel's array of page descriptors could not be found: the page-table walker cannot work here");
}

static int find_all(struct walker_program *program, struct proof *a, struct proof *b, struct tide_error *err)
{
	int result = learn_ram(program->query, err);

	program->query->facts.address_mask = entry_address_mask();
	program->query->budget_ns = 500000;
	if (result == 0)
		result = program_attach(program, gettid(), err);
	if (result == 0)
		result = find_direct_map(program, a, err);
	if (result == 0)
		result = find_levels(program, a, err);
	if (result == 0)
		result = find_vmemmap(program, a, b, err);
	return result;
}

int bases_find(struct walker_program *program, struct tide_error *err)
{
	struct proof a = { 0 };
	struct proof b = { 0 };
	int result = proof_open(&a, err);

	if (result == 0)
		result = proof_open(&b, err);
	if (result == 0)
		result = find_all(program, &a, &b, err);
	proof_close(&a);
	proof_close(&b);
	return result;
}
