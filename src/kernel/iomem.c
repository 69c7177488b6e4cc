/* SPDX-License-Identifier: MIT */
/* This file finds the System RAM ranges. */
#include "kernel/iomem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"

int iomem_parse(const char *text, struct iomem_range *ranges, size_t max)
{
	size_t nr = 0;
	size_t seen = 0;

	while (text != NULL && *text != '\0') {
		uint64_t first;
		uint64_t last;
		int name = 0;

		/* Children (kernel code, reserved pieces) are indented: they are memory too, and covered by their
		 * parent. */
		if (*text != ' ' && sscanf(text, "%" SCNx64 "-%" SCNx64 " : %n", &first, &last, &name) == 2 &&
		    name > 0 && strncmp(text + name, "System RAM", 10) == 0) {
			seen++;
			if (last > first && last < UINT64_MAX && nr < max)
				ranges[nr++] = (struct iomem_range){ first, last + 1 };
		}
		text = strchr(text, '\n');
		if (text != NULL)
			text++;
	}
	if (nr == 0)
		return seen > 0 ? -EACCES : -ENODATA;
	return (int)nr;
}

int iomem_system_ram(struct iomem_range *ranges, size_t max)
{
	char text[16384];
	size_t length = 0;
	scope_sys_fd int fd = sys_open("/proc/iomem", O_RDONLY);

	if (fd < 0)
		return fd;
	while (length < sizeof(text) - 1) {
		ssize_t got = sys_read(fd, text + length, sizeof(text) - 1 - length);

		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	text[length] = '\0';
	return iomem_parse(text, ranges, max);
}
