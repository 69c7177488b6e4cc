/* SPDX-License-Identifier: MIT */
/*
 * This file finds pages that smaps does not count.
 *
 * Memory that was read before it was written is mapped to the zero page, which has no struct page of its own: it is
 * neither in "Rss" nor in "Referenced", and clear_refs does not clear its accessed bit. A mapping with nothing
 * referenced may be read all the time in such pages. They are present, though: where more is present than "Rss" says,
 * no claim is made.
 */
#include "sensor/refs.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "target/target.h"

#define PAGE_BYTES  4096u
#define NR_REGIONS  64
#define PIECE_BYTES (UINT64_C(256) << 20) /* scanned at once, under the target's lock */
/* Without PAGEMAP_SCAN holes cost as much as pages: entries read beyond four times what is present. */
#define SPARE_ENTRIES 65536u

/* Reads that find a hole are given the zero page in private memory that is not a file's, and in private /dev/zero. */
static bool may_hide(const struct refs_vma *vma)
{
	return (vma->flags & VMA_READ) && !(vma->flags & VMA_SHARED);
}

static void note_call(struct refs_state *refs, uint64_t began_ns)
{
	uint64_t took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;

	refs->cost.nr_calls++;
	if (took_ns > refs->cost.longest_hold_ns)
		refs->cost.longest_hold_ns = took_ns;
}

static int scan(struct refs_state *refs, const struct refs_vma *vma, int pagemap)
{
	struct pagescan_region regions[NR_REGIONS];
	uint64_t present_bytes = 0;

	for (uint64_t at = vma->start; at < vma->end;) {
		struct pagescan piece = {
			.start = at,
			.end = vma->end - at < PIECE_BYTES ? vma->end : at + PIECE_BYTES,
			.all_of = PAGESCAN_PRESENT,
			.returned = PAGESCAN_PRESENT,
		};
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
		long nr = pagescan(pagemap, &piece, regions, NR_REGIONS);

		note_call(refs, began_ns);
		if (nr == -EINTR)
			continue;
		if (nr < 0)
			return (int)nr;
		for (long i = 0; i < nr; i++)
			present_bytes += regions[i].end - regions[i].start;
		if (present_bytes > vma->rss_bytes)
			return REFS_HIDDEN_SOME;
		if (piece.next <= at)
			return -EIO;
		at = piece.next;
	}
	return REFS_HIDDEN_NONE;
}

static int read_entries(struct refs_state *refs, const struct refs_vma *vma, int pagemap)
{
	uint64_t entries[512];
	uint64_t left = SPARE_ENTRIES + vma->rss_bytes / PAGE_BYTES * 4;
	uint64_t present_bytes = 0;

	for (uint64_t at = vma->start; at < vma->end;) {
		uint64_t nr_left = (vma->end - at) / PAGE_BYTES;
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);
		long nr;

		if (left < 512)
			return REFS_HIDDEN_UNREAD;
		nr = pagemap_read(pagemap, at, entries, nr_left < 512 ? (size_t)nr_left : 512);
		note_call(refs, began_ns);
		if (nr < 0)
			return (int)nr;
		if (nr == 0)
			return -ESRCH;
		for (long i = 0; i < nr; i++)
			if (pagemap_categories(entries[i]) & PAGESCAN_PRESENT)
				present_bytes += PAGE_BYTES;
		if (present_bytes > vma->rss_bytes)
			return REFS_HIDDEN_SOME;
		at += (uint64_t)nr * PAGE_BYTES;
		left -= (uint64_t)nr;
	}
	return REFS_HIDDEN_NONE;
}

int refs_find_hidden(struct refs_state *refs, struct refs_vma *vma, int *pagemap, struct tide_error *err)
{
	int result;

	if (vma->hidden != REFS_HIDDEN_UNKNOWN)
		return 0;
	if (!may_hide(vma)) {
		vma->hidden = REFS_HIDDEN_NONE;
		return 0;
	}
	if (*pagemap < 0)
		*pagemap = target_open_file(refs->target, "pagemap", O_RDONLY, err);
	if (*pagemap < 0)
		return *pagemap;
	result = refs->can_scan ? scan(refs, vma, *pagemap) : read_entries(refs, vma, *pagemap);
	if (result < 0)
		return error_system(err, result, "cannot read the page map of process %d (%s)",
		                    (int)tide_target_pid(refs->target), tide_target_name(refs->target));
	vma->hidden = (uint8_t)result;
	return 0;
}
