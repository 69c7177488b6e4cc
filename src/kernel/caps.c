/* SPDX-License-Identifier: MIT */
/* This file asks for our own capabilities. */
#include "kernel/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"

int caps_ask(enum caps cap)
{
	char text[4096];
	uint64_t effective = 0;
	const char *line;
	ssize_t got;
	scope_sys_fd int fd = sys_open("/proc/thread-self/status", O_RDONLY);

	if (fd < 0)
		return fd;
	got = sys_read(fd, text, sizeof(text) - 1);
	if (got < 0)
		return (int)got;
	text[got] = '\0';
	line = strstr(text, "\nCapEff:");
	if (line == NULL || sscanf(line, "\nCapEff: %lx", &effective) != 1)
		return -EBADMSG;
	return effective >> cap & 1;
}

bool caps_have(enum caps cap)
{
	return caps_ask(cap) == 1;
}
