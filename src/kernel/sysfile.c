/* SPDX-License-Identifier: MIT */
/* This file reads small files of procfs and sysfs. */
#include "kernel/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "kernel/sys.h"
#include "kernel/text.h"

int sysfile_read(const char *path, char *buf, size_t size)
{
	scope_sys_fd int fd = sys_open(path, O_RDONLY);
	size_t nr = 0;

	if (fd < 0)
		return fd;
	while (nr < size - 1) {
		ssize_t got = sys_read(fd, buf + nr, size - 1 - nr);

		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		nr += (size_t)got;
	}
	buf[nr] = 0;
	return (int)nr;
}

int sysfile_value(const char *path, uint64_t *out)
{
	char buf[32];
	int size = sysfile_read(path, buf, sizeof(buf));
	struct text text = { buf, buf + (size > 0 ? size : 0) };

	if (size < 0)
		return size;
	return text_decimal(&text, out) ? 0 : -EBADMSG;
}

uint64_t sysfile_number(const char *text, const char *key, uint64_t otherwise)
{
	size_t length = strlen(key);

	while (text != NULL && *text != 0) {
		if (strncmp(text, key, length) == 0 && (text[length] == ' ' || text[length] == '\t')) {
			struct text rest = { text + length, text + strlen(text) };
			uint64_t value;

			text_blanks(&rest);
			return text_decimal(&rest, &value) ? value : otherwise;
		}
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return otherwise;
}
