/* SPDX-License-Identifier: MIT */
/* The text of /proc/PID/maps (proc(5)), read in pieces of bounded size and parsed strictly. */
#ifndef KERNEL_MAPS_H
#define KERNEL_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/lines.h"

/* The values are those of PROCMAP_QUERY. */
enum vma_flags {
	VMA_READ = 1 << 0,
	VMA_WRITE = 1 << 1,
	VMA_EXEC = 1 << 2,
	VMA_SHARED = 1 << 3,
};

/* One VMA, whoever reported it. */
struct vma {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	uint32_t flags;      /* enum vma_flags */
	uint32_t page_bytes; /* of its page size, hugetlb's included; 0: not told */
	/* As the text has it: a newline in a path is "\012". Not terminated; size 0 without a name. Valid in the
	 * callback. */
	const char *name;
	size_t name_size;
};

/* Return 0 to go on, anything else ends the reading and is returned by it. */
typedef int vma_fn(void *arg, const struct vma *vma);

/* One line, without its newline. 0 or -EBADMSG. */
int maps_parse_line(const char *line, size_t size, struct vma *out);

/* Text that comes in pieces. {0} to begin with; maps_parser_fini() releases it. */
struct maps_parser {
	struct lines lines;
};

/* 0, what `fn` returned, -EBADMSG (not what a kernel writes), -ENOMEM. After a failure the parser is only good for
 * _fini. */
int maps_parser_feed(struct maps_parser *parser, const char *piece, size_t size, vma_fn *fn, void *arg);

/* The text has ended: 0, or -EBADMSG in the middle of a line. */
int maps_parser_end(const struct maps_parser *parser);
void maps_parser_fini(struct maps_parser *parser);

/*
 * Reads a descriptor of a maps file from its beginning. The number of VMAs, 0 meaning that the memory is gone; what
 * `fn` returned; or -errno, where -ESRCH says that the task through which the file was opened is gone, its memory
 * perhaps not.
 */
long maps_read(int fd, vma_fn *fn, void *arg);

/* How many mappings a process may have (vm.max_map_count; the kernel's default where it cannot be read). */
uint64_t maps_limit(void);

#endif
