/* SPDX-License-Identifier: MIT */
/* This file reads from the kernel's list of symbols whether its DAMON can watch processes, without touching DAMON. */
#include "kernel/damon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "kernel/sys.h"

#define CHUNK_BYTES 65536u

/* Registered by its address, so it is a symbol wherever the code is there. */
static const char symbol[] = "damon_va_apply_scheme";

int damon_watches_processes(void)
{
	const size_t kept = sizeof(symbol) - 2; /* of the chunk before: what may be the symbol's beginning */
	scope_sys_fd int fd = sys_open("/proc/kallsyms", O_RDONLY);
	scope_free char *text = malloc(CHUNK_BYTES);
	size_t used = 0;
	bool any = false;

	if (fd < 0 || text == NULL)
		return fd < 0 ? fd : -ENOMEM;
	for (;;) {
		ssize_t got = sys_read(fd, text + used, CHUNK_BYTES - used);

		if (got < 0)
			return (int)got;
		if (got == 0)
			return any ? 0 : -ENODATA;
		any = true;
		used += (size_t)got;
		if (memmem(text, used, symbol, sizeof(symbol) - 1) != NULL)
			return 1;
		if (used > kept) {
			memmove(text, text + used - kept, kept);
			used = kept;
		}
	}
}
