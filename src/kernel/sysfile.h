/* SPDX-License-Identifier: MIT */
/* Small files of procfs and sysfs, read whole. */
#ifndef KERNEL_SYSFILE_H
#define KERNEL_SYSFILE_H

#include <stddef.h>
#include <stdint.h>

/* What fits of the file into `size` - 1 bytes, with a terminating zero. The number of bytes, or -errno. */
int sysfile_read(const char *path, char *buf, size_t size);

/* The number after "key" at the beginning of a line of `text`, blanks between; `otherwise` when there is no such line.
 */
uint64_t sysfile_number(const char *text, const char *key, uint64_t otherwise);

/* The one number that a file holds, as sysctls do. 0, -EBADMSG: it holds something else, or -errno. */
int sysfile_value(const char *path, uint64_t *out);

#endif
