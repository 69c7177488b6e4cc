/* SPDX-License-Identifier: MIT */
/* This file has the steps with which children make memory of a kind. */
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void kinds_lack(struct place *place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(place->lacks, sizeof(place->lacks), format, args);
	va_end(args);
}

bool kinds_map_at(struct place *place, uint64_t hint, size_t bytes, int prot, int flags, int fd)
{
	void *memory = mmap((void *)hint, bytes, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (memory == MAP_FAILED) {
		kinds_lack(place, "mmap of %zu KiB: %s", bytes / 1024, strerror(errno));
		return false;
	}
	place->start = (uint64_t)(uintptr_t)memory;
	place->end = place->start + bytes;
	return true;
}

bool kinds_map(struct place *place, size_t bytes, int prot, int flags, int fd)
{
	return kinds_map_at(place, KINDS_START, bytes, prot, flags | MAP_FIXED_NOREPLACE, fd);
}

void kinds_touch(const struct place *place, uint64_t granule, bool write)
{
	for (uint64_t addr = place->start; addr < place->end; addr += granule) {
		volatile char *byte = (volatile char *)(uintptr_t)addr;

		if (write)
			*byte = 1;
		else
			(void)*byte;
	}
}

void kinds_write(const struct place *place)
{
	kinds_touch(place, KINDS_PAGE, true);
}

void kinds_read(const struct place *place)
{
	kinds_touch(place, KINDS_PAGE, false);
}

bool kinds_advise(struct place *place, int advice, const char *name)
{
	if (madvise((void *)place->start, place->end - place->start, advice) == 0)
		return true;
	kinds_lack(place, "%s: %s", name, strerror(errno));
	return false;
}

size_t kinds_smaps(const struct place *place, const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;
	size_t result = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		unsigned long start;
		unsigned long end;
		unsigned long kib;
		char name[64];

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start < place->end && end > place->start;
		else if (here && sscanf(line, "%63[^:]: %lu kB", name, &kib) == 2 && strcmp(name, field) == 0)
			result += kib * 1024;
	}
	if (file != NULL)
		fclose(file);
	return result;
}

long kinds_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	return got > 0 ? strtol(text, NULL, 0) : 0;
}

/* Three signs that no machine that is used for anything else has together. */
bool kinds_in_guest(void)
{
	const char *lane = getenv("TIDEMARK_LANE");
	char line[256] = "";
	bool is_init = false;
	int fd = open("/proc/1/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);

	close(fd);
	for (ssize_t i = 0; i < got; i += (ssize_t)strlen(line + i) + 1)
		is_init |= strcmp(line + i, "/lane/guest.init") == 0;
	return lane != NULL && *lane != '\0' && is_init && access("/lane/settings", F_OK) == 0;
}
