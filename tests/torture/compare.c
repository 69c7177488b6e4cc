/* SPDX-License-Identifier: MIT */
/* This file compares a process' memory with its mirror, and tells a lost write with all that is known of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/pagemap.h"
#include "oracle.h"

enum {
	BATCH = 512,
	MAX_TOLD = 4, /* lost pages that are told one by one */
};

bool oracle_watches(const struct oracle *oracle, uint64_t address)
{
	for (size_t i = 0; i < oracle->nr_ranges; i++)
		if (address >= oracle->ranges[i].start && address < oracle->ranges[i].end)
			return true;
	return oracle->ranges == NULL;
}

static void tell_operations(const struct oracle *oracle, uint64_t address)
{
	static struct wire_log log[WIRE_LOG_ENTRIES];
	uint64_t last = oracle->rig->reply.nr_ops;

	if (!proc_bytes(&oracle->proc, oracle->rig->hello.log, log, sizeof(log)))
		return;
	for (unsigned i = 0; i < WIRE_LOG_ENTRIES; i++) {
		const struct wire_log *entry = &log[(last + 1 + i) % WIRE_LOG_ENTRIES];
		bool here = entry->start < address + PAGE && address < entry->start + entry->size;

		if (entry->number > 0 && (here || entry->number + 3 > last))
			fprintf(stderr, "  operation %lu %s 0x%lx + 0x%lx%s\n", entry->number, entry->name,
			        entry->start, entry->size, here ? "  <- this page" : "");
	}
}

static void tell_copies(const struct mirror_page *page)
{
	uint64_t nr = page == NULL ? 0 : page->nr_copies;

	for (uint64_t i = nr > NR_PAST ? nr - NR_PAST : 0; i < nr; i++) {
		const struct mirror_copy *copy = &page->past[i % NR_PAST];

		fprintf(stderr, "  copied in epoch %lu, certainty %u, why %u, run from 0x%lx: %s\n", copy->epoch,
		        copy->certainty, copy->why, copy->run, copy->there ? "there" : "not there");
	}
}

static void tell(const struct oracle *oracle, const struct vma *vma, uint64_t address, uint64_t entry,
                 const unsigned char *now)
{
	static const unsigned char zeros[PAGE];
	const struct mirror_page *page = mirror_find(&oracle->mirror, address);
	const unsigned char *then = page != NULL ? page->bytes : zeros;
	unsigned at = 0;

	while (at + 8 < PAGE && memcmp(then + at, now + at, 8) == 0)
		at += 8;
	fprintf(stderr, "LOST WRITE at 0x%lx + 0x%x in %lx-%lx %s %s, pagemap 0x%lx, copied %lu times, is ", address,
	        at, vma->start, vma->end, vma->shared ? "shared" : "private", vma->name, entry,
	        page != NULL ? page->nr_copies : 0);
	for (unsigned i = 0; i < 8; i++)
		fprintf(stderr, "%02x", now[at + i]);
	fprintf(stderr, ", was ");
	for (unsigned i = 0; i < 8; i++)
		fprintf(stderr, "%02x", then[at + i]);
	fprintf(stderr, ", epoch %lu is over\n", oracle->nr_epochs);
	tell_copies(page);
	tell_operations(oracle, address);
}

/* Pages of a private mapping that are still the file's are not written by the process. */
static bool comparable(const struct vma *vma, uint64_t entry)
{
	return proc_there(entry) && (vma->shared || (entry & PAGEMAP_FILE) == 0);
}

/*
 * Reading other pages brings them back from swap, and under a memory limit reclaim may discard a lazily freed page in
 * return: between the look at its entry and the reading, which then finds the zero page. It is as if it had been gone.
 */
static bool was_discarded(const struct oracle *oracle, uint64_t address, uint64_t before, const unsigned char *now)
{
	static const unsigned char zeros[PAGE];
	uint64_t entry;

	proc_pagemap(&oracle->proc, address, 1, &entry);
	return (before & PAGEMAP_PRESENT) != 0 && entry != before && (entry & PAGEMAP_EXCLUSIVE) == 0 &&
	       memcmp(now, zeros, PAGE) == 0;
}

/*
 * A shared page that was not mapped when it was copied may have had contents all the same. They need no write to show:
 * when a fault maps one page, that of the judge's own reading too, it maps others around it that are in memory.
 */
static bool is_unknown(const struct vma *vma, const struct mirror_page *page)
{
	return vma->shared && page != NULL && !mirror_was_there(page);
}

static void compare_page(struct oracle *oracle, const struct vma *vma, uint64_t address, uint64_t entry)
{
	static const unsigned char zeros[PAGE];
	unsigned char now[PAGE];
	const struct mirror_page *page;

	if (!comparable(vma, entry) || !oracle_watches(oracle, address) || !proc_page(&oracle->proc, address, now))
		return;
	page = mirror_find(&oracle->mirror, address);
	if (is_unknown(vma, page))
		return;
	oracle->score.compared++;
	if (memcmp(page != NULL ? page->bytes : zeros, now, PAGE) == 0 || was_discarded(oracle, address, entry, now))
		return;
	if (oracle->score.lost++ < MAX_TOLD && !oracle->silent)
		tell(oracle, vma, address, entry, now);
}

uint64_t oracle_compare(struct oracle *oracle)
{
	static struct vmas vmas;
	uint64_t entries[BATCH];
	uint64_t before = oracle->score.lost;

	proc_vmas(&oracle->proc, &vmas);
	for (size_t i = 0; i < vmas.nr; i++) {
		const struct vma *vma = &vmas.vma[i];

		for (uint64_t at = vma->start; !vma->special && at < vma->end; at += BATCH * PAGE) {
			size_t nr = (size_t)((vma->end - at) / PAGE < BATCH ? (vma->end - at) / PAGE : BATCH);

			proc_pagemap(&oracle->proc, at, nr, entries);
			for (size_t k = 0; k < nr; k++)
				compare_page(oracle, vma, at + k * PAGE, entries[k]);
		}
	}
	return oracle->score.lost - before;
}
