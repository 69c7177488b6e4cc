/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc/PID/smaps (Documentation/filesystems/proc.rst), streamed and parsed strictly: of each VMA how much
 * is present, and how much of that was referenced. "Referenced" counts a page when the accessed bit of this process's
 * own entry is set, or its folio carries the mark "referenced" or "young" (fs/proc/task_mmu.c, smaps_account).
 */
#ifndef KERNEL_SMAPS_H
#define KERNEL_SMAPS_H

#include "kernel/lines.h"
#include "kernel/maps.h"

/* Out of "VmFlags". */
enum smaps_kinds {
	SMAPS_HUGETLB = 1 << 0,   /* ht: neither Rss nor Referenced count it */
	SMAPS_PFNMAP = 1 << 1,    /* pf: memory without struct page; clear_refs skips it */
	SMAPS_IO = 1 << 2,        /* io */
	SMAPS_MIXED = 1 << 3,     /* mm: some of it may have no struct page */
	SMAPS_MERGEABLE = 1 << 4, /* mg: KSM may merge its pages */
};

struct smaps_vma {
	struct vma vma; /* without a name */
	uint64_t rss_bytes;
	uint64_t referenced_bytes;
	uint64_t huge_bytes;    /* of rss_bytes, mapped by huge entries */
	uint64_t hugetlb_bytes; /* not in rss_bytes */
	uint32_t kinds;         /* enum smaps_kinds */
};

/* Return 0 to go on, anything else ends the reading and is returned by it. */
typedef int smaps_fn(void *arg, const struct smaps_vma *vma);

/* Text that comes in pieces. {0} to begin with; smaps_parser_fini() releases it. */
struct smaps_parser {
	struct lines lines;
	struct smaps_vma vma; /* the one whose fields are being read */
	uint32_t seen;        /* its fields so far, and whether there is one at all */
};

/* As of maps.h: 0, what `fn` returned, -EBADMSG (not what a kernel writes), -ENOMEM. */
int smaps_parser_feed(struct smaps_parser *parser, const char *piece, size_t size, smaps_fn *fn, void *arg);

/* The text has ended, which is what completes its last VMA: 0, what `fn` returned, or -EBADMSG in the middle of it. */
int smaps_parser_end(struct smaps_parser *parser, smaps_fn *fn, void *arg);
void smaps_parser_fini(struct smaps_parser *parser);

/*
 * Reads a descriptor of a smaps file from its beginning. The number of VMAs, 0 meaning that the memory is gone; what
 * `fn` returned; or -errno, where -ESRCH says that the task through which the file was opened is gone. The kernel lets
 * go of the lock between VMAs, so the list may change while it is read.
 */
long smaps_read(int fd, smaps_fn *fn, void *arg, struct lines_cost *cost);

#endif
